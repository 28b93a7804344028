"""Summaries for people and machines: one line a figure and tool, with what the figure is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Protocol

from holdfast.definitions.base import GOODPUT, REQUESTS, ROWS, TOKENS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.definitions.base import Goodput
    from holdfast.definitions.spread import Spread
    from holdfast.definitions.summary import Summary

SCHEMA: Final = "holdfast/load-report/v1"
UNKNOWN: Final = "unknown"
HEAD: Final = ("figure", "tool", "n", "mean", "p50", "p90", "p95", "p99", "what it is")
COUNTED: Final = frozenset({"tokens per read"})
"""Rows that are no seconds."""


def rows(summaries: Sequence[Summary]) -> list[list[str]]:
    """The table under HEAD: what most tools have first, the tools side by side below each figure."""
    own = dict.fromkeys(row for one in summaries for row in one.says if row not in ROWS)
    figures = [*ROWS, *own]
    return [_line(figure, one) for figure in figures for one in summaries if figure in one.says]


def _line(figure: str, summary: Summary) -> list[str]:
    says = summary.says[figure]
    if figure in summary.rows:
        there = summary.rows[figure]
        values = (there.mean, there.p50, there.p90, there.p95, there.p99)
        shown = [_count(value) if figure in COUNTED else milliseconds(value) for value in values]
        return [figure, summary.title, str(there.n), *shown, says]
    counted = UNKNOWN if summary.counted is None else str(summary.counted)
    return [figure, summary.title, counted, _rate(summary, figure), "", "", "", "", says]


def _rate(summary: Summary, figure: str) -> str:
    if figure == REQUESTS:
        return _count(summary.rates.requests, "/s")
    if figure == TOKENS:
        return _count(summary.rates.tokens, "/s")
    return goodput(summary.goodput)


def goodput(found: Goodput | None) -> str:
    """How many are good, as a share and a rate where there are such."""
    if found is None:
        return "no bounds"
    share = "" if found.of is None else f" of {found.of}"
    rate = "" if found.per_second is None else f", {_count(found.per_second, '/s')}"
    return f"{found.good}{share}{rate}"


def milliseconds(value: float | None) -> str:
    """Seconds as milliseconds with four digits."""
    if value is None or math.isnan(value):
        return UNKNOWN
    return "inf" if math.isinf(value) else f"{value * 1000:.4g} ms" if value < 1 else f"{value * 1000:.0f} ms"


def _count(value: float | None, unit: str = "") -> str:
    if value is None or math.isnan(value):
        return UNKNOWN
    return "inf" if math.isinf(value) else f"{value:.4g}{unit}"


class Reported(Protocol):
    """What `load report` found; `loadtest.exchange.Reported` has it."""

    @property
    def run(self) -> str:
        """The run's name."""

    @property
    def outcomes(self) -> Mapping[str, int]:
        """How many requests ended how."""

    @property
    def summaries(self) -> Sequence[Summary]:
        """Tool by tool."""

    @property
    def trouble(self) -> str:
        """Why there is none of them."""

    @property
    def left_out(self) -> Mapping[str, int]:
        """Phase that is not judged -> requests due in it."""


def to_dict(found: Reported) -> dict[str, Any]:
    """For machines: seconds, null for what is unknown, "+Inf" for what never came."""
    return {
        "schema": SCHEMA,
        "run": found.run,
        "outcomes": dict(found.outcomes),
        "left_out": dict(found.left_out),
        "trouble": found.trouble or None,
        "tools": {one.tool: summary_as_dict(one) for one in found.summaries},
    }


def summary_as_dict(summary: Summary) -> dict[str, Any]:
    """One tool's words on one run."""
    return {
        "tool": summary.tool,
        "title": summary.title,
        "requests": summary.requests,
        "counted": summary.counted,
        "failed": summary.failed,
        "seconds": summary.seconds,
        "figures": {name: {"is": summary.says[name], **spread_as_dict(one)} for name, one in summary.rows.items()},
        REQUESTS: {"is": summary.says.get(REQUESTS), "value": summary.rates.requests},
        TOKENS: {"is": summary.says.get(TOKENS), "value": summary.rates.tokens},
        GOODPUT: {"is": summary.says.get(GOODPUT), **_goodput(summary.goodput)},
    }


def _goodput(found: Goodput | None) -> dict[str, Any]:
    if found is None:
        return {"good": None, "of": None, "share": None, "per_second": None}
    return {"good": found.good, "of": found.of, "share": found.share, "per_second": found.per_second}


def spread_as_dict(spread: Spread) -> dict[str, Any]:
    """Its numbers; JSON has no infinite ones, so those are texts."""
    names = ("mean", "p50", "p90", "p95", "p99", "least", "most")
    return {"n": spread.n, **{name: _number(getattr(spread, name)) for name in names}}


def _number(value: float | None) -> float | str | None:
    if value is None or math.isnan(value):
        return None
    return ("+Inf" if value > 0 else "-Inf") if math.isinf(value) else value
