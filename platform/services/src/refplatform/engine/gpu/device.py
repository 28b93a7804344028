"""One device as a pure model: load goes in with the time, temperature and power follow it slowly, faults stay.

Power and temperature are first-order lags towards a target that the load sets, solved exactly for any gap between two
looks; energy is the integral of power. The time is an argument, in seconds of any clock that does not go back.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from refplatform.engine.gpu.spec import Slice, Spec

Reason = Literal["thermal", "power"]

POWER_SECONDS: Final = 1.0
HEAT_SECONDS: Final = 30.0
"""Time constants: after so long, 63 % of the way is done."""
INLET_CELSIUS: Final = 30.0
RISE_CELSIUS: Final = 42.0
"""Above the inlet at full power, when everything is settled."""
MEMORY_RISE_CELSIUS: Final = 8.0
POWER_SHARES: Final = (0.25, 0.40, 0.45)
"""Of the range from idle to full power: being busy at all, memory traffic at its peak, arithmetic at its peak."""
XID_WINDOW_SECONDS: Final = 300.0
"""dcgm-exporter's default window for the count of XIDs."""
OFF_THE_BUS: Final = 79

EVENT_BITS: Final = {"idle": 0x1, "power": 0x4, "thermal": 0x20}


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Means since the last look: `busy`, `dram` and `tensor` are shares of one, `pcie` and `nvlink` bytes a second."""

    busy: float = 0.0
    dram: float = 0.0
    tensor: float = 0.0
    pcie: float = 0.0
    nvlink: float = 0.0
    memory_used: float = 0.0
    """MiB held by the process, also while it idles."""


@dataclass(slots=True, kw_only=True)
class Device:
    """A GPU. `slices` are its MIG instances; when there are any, the load runs on the first that is left."""

    spec: Spec
    index: int = 0
    uuid: str = "GPU-00000000-0000-0000-0000-000000000000"
    slices: tuple[Slice, ...] = ()
    now: float = 0.0
    load: Load = field(default_factory=Load)
    factor: float = 1.0
    reason: Reason = "thermal"
    last_xid: int = 0
    lost: bool = False
    sbe: int = 0
    dbe: int = 0
    nvlink_bytes: float = 0.0
    energy: float = 0.0
    power: float = 0.0
    celsius: float = 0.0
    violations: Counter[str] = field(default_factory=Counter)
    xids: deque[tuple[float, int]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        """Begin as a device that has idled for long."""
        self.power = self.spec.idle_power
        self.celsius = self._settled(self.power)

    def advance(self, now: float, load: Load) -> None:
        """Live from the last time until `now` under this load."""
        seconds = max(0.0, now - self.now)
        if seconds == 0:
            return
        self.now, self.load = now, load
        target = self._target()
        mean = target + (self.power - target) * _mean_left(seconds, POWER_SECONDS)
        self.energy += mean * seconds
        self.power = target + (self.power - target) * math.exp(-seconds / POWER_SECONDS)
        warm = self._settled(mean)
        self.celsius = warm + (self.celsius - warm) * math.exp(-seconds / HEAT_SECONDS)
        self.nvlink_bytes += load.nvlink * seconds
        if self.factor < 1:
            self.violations[self.reason] += round(seconds * 1e9)

    # What faults do to it.

    def xid(self, code: int) -> None:
        """Report an XID error; 79, off the bus, takes every other value of the device away."""
        self.last_xid = code
        self.xids.append((self.now, code))
        self.lost = self.lost or code == OFF_THE_BUS

    def ecc(self, *, sbe: int = 0, dbe: int = 0) -> None:
        """Count corrected (single bit) and uncorrected (double bit) errors of the memory."""
        self.sbe += sbe
        self.dbe += dbe

    def throttle(self, factor: float, reason: Reason = "thermal") -> None:
        """Run at this share of the clock; 1 ends it. Raises ValueError when it is not above 0 and at most 1."""
        if not 0 < factor <= 1:
            raise ValueError(f"a clock runs at a share above 0 and at most 1, got {factor}")
        self.factor, self.reason = factor, reason

    def lose(self, number: int) -> None:
        """Take a MIG instance away. Raises ValueError when there is none of this number."""
        left = tuple(one for one in self.slices if one.number != number)
        if left == self.slices:
            raise ValueError(f"GPU {self.index} has no instance {number}")
        self.slices = left

    def reset(self) -> None:
        """As after a driver's reset: faults and volatile counts are gone, what is persistent stays."""
        self.last_xid, self.lost, self.factor = 0, False, 1.0
        self.xids.clear()

    # What is seen of it.

    @property
    def sm_clock(self) -> int:
        """MHz."""
        return round(self.spec.sm_clock * self.factor) if self.load.busy > 0 else self.spec.idle_sm_clock

    @property
    def events(self) -> int:
        """Bits of DCGM_CLOCKS_EVENT_REASON."""
        return (EVENT_BITS[self.reason] if self.factor < 1 else 0) | (0 if self.load.busy > 0 else EVENT_BITS["idle"])

    def xids_in_window(self) -> dict[int, int]:
        """How many XIDs of each code came in the last window."""
        while self.xids and self.xids[0][0] < self.now - XID_WINDOW_SECONDS:
            self.xids.popleft()
        return dict(sorted(Counter(code for _, code in self.xids).items()))

    def _target(self) -> float:
        """Watts when settled; dynamic power falls with the clock."""
        shares = (self.load.busy, self.load.dram, self.load.tensor)
        effort = min(1.0, sum(share * weight for share, weight in zip(shares, POWER_SHARES, strict=True)))
        running = self.slices[0].compute if self.slices else 1.0
        return self.spec.idle_power + (self.spec.power - self.spec.idle_power) * effort * running * self.factor

    def _settled(self, watts: float) -> float:
        return INLET_CELSIUS + RISE_CELSIUS * watts / self.spec.power


def _mean_left(seconds: float, constant: float) -> float:
    """Mean over a span of the share of a first-order step that is still to come."""
    return constant / seconds * -math.expm1(-seconds / constant)
