"""Was the client on time, in each process and each phase? Else it measured itself, and not the platform."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from holdfast.trust.base import NUMBERS, check_of
from holdfast.units import show_duration, show_ratio

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas as pd

    from holdfast.model.scenario import Scenario
    from holdfast.model.timeline import LoadRecord, Timeline
    from holdfast.model.verdict import Check

_CLOCK_GRAIN: Final = 0.001
_ORDER: Final = ("due", "sent", "first", "last", "done")
"""Times of one request, each no earlier than the one before; where one is missing nothing is said."""
_LATE: Final = 0.99
_LAG: Final = 0.95
"""A beat holds the worst of a quarter second, so its p95 is stricter than a p99 over all moments."""
_SILENT: Final = 2.0
"""Seconds without a beat, of which there are four a second, after which the loop was away all that time."""
_FEW: Final = 100
"""Requests of a phase below which their p99 is no more than the worst of them."""
_SHORT: Final = 5.0
"""Seconds of a phase below which their p95 is no more than the worst beat."""
_STRICTEST: Final = 0.02
_LOOSEST: Final = 0.1


def load_on_time(timeline: Timeline) -> Check:
    """Requests left when they were due, the client's own loop was not late, and its workers' clocks are one."""
    limit = allowed_lateness(timeline.scenario, _median_ttft(timeline.load.requests))
    late, lag = _told(_lateness(timeline), limit), _told(_lags(timeline), limit)
    what = "the tightest latency bound" if timeline.scenario.expect else "the median time to a first token"
    if late is None or lag is None:
        seen = trouble = "the load generator recorded no timing"
    else:
        seen = f"p99 lateness {late}, p95 loop lag {lag}"
        # Each by itself: of two numbers, one of them NaN, max() gives the first.
        trouble = "" if late.seconds <= limit and 0 <= lag.seconds <= limit else seen + _core(timeline.load)
        trouble = trouble or _clocks(timeline, limit) or _disorder(timeline.load.requests)
    return check_of(
        "load on time",
        trouble,
        seen=seen,
        limit=f"at most {show_duration(limit)}",
        reason=f"a tenth of {what}: a later client measures itself",
        spoils=NUMBERS,
    )


def lateness_limit(bounds: Iterable[float | None]) -> float:
    """Seconds by which the client may be late: a tenth of the tightest latency bound, 20 ms at least, else 100 ms."""
    known = [bound for bound in bounds if bound is not None]
    return max(_STRICTEST, round(min(known) / 10, 6)) if known else _LOOSEST


def allowed_lateness(scenario: Scenario, ttft: float | None) -> float:
    """Seconds by which the client of this load may be late, when `ttft` is the median time to a first token, if known.

    What asks nothing shows latencies, so these have to be the server's: then it is a tenth of the latency that was
    seen, within the same bounds.
    """
    if scenario.expect or ttft is None or math.isnan(ttft):
        return lateness_limit(one.bound for one in scenario.expect)
    return min(_LOOSEST, lateness_limit([ttft]))


def _median_ttft(requests: pd.DataFrame) -> float:
    return float((requests["first"] - requests["due"]).median())


class _Worst(NamedTuple):
    """The most that was found, and where: in which process, in which phase."""

    seconds: float
    where: str = ""

    def __str__(self) -> str:
        known = show_duration(round(self.seconds, 4)) if math.isfinite(self.seconds) else "unknown"
        return known + (f" ({self.where})" if self.where else "")


def _told(found: list[_Worst], limit: float) -> _Worst | None:
    """What is said of the whole run, which comes first; or of a phase that the whole run hides. None of nothing."""
    worst = max(found, default=None, key=lambda one: one.seconds)
    return worst if worst is None or found[0].seconds <= limit < worst.seconds else found[0]


def _windows(timeline: Timeline) -> Iterator[tuple[str, float, float]]:
    """The whole run, then each judged phase: a client that was late in a short one proves nothing about that one."""
    yield "", -math.inf, math.inf
    yield from ((phase.name, phase.start, phase.end) for phase in timeline.scenario.phases if phase.judged)


def _lateness(timeline: Timeline) -> list[_Worst]:
    """p99 of how late requests left, in each window in which enough of them were due."""
    requests = timeline.load.requests
    known = requests[requests["sent"].notna() & requests["due"].notna()]
    found = []
    for name, start, end in _windows(timeline):
        inside = known[(known["due"] >= start) & (known["due"] < end)]
        if len(inside) >= (_FEW if name else 1):
            found.append(_Worst(float((inside["sent"] - inside["due"]).quantile(_LATE)), name))
    return found


def _lags(timeline: Timeline) -> list[_Worst]:
    """p95 over time of the loop's lag, of the worst process, in each window that is long enough."""
    loops = _loops(timeline.load, timeline.scenario.load.workers)
    found = []
    for name, start, end in _windows(timeline):
        if loops and (not name or end - start >= _SHORT):
            where = [(_p95(loop.within(start, end)), ", ".join(filter(None, (loop.name, name)))) for loop in loops]
            found.append(max(_Worst(*one) for one in where))
    return found


class _Loop(NamedTuple):
    """One process of the client: the lag of its loop, from when on and until when that holds."""

    name: str
    spans: list[tuple[float, float, float]]

    def within(self, start: float, end: float) -> list[tuple[float, float]]:
        """Each lag in this window, with the seconds for which it holds."""
        cut = ((lag, min(until, end) - max(since, start)) for since, until, lag in self.spans)
        return [(lag, seconds) for lag, seconds in cut if seconds >= 0]


def _p95(lags: list[tuple[float, float]]) -> float:
    """What the lag did not exceed in 95 % of the time; infinite where nothing is known of any of it."""
    whole, reached = sum(seconds for _, seconds in lags), 0.0
    for lag, seconds in sorted(lags):
        reached += seconds
        if whole and reached >= _LAG * whole:
            return lag
    return max((lag for lag, _ in lags), default=math.inf)


def _loops(load: LoadRecord, workers: int) -> Sequence[_Loop]:
    """Every process that had a share of the load; nothing where one of them told nothing of its loop."""
    beats, requests = load.beats[load.beats["t"].notna() & load.beats["lag"].notna()], load.requests
    if not beats["worker"].notna().any():
        # One process, or a fleet that was recorded when beats did not yet say whose they are.
        return [_Loop("", _spans(beats, requests))] if len(beats) else []
    workers = max(workers, int(beats["worker"].max()) + 1)
    shares = [(beats[beats["worker"] == one], requests[requests["id"] % workers == one]) for one in range(workers)]
    if any(mine.empty for mine, _ in shares):
        return []
    return [_Loop(f"worker {number}", _spans(*share)) for number, share in enumerate(shares)]


def _spans(beats: pd.DataFrame, requests: pd.DataFrame) -> list[tuple[float, float, float]]:
    """(since, until, lag): a beat speaks for the time since the one before, and a loop that was away has few of them.

    From when its first request was due until its last answer, a process had something to be late with: silence there
    is lag.
    """
    known = beats.sort_values("t")
    told = list(zip(known["t"].tolist(), known["lag"].tolist(), strict=True))
    busy = [float(one) for one in (requests["due"].min(), requests["due"].max(), requests["done"].max())]
    at = [one for one in busy if not math.isnan(one)]
    edges = [min([*at, told[0][0]]), *(t for t, _ in told), max([*at, told[-1][0]])]
    lags = [*(lag for _, lag in told), 0.0]
    spans = zip(pairwise(edges), lags, strict=True)
    return [
        (since, until, max(lag, until - since) if until - since > _SILENT else lag) for (since, until), lag in spans
    ]


def _core(load: LoadRecord) -> str:
    """What share of a core a process had: little, where it was kept from running; nearly all, where it had too much."""
    beats = load.beats.sort_values("t")
    spans = beats.groupby("worker", dropna=False)["t"].diff()[beats["cpu"].notna()]
    whole = float(spans.sum())
    if not whole > 0:
        return ""
    return f", with {show_ratio(round(float((beats['cpu'] * spans).sum()) / whole, 2))} of a core"


def _clocks(timeline: Timeline, limit: float) -> str:
    """Whose clock is not known well enough to place its requests; each was compared with the master's twice."""
    workers = timeline.scenario.load.workers
    told = {(one.get("index"), one.get("state")): one for one in timeline.load.workers}
    for worker in range(workers) if workers > 1 else ():
        joined, left = (told.get((worker, state), {}) for state in ("joined", "left"))
        first, again = (_offset(one) for one in (joined, left))
        if first is None or again is None:
            return f"nobody knows what the clock of worker {worker} showed"
        # The requests were placed by the first comparison; the clock may have gone wrong by as much as the second says.
        for wrong in (first[1], abs(again[0] - first[0]) + again[1]):
            if not 0 <= wrong <= limit:
                return f"the clock of worker {worker} is known to {show_duration(round(wrong, 4))} only"
    return ""


def _offset(line: Mapping[str, object]) -> tuple[float, float] | None:
    """Seconds from the master's clock and how uncertain they are, as one line of the record says."""
    found = [line.get(name) for name in ("offset", "uncertainty")]
    numbers = [float(one) for one in found if isinstance(one, int | float) and math.isfinite(one)]
    return (numbers[0], numbers[1]) if len(numbers) == len(found) else None


def _disorder(requests: pd.DataFrame) -> str:
    """What in the table happened before its cause; a negative latency would be the best of all."""
    for before, after in pairwise(_ORDER):
        early = (requests[after] - requests[before]) < -_CLOCK_GRAIN
        if early.any():
            return f"{int(early.sum())} requests have {after} before {before}"
    return ""
