"""GuideLLM's benchmarks.json: one summary a rate or stream count that it tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdfast.definitions.base import E2E, GOODPUT, ITL, REQUESTS, TOKENS, TPOT, TTFT, VISIBLE, Goodput, Rates
from holdfast.definitions.foreign.document import Imported, said
from holdfast.definitions.spread import Spread
from holdfast.definitions.summary import Summary
from holdfast.definitions.tools.guidellm import TOOL

if TYPE_CHECKING:
    from holdfast.definitions.foreign.document import Document, Path

_KEYS: Final = {
    TTFT: ("time_to_first_token_ms", 1000),
    VISIBLE: ("time_to_first_output_token_ms", 1000),
    TPOT: ("time_per_output_token_ms", 1000),
    ITL: ("inter_token_latency_ms", 1000),
    E2E: ("request_latency", 1),
}
_NOTES: Final = (
    "failed requests are in no percentile",
    "its tpot has the first token's wait in it, and is no other tool's tpot",
    "its itl is a mean a request: a single long gap is not in it",
)


class GuideLlmFile:
    """Keys as in GuideLLM 0.8: `GenerativeBenchmarksReport`, and `GenerativeMetrics` inside each benchmark."""

    def knows(self, document: Document) -> bool:
        """A list of benchmarks whose metrics are broken down by status."""
        return document.at("benchmarks", 0, "metrics", "request_latency", "successful") is not None

    def read(self, document: Document) -> tuple[Imported, ...]:
        """One run for each benchmark in the file."""
        return tuple(_one(document, ("benchmarks", index)) for index in range(len(document.at("benchmarks"))))


def _one(document: Document, path: Path) -> Imported:
    metrics: Path = (*path, "metrics")
    counted = document.count(*metrics, "request_totals", "successful", needed=True) or 0
    failed = document.count(*metrics, "request_totals", "errored", needed=True) or 0
    rows = {row: _spread(document, (*metrics, key, "successful"), unit) for row, (key, unit) in _KEYS.items()}
    rows = {row: one for row, one in rows.items() if one is not None}
    goodput = _goodput(document, metrics)
    have = {**rows, REQUESTS: 1, TOKENS: 1} | ({} if goodput is None else {GOODPUT: 1})
    summary = Summary(
        tool="guidellm",
        title=f"{TOOL.title} {_label(document, path)}".strip(),
        says=said(TOOL.says, have),
        requests=counted + failed,
        counted=counted,
        failed=failed,
        seconds=document.number(*path, "duration"),
        rows={row: one for row, one in rows.items() if one is not None},
        rates=Rates(
            requests=document.number(*metrics, "requests_per_second", "successful", "mean"),
            tokens=document.number(*metrics, "output_tokens_per_second", "successful", "mean"),
        ),
        goodput=goodput,
    )
    return Imported(summary=summary, exact=False, notes=_NOTES)


def _spread(document: Document, path: Path, unit: float) -> Spread | None:
    if not isinstance(document.at(*path), dict):
        return None
    count = document.count(*path, "count") or 0
    if not count:
        # It prints zeros for what it never measured.
        return Spread(n=0)
    places: dict[str, Path] = {"mean": ("mean",), "least": ("min",), "most": ("max",)}
    places |= {name: ("percentiles", name) for name in ("p50", "p90", "p95", "p99")}
    values = {name: document.number(*path, *place, needed=True) for name, place in places.items()}
    return Spread(n=count, **{name: None if value is None else value / unit for name, value in values.items()})


def _goodput(document: Document, metrics: Path) -> Goodput | None:
    share = document.number(*metrics, "slo_attainment")
    of = document.count(*metrics, "slo_determined_requests")
    if share is None or of is None:
        return None
    per_second = document.number(*metrics, "request_goodput", "successful", "mean")
    return Goodput(good=round(share * of), of=of, per_second=per_second)


def _label(document: Document, path: Path) -> str:
    strategy = document.at(*path, "config", "strategy")
    if not isinstance(strategy, dict):
        return ""
    size = next((strategy[key] for key in ("rate", "streams", "max_concurrency") if strategy.get(key)), "")
    return f"{strategy.get('type_', '')} {size}".strip()


READER = GuideLlmFile()
