"""A run as one tool would have summed it up: the spread of each of its rows, its rates, its goodput."""

from __future__ import annotations

from array import array
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from holdfast.definitions.base import GOODPUT, REQUESTS, TOKENS, Bounds, Goodput, Rates
from holdfast.definitions.spread import Spread, spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from holdfast.definitions.base import Sample, Tool
    from holdfast.model.stream import Stream

NO_BOUNDS = Bounds()
_RATES = frozenset({REQUESTS, TOKENS, GOODPUT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What one tool would have printed. Seconds; a row that no request had a value for has a spread of nothing."""

    tool: str
    title: str
    says: Mapping[str, str]
    requests: int | None
    """Requests that the tool knows of; None where a result file does not say."""
    counted: int | None
    failed: int | None
    seconds: float | None
    rows: Mapping[str, Spread]
    rates: Rates
    goodput: Goodput | None


def summarize(name: str, tool: Tool, streams: Iterable[Stream], bounds: Bounds = NO_BOUNDS) -> Summary:
    """All streams of a run in one tool's words. Exact over the record, never from another summary."""
    (found,) = summarize_all({name: tool}, streams, bounds)
    return found


def summarize_all(tools: Mapping[str, Tool], streams: Iterable[Stream], bounds: Bounds) -> tuple[Summary, ...]:
    """The same for several tools, reading the streams once and keeping none of them."""
    gathered = {name: _Gathered(judged=bounds.asked()) for name in tools}
    for stream in streams:
        for name, tool in tools.items():
            one = tool.sample(stream)
            if one is not None:
                gathered[name].take(one)
    return tuple(_summary(name, tool, gathered[name], bounds) for name, tool in tools.items())


@dataclass(slots=True, kw_only=True)
class _Gathered:
    """One tool's samples. Values lie in arrays by row: a run has millions, and a float in an array is 8 bytes."""

    judged: bool
    samples: list[Sample] = field(default_factory=list)
    values: dict[str, array[float]] = field(default_factory=lambda: defaultdict(_doubles))
    weights: dict[str, array[float]] = field(default_factory=lambda: defaultdict(_doubles))

    def take(self, one: Sample) -> None:
        for row, values in one.times.items():
            self.values[row].extend(values)
            self.weights[row].extend([one.weights.get(row, 1.0)] * len(values))
        # Only goodput asks for a request's own values, and only where there is one.
        kept = {row: values for row, values in one.times.items() if len(values) == 1} if self.judged else {}
        self.samples.append(replace(one, times=kept))


def _doubles() -> array[float]:
    return array("d")


def _summary(name: str, tool: Tool, gathered: _Gathered, bounds: Bounds) -> Summary:
    samples = gathered.samples
    failed = sum(one.failed for one in samples)
    return Summary(
        tool=name,
        title=tool.title,
        says=tool.says,
        requests=len(samples),
        counted=len(samples) - failed,
        failed=failed,
        seconds=tool.seconds(samples),
        rows={
            row: spread(gathered.values[row], gathered.weights[row], tool.quantile)
            for row in tool.says
            if row not in _RATES
        },
        rates=tool.rates(samples),
        goodput=tool.goodput(samples, bounds),
    )
