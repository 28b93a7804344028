"""From the engine's steps to the load of its devices: bytes and operations are counted, a look takes the difference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from refplatform.engine.gpu.device import Load

if TYPE_CHECKING:
    from collections.abc import Callable

    from refplatform.engine.gpu.device import Device
    from refplatform.engine.scheduler import Step

LOOK_SECONDS: Final = 1.0
"""Looks that come sooner see the values of the last one, as with dcgm-exporter's interval (30 s by default there)."""
PCIE_BYTES_PER_TOKEN: Final = 4096
ALLREDUCE_BYTES_PER_TOKEN: Final = 524_288
"""Two sums a layer over 4096 values of two bytes, 32 layers: an 8B model on more than one device."""
MOST: Final = 0.97
"""Share of a data sheet's peak that is ever seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What one step moves: bytes of weights (all of them, once), bytes of keys and values a token of context."""

    weight_bytes: float = 16.06e9
    kv_bytes_per_token: float = 131_072
    memory_share: float = 0.92
    """Of the memory that the engine takes at its start and keeps (vLLM's --gpu-memory-utilization)."""

    @property
    def operations_per_token(self) -> float:
        """One multiplication and one addition for each weight of two bytes."""
        return self.weight_bytes


class Meter:
    """Tells the devices what the engine does; `busy_seconds` reads how long it has been in steps since its start."""

    def __init__(self, devices: tuple[Device, ...], weights: Weights, busy_seconds: Callable[[], float]) -> None:
        self.devices = devices
        self._weights = weights
        self._busy_seconds = busy_seconds
        self._bytes = self._operations = self._tokens = 0.0
        self._seen = (0.0, 0.0, 0.0, 0.0)
        for device in devices:
            device.load = Load(memory_used=self._held(device))

    def hold(self, weights: Weights) -> None:
        """Other weights from now on; who looks at the devices sees their memory at the next look."""
        self._weights = weights

    def stepped(self, step: Step) -> None:
        """Count a step."""
        self._bytes += self._weights.weight_bytes + self._weights.kv_bytes_per_token * step.context
        self._operations += self._weights.operations_per_token * step.tokens
        self._tokens += step.tokens

    def look(self, now: float) -> None:
        """Bring the devices to `now`, unless that was done less than LOOK_SECONDS ago."""
        seconds = now - self.devices[0].now
        if seconds < LOOK_SECONDS:
            return
        counted = (self._busy_seconds(), self._bytes, self._operations, self._tokens)
        busy, moved, operations, tokens = (new - old for new, old in zip(counted, self._seen, strict=True))
        self._seen = counted
        share = 1 / len(self.devices)
        for device in self.devices:
            part = device.slices[0].compute if device.slices else 1.0
            spec = device.spec
            load = Load(
                busy=min(1.0, max(0.0, busy / seconds)),
                dram=min(MOST, moved * share / seconds / (spec.bandwidth * part)),
                tensor=min(MOST, operations * share / seconds / (spec.peak * part)),
                pcie=PCIE_BYTES_PER_TOKEN * tokens / seconds,
                nvlink=ALLREDUCE_BYTES_PER_TOKEN * tokens / seconds if len(self.devices) > 1 else 0.0,
                memory_used=self._held(device),
            )
            device.advance(now, load)

    def _held(self, device: Device) -> float:
        whole = device.slices[0].memory if device.slices else device.spec.memory
        return self._weights.memory_share * whole
