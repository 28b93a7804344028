"""What load is offered, and exactly when: a profile, and the schedule that a seed makes of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ArrivalProcess = Literal["constant", "poisson", "trace"]
ARRIVALS: Final[tuple[str, ...]] = get_args(ArrivalProcess)


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRow:
    """One request of a production trace: seconds after the trace's start, and its two lengths in tokens."""

    offset: float
    prompt_tokens: int
    answer_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One request to come: due in seconds from run start, and the lengths asked of it."""

    due: float
    prompt_tokens: int
    answer_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadProfile:
    """How requests arrive and how long they are; a schedule needs a seed and a length besides.

    `rate` is requests per second (a trace brings its own), `spread` the sigma of the lognormal around both median
    lengths, `speed` divides the trace's times, `trace_start` skips that many seconds of it, `timeout` is seconds per
    request. Raises ValueError when no schedule could follow from it.
    """

    name: str
    arrivals: ArrivalProcess
    rate: float
    prompt_tokens: int
    answer_tokens: int
    spread: float
    trace: str | None
    speed: float
    max_in_flight: int
    timeout: float
    model: str
    trace_start: float = 0.0

    def __post_init__(self) -> None:
        if self.arrivals not in ARRIVALS:
            raise ValueError(f"arrivals must be one of {', '.join(ARRIVALS)}, got {self.arrivals!r}")
        for field in ("rate", "prompt_tokens", "answer_tokens", "speed", "max_in_flight", "timeout"):
            _more_than_zero(field, getattr(self, field))
        for field in ("spread", "trace_start"):
            _not_negative(field, getattr(self, field))
        if self.arrivals == "trace" and not self.trace:
            raise ValueError("arrivals = trace needs a trace file")


def _more_than_zero(field: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{field} must be more than zero, got {value}")


def _not_negative(field: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{field} must not be negative, got {value}")


def schedule(profile: LoadProfile, *, seed: int, length: float, trace: Sequence[TraceRow] = ()) -> tuple[Arrival, ...]:
    """Every arrival due before `length` seconds, by the microsecond; a function of its arguments alone.

    Arrival times and the two lengths are drawn from separate streams, so changing one does not move the others.
    Raises ValueError when a trace profile is given no rows.
    """
    if profile.arrivals == "trace":
        return _from_trace(profile, length, trace)
    prompts = _lengths(profile.prompt_tokens, profile.spread, Random(f"{seed}/prompt"))
    answers = _lengths(profile.answer_tokens, profile.spread, Random(f"{seed}/answer"))
    dues = _constant(profile.rate, length) if profile.arrivals == "constant" else _poisson(profile.rate, length, seed)
    return tuple(
        Arrival(due=round(due, 6), prompt_tokens=prompt, answer_tokens=answer)
        for due, prompt, answer in zip(dues, prompts, answers, strict=False)
    )


def _constant(rate: float, length: float) -> Iterator[float]:
    # i / rate, not a running sum: rounding must not add up over an hour.
    return (i / rate for i in range(math.ceil(length * rate)) if i / rate < length)


def _poisson(rate: float, length: float, seed: int) -> Iterator[float]:
    random = Random(f"{seed}/arrivals")
    due = random.expovariate(rate)
    while due < length:
        yield due
        due += random.expovariate(rate)


def _lengths(median: int, spread: float, random: Random) -> Iterator[int]:
    centre = math.log(median)
    while True:
        yield max(1, round(random.lognormvariate(centre, spread)))


def _from_trace(profile: LoadProfile, length: float, trace: Sequence[TraceRow]) -> tuple[Arrival, ...]:
    if not trace:
        raise ValueError(f"profile {profile.name} replays a trace, but no rows were given")
    scaled = ((row, row.offset / profile.speed) for row in trace)
    return tuple(
        Arrival(due=round(due, 6), prompt_tokens=max(1, row.prompt_tokens), answer_tokens=max(1, row.answer_tokens))
        for row, due in scaled
        if due < length
    )


def describe(profile: LoadProfile) -> str:
    """The profile as one sentence."""
    return (
        f"{profile.name}: {_arrivals(profile)}, at most {profile.max_in_flight} in flight, "
        f"each given up after {profile.timeout:g}s, model {profile.model}."
    )


def _arrivals(profile: LoadProfile) -> str:
    if profile.arrivals == "trace":
        start = f" from its second {profile.trace_start:g}" if profile.trace_start else ""
        return f"replays {profile.trace}{start} at {profile.speed:g} times its speed"
    process = "evenly spaced" if profile.arrivals == "constant" else "Poisson"
    return (
        f"{process} arrivals at {profile.rate:g}/s with prompts of about {profile.prompt_tokens} and answers of about "
        f"{profile.answer_tokens} tokens (lognormal, sigma {profile.spread:g})"
    )
