"""AIPerf's profile_export_aiperf.json, a summary, and profile_export.jsonl, a line a request."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from holdfast.definitions.base import E2E, GOODPUT, ITL, REQUESTS, TOKENS, TPOT, TTFT, VISIBLE, Goodput, Rates, over
from holdfast.definitions.foreign.document import Imported, said
from holdfast.definitions.spread import Spread, spread
from holdfast.definitions.summary import Summary
from holdfast.definitions.tools.aiperf import ADJUSTED, CHUNKS, TOOL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.definitions.foreign.document import Document, Path

_TAGS: Final = {
    TTFT: "time_to_first_token",
    VISIBLE: "time_to_first_output_token",
    ITL: "inter_token_latency",
    CHUNKS: "inter_chunk_latency",
    E2E: "request_latency",
    ADJUSTED[TTFT]: "adj_time_to_first_token",
    ADJUSTED[ITL]: "adj_inter_token_latency",
    ADJUSTED[E2E]: "adj_request_latency",
}
_SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0}
_NANO: Final = 1e-9
_NOTES: Final = (
    "failed requests are only in the adjusted rows, whose infinite percentiles its JSON leaves out",
    "e2e ends with the last content, not with the connection",
    "its itl is a mean a request: a single long gap is in inter-chunk",
)


class AiPerfFile:
    """Keys as in AIPerf 0.13: `JsonExportData`, and `MetricRecordInfo` for lines."""

    def knows(self, document: Document) -> bool:
        """Metrics with units under AIPerf's own tags."""
        if document.lines or isinstance(document.value, list):
            return isinstance(document.at(0, "metrics"), dict) and document.at(0, "metadata") is not None
        return document.at("request_latency", "unit") is not None

    def read(self, document: Document) -> tuple[Imported, ...]:
        """One run a file."""
        if document.lines or isinstance(document.value, list):
            return (_lines(document),)
        return (_summary(document),)


def _summary(document: Document) -> Imported:
    rows = {row: _printed(document, (tag,)) for row, tag in _TAGS.items()}
    rows = {row: one for row, one in rows.items() if one is not None}
    if ITL in rows:
        rows[TPOT] = rows[ITL]
    counted = document.count("request_count", "avg", needed=True) or 0
    failed = document.count("error_request_count", "avg") or 0
    good, rate = document.count("good_request_count", "avg"), document.number("goodput", "avg")
    requests, tokens = document.number("request_throughput", "avg"), document.number("output_token_throughput", "avg")
    have = {**rows, REQUESTS: 1, TOKENS: 1} | ({} if good is None else {GOODPUT: 1})
    duration = document.number("benchmark_duration", "avg")
    summary = Summary(
        tool="aiperf",
        title=TOOL.title,
        says=said(TOOL.says, have),
        requests=counted + failed,
        counted=counted,
        failed=failed,
        seconds=None if duration is None else duration * _unit(document, ("benchmark_duration",)),
        rows={row: one for row, one in rows.items() if one is not None},
        rates=Rates(requests=requests, tokens=tokens),
        goodput=None if good is None else Goodput(good=good, of=counted + failed, per_second=rate),
    )
    return Imported(summary=summary, exact=False, notes=_NOTES)


def _printed(document: Document, path: Path) -> Spread | None:
    if not isinstance(document.at(*path), dict):
        return None
    unit = _unit(document, path)
    names = {"mean": "avg", "p50": "p50", "p90": "p90", "p95": "p95", "p99": "p99", "least": "min", "most": "max"}
    values = {name: document.number(*path, key) for name, key in names.items()}
    count = document.count(*path, "count")
    scaled = {name: None if value is None else value * unit for name, value in values.items()}
    return Spread(n=count or 0, **scaled)


def _unit(document: Document, path: Path) -> float:
    unit = document.at(*path, "unit")
    if not isinstance(unit, str) or unit not in _SECONDS:
        document.trouble((*path, "unit"), f"is no unit of time: {unit!r}")
        return math.nan
    return _SECONDS[unit]


def _lines(document: Document) -> Imported:
    records = [index for index, one in enumerate(document.value) if _profiled(one)]
    good = [index for index in records if not document.at(index, "error")]
    rows = {row: _spread(document, good, tag) for row, tag in _TAGS.items() if not tag.startswith("adj_")}
    rows = {row: one for row, one in rows.items() if one.n}
    if ITL in rows:
        rows[TPOT] = rows[ITL]
    seconds = _window(document, good)
    tokens = sum(document.number(index, "metrics", "output_sequence_length", "value") or 0 for index in good)
    summary = Summary(
        tool="aiperf",
        title=TOOL.title,
        says=said(TOOL.says, {**rows, REQUESTS: 1, TOKENS: 1}),
        requests=len(records),
        counted=len(good),
        failed=len(records) - len(good),
        seconds=seconds,
        rows=rows,
        rates=Rates(requests=over(len(good), seconds), tokens=over(tokens, seconds)),
        goodput=None,
    )
    return Imported(summary=summary, exact=True, notes=_NOTES)


def _profiled(record: Any) -> bool:
    """Not of the warm-up."""
    metadata = record.get("metadata") if isinstance(record, dict) else None
    phase = metadata.get("benchmark_phase", "profiling") if isinstance(metadata, dict) else "profiling"
    return bool(phase == "profiling")


def _window(document: Document, good: Sequence[int]) -> float | None:
    """From the first start to the last content, as `benchmark_duration` is."""
    ends = []
    for index in good:
        start = document.number(index, "metadata", "request_start_ns", needed=True)
        latency = document.number(index, "metrics", "request_latency", "value")
        if start is not None and latency is not None:
            ends.append(
                (start * _NANO, start * _NANO + latency * _unit(document, (index, "metrics", "request_latency")))
            )
    seconds = max(end for _, end in ends) - min(start for start, _ in ends) if ends else 0.0
    return seconds if seconds > 0 else None


def _spread(document: Document, records: Sequence[int], tag: str) -> Spread:
    values: list[float] = []
    for index in records:
        path: Path = (index, "metrics", tag)
        if document.at(*path) is None:
            continue
        unit, value = _unit(document, path), document.at(*path, "value")
        found = document.numbers(*path, "value") if isinstance(value, list) else [document.number(*path, "value")]
        values += [one * unit for one in found or () if one is not None]
    values = [value for value in values if not math.isnan(value)]
    return spread(values, [1.0] * len(values), TOOL.quantile)


READER = AiPerfFile()
