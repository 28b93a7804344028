"""The answer of a search: the capacity with its bounds, the knee, and what kind of boundary it is, or why none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

from holdfast.model.verdict import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.capacity.curve import Estimate
    from holdfast.capacity.probe import Probe

Boundary = Literal[
    "cliff", "slope", "unstable", "non-monotone", "no pass in range", "never failed in range", "undecided"
]
FOUND: Final[frozenset[Boundary]] = frozenset({"cliff", "slope", "unstable"})
"""Boundaries that have a rate."""

_CLIFF: Final = 60.0
"""Steepness at which 5 % more requests make the odds of a bad one e ** 3 = 20 times as large."""
_WIDEST: Final = 0.25
"""Width of an interval that still answers the question."""
_DOUBLED: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a search found. Rates in requests per second.

    `estimate` is where the share of bad requests meets its limit, with an interval that holds `confidence` of the
    belief. `proved` is the highest rate at which every objective was proved to hold, `refuted` the lowest at which one
    was proved to be broken, or latency grew without end. `knee` is where latency (p50) is twice that of the lowest
    rate: for M/M/1 the point of most throughput per latency (Kleinrock, "Power and deterministic rules of thumb for
    probabilistic problems in computer communications", ICC 1979). `why` says in words how it ended.
    """

    boundary: Boundary
    estimate: Estimate | None
    confidence: float
    proved: float | None
    refuted: float | None
    knee: float | None
    probes: tuple[Probe, ...]
    why: str

    @property
    def state(self) -> State:
        """PASS when there is a capacity to plan with, else UNKNOWN: a search never fails a server."""
        return State.PASS if self.boundary in FOUND else State.UNKNOWN


def beyond(probe: Probe) -> bool:
    """Whether a rate is more than the server can take: an objective is proved broken, or latency grows without end."""
    return probe.state is State.FAIL or probe.growing


def answered(
    probes: Sequence[Probe],
    estimate: Estimate | None,
    *,
    low: float,
    high: float,
    confidence: float,
    why: str,
    made: Sequence[Probe] = (),
) -> Answer:
    """The answer that these probes carry, of all that were `made`; without `estimate` there is no belief to tell."""
    proved = _proved(probes)
    refuted = min((one.rate for one in probes if beyond(one)), default=None)
    boundary = _boundary(probes, estimate, proved, low=low, high=high)
    return Answer(
        boundary=boundary,
        estimate=estimate if boundary in FOUND | {"undecided"} and refuted is not None else None,
        confidence=confidence,
        proved=proved,
        refuted=refuted,
        knee=_knee(probes),
        probes=tuple(made or probes),
        why=why,
    )


def _proved(probes: Sequence[Probe]) -> float | None:
    """The highest proved rate under every refuted one."""
    ceiling = min((one.rate for one in probes if one.state is State.FAIL), default=math.inf)
    return max((one.rate for one in probes if one.state is State.PASS and one.rate < ceiling), default=None)


def _boundary(
    probes: Sequence[Probe], estimate: Estimate | None, proved: float | None, *, low: float, high: float
) -> Boundary:
    failed = [one for one in probes if beyond(one)]
    passed = [one for one in probes if one.state is State.PASS]
    if failed and passed and _crossed(failed, passed):
        return "non-monotone"
    if any(one.state is State.FAIL and one.rate <= low * 1.001 for one in failed) and proved is None:
        return "no pass in range"
    if not failed and any(one.rate >= high * 0.999 for one in passed):
        return "never failed in range"
    if not failed or proved is None or estimate is None or estimate.width > _WIDEST:
        return "undecided"
    # Which of the failures tells how the boundary looks: the one next to it.
    nearest = min(failed, key=lambda one: abs(math.log(one.rate / estimate.rate)))
    if nearest.growing:
        return "unstable"
    return "cliff" if estimate.steepness >= _CLIFF else "slope"


def _crossed(failed: Sequence[Probe], passed: Sequence[Probe]) -> bool:
    lowest = min((one.rate for one in failed if one.state is State.FAIL), default=math.inf)
    return lowest < max(one.rate for one in passed)


def _knee(probes: Sequence[Probe]) -> float | None:
    """Where p50 reaches twice that of the lowest rate, straight between two probes in log rate and log latency."""
    known = sorted((one.rate, one.p50) for one in probes if one.p50 > 0 and math.isfinite(one.p50))
    if not known:
        return None
    wanted = math.log(_DOUBLED * known[0][1])
    for (below, calm), (above, risen) in pairwise(known):
        if math.log(calm) < wanted <= math.log(risen):
            part = (wanted - math.log(calm)) / (math.log(risen) - math.log(calm))
            return float(below * (above / below) ** part)
    return None
