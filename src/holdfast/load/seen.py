"""From one exchange to its record: every time in microseconds from the run's second 0, every event with its tokens."""

from __future__ import annotations

from operator import sub
from typing import TYPE_CHECKING, Any, Final

from holdfast.load.outcome import outcome_of
from holdfast.load.record import RequestRecord
from holdfast.load.spread import spread

if TYPE_CHECKING:
    from holdfast.load.endpoint import Wanted
    from holdfast.load.sse import Answer
    from holdfast.load.transport import Exchange
    from holdfast.model.load import Arrival

_MICRO: Final = 1_000_000


def asked(number: int, arrival: Arrival, model: str) -> dict[str, Any]:
    """What is known of a request before it is sent, by column."""
    return {
        "id": number,
        "due": arrival.due,
        "prompt_tokens": arrival.prompt_tokens,
        "asked_tokens": arrival.answer_tokens,
        "model": model,
        "tenant": arrival.tenant,
        "session": arrival.session,
    }


def seen(
    exchange: Exchange, answer: Answer, known: dict[str, Any], *, epoch: float, wanted: Wanted = "stream"
) -> RequestRecord:
    """What became of a request of which `known` was asked; `epoch` is the run's second 0, by time.monotonic()."""
    outcome, error = outcome_of(exchange, answer, wanted)
    if outcome == "dropped":
        return RequestRecord(outcome=outcome, error=error, **known)
    counts, counted = spread(answer)
    usage, times = answer.usage or {}, answer.token_times
    events = len(times)
    if not times and outcome == "ok":
        # An answer without a body, to who wanted no more than an answer, was there with its headers.
        times = [exchange.ended if exchange.headers is None else exchange.headers]
    sent = _micros(exchange.sent - epoch)
    zero = epoch + sent
    return RequestRecord(
        **known | {"prompt_tokens": usage.get("prompt_tokens", known["prompt_tokens"])},
        sent=sent,
        written=_since(exchange.written, epoch),
        headers=_since(exchange.headers, epoch),
        first=_since(times[0], epoch) if times else None,
        last=_since(times[-1], epoch) if times else None,
        done=_since(exchange.ended if answer.done is None else answer.done, epoch),
        ended=_since(exchange.ended, epoch),
        status=exchange.status,
        outcome=outcome,
        error=error,
        finish=answer.finish_reason or "",
        tokens=usage.get("completion_tokens", events if counts is None else sum(counts)),
        cached_tokens=usage.get("cached_tokens"),
        counted=counted,
        max_gap=longest_gap(times),
        at=[round((time - zero) * _MICRO) for time in answer.times],
        kinds=answer.kinds,
        counts=counts,
    )


def longest_gap(times: list[float]) -> float | None:
    """The longest wait between one time and the next, to the microsecond; None with fewer than two."""
    longest = max(map(sub, times[1:], times), default=None)
    return None if longest is None else _micros(longest)


def _since(instant: float | None, epoch: float) -> float | None:
    return None if instant is None else round((instant - epoch) * _MICRO) / _MICRO


def _micros(seconds: float) -> float:
    # round(seconds, 6) says the same and takes five times as long: eight of them were half the cost of a record.
    return round(seconds * _MICRO) / _MICRO
