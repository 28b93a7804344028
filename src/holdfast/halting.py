"""Whether a run is to be broken off: how fast each watched budget is being spent, by what clients saw last.

A safety stop, not a judgement. It looks at answers as they end, so it favours the fast ones; that is why no verdict
ever rests on it. Where nothing ends at all it cannot see, and not seeing is a reason to stop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from holdfast.model.scenario import Halt
    from holdfast.model.slo import ClientSli

FEWEST: Final = 5
"""Requests that must have ended before a rate is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """How fast one budget is spent, in multiples of what its objective allows; None when too few requests ended."""

    slo: str
    rate: float | None
    limit: float
    over: float
    ended: int

    @property
    def reached(self) -> bool:
        """Whether it is too fast."""
        return self.rate is not None and not self.rate < self.limit

    def __str__(self) -> str:
        """For a person."""
        if self.rate is None:
            return f"{self.slo}: {self.ended} requests ended in {show_duration(self.over)}"
        return f"{self.slo} burns its budget {self.rate:.3g} times too fast (limit {self.limit:g})"


def burns(ended: Iterable[Mapping[str, Any]], halts: Sequence[Halt], now: float) -> tuple[Burn, ...]:
    """The rates at second `now`, from lines of requests as the load generator writes them, dropped ones left out."""
    lines = [line for line in ended if line["outcome"] != "dropped" and line["done"] is not None]
    return tuple(_burn(lines, one, now) for one in halts)


def why_halt(seen: Sequence[Burn], since: float, now: float) -> str:
    """Why the run is to stop at second `now`, or empty; load is offered since second `since`.

    A rate that is not known is no reason before its window is full of offered load.
    """
    for one in seen:
        if one.reached:
            return str(one)
        if one.rate is None and now - since > 2 * one.over:
            return f"nothing is known of {one}"
    return ""


def _burn(lines: Sequence[Mapping[str, Any]], halt: Halt, now: float) -> Burn:
    recent = [line for line in lines if now - halt.over < line["done"] <= now]
    rate = None
    if len(recent) >= FEWEST:
        bad = sum(_bad(line, halt.slo.sli, halt.slo.bound) for line in recent)
        rate = bad / len(recent) / halt.slo.budget
    return Burn(slo=halt.slo.id, rate=rate, limit=halt.burn, over=halt.over, ended=len(recent))


def _bad(line: Mapping[str, Any], sli: ClientSli | None, bound: float | None) -> bool:
    """As `expect.base.bad_requests`, for one line."""
    if sli == "availability":
        return bool(line["outcome"] != "ok")
    reached = line["first"] if sli == "ttft" else line["done"] if line["outcome"] == "ok" else None
    return reached is None or bound is None or not reached - line["due"] <= bound
