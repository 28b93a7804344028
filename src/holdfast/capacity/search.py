"""What to do next: the next rate to probe, or the answer; a function of the probes so far and nothing else.

First up from the lowest rate in long steps, shorter ones once bad requests are not rare any more, until a rate fails.
Then where the curve through all probes puts the capacity (`curve`), until its interval is narrow, or probes or time are
used up. Probes that only find where to look are short; the others share the time that is left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from holdfast import stats
from holdfast.capacity.answer import Answer, answered, beyond
from holdfast.capacity.curve import believe, logit
from holdfast.capacity.probe import LAST
from holdfast.model.verdict import State
from holdfast.stats.binomial import check_alpha

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from holdfast.capacity.curve import Estimate
    from holdfast.capacity.probe import Judged, Objective, Probe

_STEP: Final = 4.0
_SHORT_STEP: Final = 2.0
_FAR: Final = 5.0
"""Log-odds of a bad request under those of the limit from which on a long step is safe."""
_GLANCE: Final = 3.0
"""How many times the shortest probe a glance may last, for a proof that is near."""
_CLEAR: Final = 2.5
"""Log-odds above those of the limit from which on more of the same tells nothing."""
_WIDE: Final = 1.5
"""Width of the interval above which a glance is enough to find where to look, in the first half of the probes."""
_SURE: Final = 3.0
"""Standard deviations of a Poisson count, by which a server completes more than it did: it has grown since."""
_USED: Final = 0.93
"""Share of the time left that probes use; the rest goes to settling between them."""
_EDGE: Final = 1.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What was fixed before the first probe. Rates in requests per second, times in seconds.

    A glance lasts `shortest`, and up to three times that while it eases or a proof is near; a measurement as long as
    the time allows, but not beyond `longest`. All together, with what it takes to settle between them, at most
    `seconds`. The search ends when the interval is within `precision`, a share of the rate. `alpha` is the error
    probability of all its proofs together.
    """

    low: float
    high: float
    probes: int = 8
    shortest: float = 30.0
    longest: float = 450.0
    seconds: float = 900.0
    precision: float = 0.02
    alpha: float = stats.ALPHA

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high < math.inf:
            raise ValueError(f"rates must rise from more than zero, got {self.low:g} to {self.high:g}")
        if not 0 < self.shortest <= self.longest < math.inf:
            raise ValueError(f"a probe lasts more than zero and at most {self.longest:g} s, got {self.shortest:g}")
        if self.probes < 2:  # noqa: PLR2004 - one rate has no boundary
            raise ValueError(f"a search needs at least two probes, got {self.probes}")
        check_alpha(self.alpha)

    @property
    def alpha_each(self) -> float:
        """Error probability of each probe and side, so that all proofs together are wrong with at most `alpha`."""
        return self.alpha / self.probes


def clean_requests(objectives: Iterable[Objective], alpha: float) -> int:
    """How many requests prove every objective when none is bad, and they have nothing to do with each other."""
    needs = (
        stats.first_that(lambda n, limit=one.limit: n > 0 and stats.decide(0, n, limit, alpha) == "good")  # type: ignore[misc]
        for one in objectives
    )
    return max((one or 0 for one in needs), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Probe this rate next, and why: until `enough`, but not beyond `seconds`."""

    rate: float
    least: float
    seconds: float
    why: str
    glance: bool = False
    """Whether it is only to find where to look."""


Step: TypeAlias = Ask | Answer


def enough(ask: Ask, probe: Probe) -> bool:
    """Whether a probe that goes on may end before its time: it failed, or was a glance, and gets no better any more."""
    if probe.seconds >= ask.seconds:
        return True
    if probe.seconds < ask.least or probe.easing:
        return False
    if ask.glance:
        return probe.state is State.FAIL or not _soon_proved(ask, probe)
    return probe.state is State.FAIL and any(_well_above(one) for one in probe.judged)


def _well_above(one: Judged) -> bool:
    """Whether bad requests are so frequent that the boundary is not near; near it, more of them tell where it is."""
    return one.state is State.FAIL and one.tail.odds > logit(one.objective.limit) + _CLEAR


def _soon_proved(ask: Ask, probe: Probe) -> bool:
    """Whether good requests alone would still prove the rate in the time there is."""
    more = [one.more for one in probe.judged if one.state is State.UNKNOWN]
    return bool(more) and all(one is not None and probe.seconds + one / probe.rate <= ask.seconds for one in more)


def step(plan: Plan, probes: Sequence[Probe], spent: float) -> Step:
    """The next rate to probe, or the answer; `spent` is how many seconds the search has taken."""
    trusted = standing(probes)
    found = _estimate(plan, trusted)
    wish = _wish(plan, probes, trusted, found)
    left, why = plan.seconds - spent, ""
    if isinstance(wish, str):
        why = wish
    elif len(probes) >= plan.probes:
        why = f"all {plan.probes} probes are used"
    elif left < plan.shortest:
        why = f"the time is used up: {plan.seconds:g} s"
    if why or isinstance(wish, str):
        return ended(plan, probes, why)
    return _timed(plan, wish, left, plan.probes - len(probes))


def ended(plan: Plan, probes: Sequence[Probe], why: str) -> Answer:
    """The answer after these probes, whatever ended the search."""
    trusted = _last_word(probes)
    found = _estimate(plan, trusted)
    confidence = 1 - plan.alpha
    return answered(trusted, found, low=plan.low, high=plan.high, confidence=confidence, why=why, made=probes)


def _last_word(probes: Sequence[Probe]) -> tuple[Probe, ...]:
    """What counts in the end: where no failure stands, one above all that was borne does, for nobody tried it again."""
    trusted = standing(probes)
    if any(map(beyond, trusted)):
        return trusted
    most = max((one.rate for one in trusted), default=math.inf)
    failed = [one for one in probes if beyond(one) and not one.late and not one.silent and one.rate > most]
    return tuple(one for one in probes if one in trusted or one in failed)


@dataclass(frozen=True, slots=True)
class _Wish:
    rate: float
    why: str
    glance: bool = True


def _timed(plan: Plan, wish: _Wish, left: float, probes_left: int) -> Ask:
    share = _USED * left / probes_left
    seconds = _GLANCE * plan.shortest if wish.glance else max(plan.shortest, min(plan.longest, share))
    seconds = min(seconds, left)
    # Time that the last one does not use is lost.
    least = seconds if probes_left == 1 and not wish.glance else min(plan.shortest, seconds)
    return Ask(rate=wish.rate, least=least, seconds=seconds, why=wish.why, glance=wish.glance)


def standing(probes: Sequence[Probe]) -> tuple[Probe, ...]:
    """Probes that count: not those of a late client, no silence, and none that a longer one has proved wrong.

    A server that answered nothing at all, and never again, was perhaps not there: that is no evidence of its capacity.
    One that bears later, for longer, a rate as high as the one that failed, or more than it completed when it failed,
    had to warm up or to start replicas before it could show what it can do. And where a longer probe fails at no more
    than a rate that a shorter one bore, the shorter one ended before the queue had built up.
    """
    heard = max((place for place, one in enumerate(probes) if not one.silent), default=-1)
    trusted = [one for one in probes[: heard + 1] if not one.late]
    grown = [
        one
        for place, one in enumerate(trusted)
        if not (beyond(one) and any(_bore(later, one) for later in trusted[place + 1 :]))
    ]
    return tuple(one for one in grown if not any(_outlasted(one, other) for other in grown))


def _bore(later: Probe, failed: Probe) -> bool:
    if beyond(later) or later.seconds < failed.seconds:
        return False
    higher = later.rate >= failed.rate and (later.state is State.PASS or later.seconds > failed.seconds)
    return higher or (later.seconds > failed.seconds and _grew(later, failed))


def _grew(later: Probe, failed: Probe) -> bool:
    """Whether more is completed a second, beyond what chance does to two counts."""
    variance = sum(one.achieved / (one.seconds / LAST) for one in (later, failed))
    return later.achieved > failed.achieved + _SURE * math.sqrt(variance)


def _outlasted(borne: Probe, other: Probe) -> bool:
    """Whether another probe shows that a pass came too soon."""
    return borne.state is State.PASS and beyond(other) and other.rate <= borne.rate and other.seconds > borne.seconds


def _estimate(plan: Plan, trusted: Sequence[Probe]) -> Estimate | None:
    """Where the capacity lies, once something failed: before that there is only a lower bound."""
    if not any(map(beyond, trusted)):
        return None
    return believe(trusted, plan.low, plan.high).estimate(1 - plan.alpha)


def _wish(plan: Plan, probes: Sequence[Probe], trusted: Sequence[Probe], found: Estimate | None) -> _Wish | str:
    """What to probe next, or why nothing more."""
    if probes and probes[-1].late:
        return _once_more(probes)
    if probes and probes[-1].silent:
        return _still_there(plan, probes)
    if not trusted:
        return _Wish(plan.low, "the lowest rate")
    return _up(plan, trusted) if found is None else _narrow(plan, trusted, found, len(probes))


def _once_more(probes: Sequence[Probe]) -> _Wish | str:
    """A probe whose client was late says nothing of the server: it is made again, once."""
    if len(probes) > 1 and probes[-2].late:
        return f"the client was late twice: {probes[-1].late}"
    return _Wish(probes[-1].rate, "the client was late: once more")


def _still_there(plan: Plan, probes: Sequence[Probe]) -> _Wish | str:
    """Overload and death look alike from outside: the lowest rate, at which a server has time to answer, tells."""
    if len(probes) > 1 and probes[-2].silent:
        return f"nothing was answered any more, not even at {plan.low:g}/s: is the server still there?"
    return _Wish(plan.low, "nothing was answered: is the server still there?")


def _narrow(plan: Plan, trusted: Sequence[Probe], found: Estimate, made: int) -> _Wish | str:
    lowest = min(one.rate for one in trusted if beyond(one))
    if lowest <= plan.low * _EDGE:
        tries = sum(1 for one in trusted if one.rate <= plan.low * _EDGE)
        return _Wish(plan.low, "the lowest rate failed: once more") if tries == 1 else "even the lowest rate fails"
    if found.width <= plan.precision:
        return f"the interval is within {plan.precision:.0%}"
    rate = max(plan.low, min(plan.high, found.rate))
    glance = found.width > _WIDE and made < plan.probes / 2
    return _Wish(rate, f"between {found.low:.3g} and {found.high:.3g}/s", glance=glance)


def _up(plan: Plan, trusted: Sequence[Probe]) -> _Wish | str:
    highest = max(trusted, key=lambda one: one.rate)
    if highest.rate * _EDGE >= plan.high:
        again = highest.state is State.UNKNOWN and sum(1 for one in trusted if one.rate == highest.rate) == 1
        if again:
            return _Wish(plan.high, "the highest rate is not decided: longer", glance=False)
        return "the highest rate did not fail"
    far = bool(highest.judged) and all(one.tail.odds < logit(one.objective.limit) - _FAR for one in highest.judged)
    return _Wish(min(plan.high, highest.rate * (_STEP if far else _SHORT_STEP)), "no rate has failed yet")
