"""One probe, judged: what a server did with a steady rate of requests, and what that proves about each objective."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from holdfast import stats
from holdfast.model.verdict import State, worst
from holdfast.stats import steady

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

GROWING: Final = 0.01
"""Seconds of latency that a second adds when one request in a hundred is more than the server can take."""

LAST: Final = 3
"""What is completed and answered is looked at in the last of so many equal parts of a probe."""
_SURE: Final = 0.01
_MATTERS: Final = 0.25
"""Share of the bound that latency must have risen by: less is a swing."""
_TAIL: Final = 0.2
_COUNTED: Final = 4.0
"""Independent bad requests from which on they are counted."""
_DEEPEST: Final = 30.0
_APART: Final = 2.0
"""Standard errors of each of two estimates by which they contradict each other."""
_FEWEST: Final = 20
"""Requests from which a tail is read."""
_CATCHING_UP: Final = 3.0
"""Standard deviations of a Poisson count."""
_LATEST: Final = 0.5
"""Share of a probe that a trend is looked for in: its end, after whatever it began with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What must hold at a rate: at most `limit` of the requests bad; `bound` is its latency bound in seconds."""

    name: str
    limit: float
    bound: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """Each request as an event of one objective: whether it was bad, its latency in seconds, NaN if it never came."""

    objective: Objective
    bad: NDArray[np.bool_]
    latency: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a probe saw: `due` of each request in seconds from its start, and their outcomes, in the order of `due`.

    `seconds` is how long requests were offered, `done` when each had ended (NaN: never). `late` says why the client's
    own timing cannot be trusted, empty when it can.
    """

    rate: float
    seconds: float
    due: NDArray[np.float64]
    done: NDArray[np.float64]
    outcomes: tuple[Outcomes, ...]
    late: str = ""


@dataclass(frozen=True, slots=True)
class Tail:
    """Log-odds of a bad request and their standard error; `at_most` when what was seen bounds them only from above."""

    odds: float
    doubt: float
    at_most: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One objective at one rate: `effect` requests tell as much as one independent one."""

    objective: Objective
    state: State
    n: int
    bad: int
    effect: float
    low: float
    high: float
    tail: Tail
    more: int | None = None

    @property
    def share(self) -> float:
        """Bad requests among those that count; NaN when none does."""
        return self.bad / self.n if self.n else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The answer of one probe; times in seconds, rates in requests per second.

    `cut` is what its start-up took, `settled` whether that was seen to end, `slope` what a second adds to the latency,
    `growing` whether that goes on without end, `easing` whether it is still getting better. `offered`, `p50` and `p95`
    are of the requests after the cut. `silent` says that in the end nothing was answered at all: that may be an
    overloaded server, or none.
    """

    rate: float
    seconds: float
    offered: float
    achieved: float
    state: State
    judged: tuple[Judged, ...]
    cut: float
    settled: bool
    slope: float
    growing: bool
    easing: bool
    p50: float
    p95: float
    late: str = ""
    why: str = ""
    number: int = field(default=0)
    silent: bool = False


def judge(seen: Seen, alpha: float = stats.ALPHA) -> Probe:
    """What a probe proves, at error probability `alpha` for each objective and side, also when asked again and again.

    Left out is what MSER-5 says of the latencies, at most half. The requests that stay are counted, and decided by the
    e-process of as many as they are worth (`stats.effect_seen`). Where the latency grows without end nothing passes: a
    longer probe would be worse.
    """
    cut, settled = _start_up(seen)
    keep = seen.due >= cut
    judged = tuple(_decided(one, seen.due[keep] - cut, keep, alpha) for one in seen.outcomes)
    slope, growing, easing = _tendency(seen)
    achieved = _achieved(seen)
    easing = easing or _catches_up(achieved, seen)
    state = worst(one.state for one in judged)
    if seen.late or (growing and state is State.PASS) or not keep.any():
        state = State.UNKNOWN
    p50, p95 = _quantiles(seen, keep)
    return Probe(
        rate=seen.rate,
        seconds=seen.seconds,
        offered=_offered(seen.due[keep]),
        achieved=achieved,
        state=state,
        judged=judged,
        cut=cut,
        settled=settled,
        slope=slope,
        growing=growing,
        easing=easing,
        p50=p50,
        p95=p95,
        late=seen.late,
    )


def silent(seen: Seen) -> bool:
    """Whether nothing that was due in the last third was answered, of a record in which every request has ended."""
    import numpy as np  # noqa: PLC0415 - `--help` need not pay for it

    last = seen.due >= seen.seconds * (1 - 1 / LAST)
    return bool(last.any()) and not np.isfinite(seen.done[last]).any()


def _latencies(seen: Seen) -> NDArray[np.float64]:
    """Latencies of the first objective that bounds one, else of the first; what never came is as slow as any."""
    import numpy as np  # noqa: PLC0415 - `--help` need not pay for it

    if not seen.outcomes:
        return np.zeros(len(seen.due))
    chosen = next((one for one in seen.outcomes if one.objective.bound is not None), seen.outcomes[0])
    slowest = float(np.nanmax(chosen.latency)) if np.isfinite(chosen.latency).any() else 0.0
    never = max(slowest, 2 * (chosen.objective.bound or 0.0))
    return np.asarray(np.where(np.isfinite(chosen.latency), chosen.latency, never))


def _start_up(seen: Seen) -> tuple[float, bool]:
    return steady.start_up(seen.due, _latencies(seen)) if len(seen.due) else (0.0, False)


def _tendency(seen: Seen) -> tuple[float, bool, bool]:
    """Seconds of latency that each second adds at the end of the probe; whether it surely grows; whether it eases."""
    import numpy as np  # noqa: PLC0415

    came = np.isfinite(seen.done)
    times, values = seen.due[came], _latencies(seen)[came]
    last = times >= (times.max() if len(times) else 0.0) * (1 - _LATEST)
    found = steady.trend(times[last], values[last])
    if found is None:
        return 0.0, False, False
    rise = found.slope * float(times[last].max() - times[last].min())
    bounds = [one.objective.bound for one in seen.outcomes if one.objective.bound is not None]
    matters = found.slope > GROWING and rise > _MATTERS * min(bounds, default=0.0)
    return found.slope, found.p < _SURE and matters, found.p > 1 - _SURE and found.slope < -GROWING


def _decided(one: Outcomes, times: NDArray[np.float64], keep: NDArray[np.bool_], alpha: float) -> Judged:
    bad, n = int(one.bad[keep].sum()), int(keep.sum())
    limit = one.objective.limit
    if not n:
        nothing = Tail(0.0, math.inf, at_most=True)
        state = State.UNKNOWN
        return Judged(objective=one.objective, state=state, n=0, bad=0, effect=1.0, low=0.0, high=1.0, tail=nothing)
    # To the microsecond: below it equal latencies differ by rounding alone, and rounding follows the time.
    effect = stats.effect_seen(times, one.bad[keep], one.latency[keep].round(6))
    said = stats.decide(bad, n, limit, alpha, effect)
    state = {"good": State.PASS, "bad": State.FAIL, None: State.UNKNOWN}[said]
    return Judged(
        objective=one.objective,
        state=state,
        n=n,
        bad=bad,
        effect=effect,
        low=stats.lower_bound(bad / effect, n / effect, alpha),
        high=stats.upper_bound(bad / effect, n / effect, alpha),
        tail=tail_of(one.latency[keep], one.bad[keep], one.objective.bound, effect),
        more=_more(bad, n, limit, alpha, effect) if state is State.UNKNOWN else None,
    )


def tail_of(latency: NDArray[np.float64], bad: NDArray[np.bool_], bound: float | None, effect: float) -> Tail:
    """How rare a bad request is, from the shape of the latencies' tail, or from counts where that says more.

    Counting alone sees no difference between a probe whose slowest request took half its bound and one in which all
    were fast. Where bad requests are too few to count, and do not contradict it, the tail tells.
    """
    n, counted = len(bad), float(bad.sum())
    worth = max(1.0, n / effect)
    share = (counted / effect + 0.5) / (worth + 1)
    told = Tail(_logit(share), 1 / math.sqrt(worth * share * (1 - share)), at_most=not counted)
    if bound is None or n * _TAIL < _FEWEST or counted > _COUNTED * effect:
        return told
    read = _fallen(latency, bound, worth)
    rarer = read and read.odds + _APART * read.doubt < told.odds - _APART * told.doubt
    return told if read is None or (rarer and counted > effect) else read


def _fallen(latency: NDArray[np.float64], bound: float, worth: float) -> Tail | None:
    """The tail beyond the largest fifth; None where that fifth is beyond the bound already.

    There the latency of a queue falls off exponentially, so the mean by which that fifth goes beyond its own least
    member tells how rare it is to go beyond the bound. A mean of so many is too small as often as too large, and its
    reciprocal is too large by one part in so many.
    """
    import numpy as np  # noqa: PLC0415

    came = np.isfinite(latency)
    least = float(np.quantile(np.where(came, latency, np.inf), 1 - _TAIL, method="higher"))
    if not least < bound:
        return None
    beyond = float((latency[came & (latency >= least)] - least).mean())
    many = max(2.0, _TAIL * worth)
    decay = min(_DEEPEST, (bound - least) / max(beyond, 1e-9))
    share = min(1 - 1e-6, float((~came).mean()) + _TAIL * math.exp(-decay * (1 - 1 / many)))
    return Tail(_logit(share), math.sqrt((1 + decay**2) / many), at_most=decay >= _DEEPEST)


def _logit(share: float) -> float:
    return math.log(share / (1 - share))


def _more(bad: int, n: int, limit: float, alpha: float, effect: float) -> int | None:
    """Further good requests, in the company of the others, that would bring a PASS."""
    return stats.first_that(lambda more: stats.decide(bad, n + more, limit, alpha, effect) == "good", most=10**7)


def _offered(due: NDArray[np.float64]) -> float:
    """Requests a second among those that count: chance offers some more or fewer than was asked."""
    span = float(due[-1] - due[0]) if len(due) else 0.0
    return (len(due) - 1) / span if span > 0 else 0.0


def _achieved(seen: Seen) -> float:
    """Completions per second in the last third of the time in which requests were offered."""
    import numpy as np  # noqa: PLC0415

    ended, seconds = seen.done[np.isfinite(seen.done)], seen.seconds / LAST
    if not seconds > 0:
        return 0.0
    return float(((ended > seen.seconds - seconds) & (ended <= seen.seconds)).sum()) / seconds


def _catches_up(achieved: float, seen: Seen) -> bool:
    """Whether so much more is completed than offered that a backlog must be going down."""
    count = seen.rate * seen.seconds / LAST
    return count > 0 and achieved * seen.seconds / LAST > count + _CATCHING_UP * math.sqrt(count)


def _quantiles(seen: Seen, keep: NDArray[np.bool_]) -> Sequence[float]:
    import numpy as np  # noqa: PLC0415

    values = _latencies(seen)[keep]
    return [float(one) for one in np.quantile(values, (0.5, 0.95))] if len(values) else [math.nan, math.nan]
