"""inference-perf's summary_ and stage_N_lifecycle_metrics.json, and per_request_lifecycle_metrics.json."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from holdfast.definitions.base import E2E, GOODPUT, ITL, REQUESTS, TOKENS, TPOT, TTFT, Goodput, Rates, over, row
from holdfast.definitions.foreign.document import Imported, said
from holdfast.definitions.spread import Spread, spread
from holdfast.definitions.summary import Summary
from holdfast.definitions.tools.inference_perf import NORMALIZED, TOOL

if TYPE_CHECKING:
    from holdfast.definitions.foreign.document import Document

_KEYS: Final = {
    TTFT: "time_to_first_token",
    TPOT: "time_per_output_token",
    ITL: "inter_token_latency",
    NORMALIZED: "normalized_time_per_output_token",
    E2E: "request_latency",
}
_NOTES: Final = (
    "failed requests are in no percentile, and goodput is a share of the successful ones",
    "answers of one token, of reasoning or of tool calls have no ttft in it",
)
_CHUNKS: Final = "its itl here is from chunk to chunk: only its own tokenizer knows the tokens inside one"


class InferencePerfFile:
    """Keys as in inference-perf 0.7: `ResponsesSummary`, and `build_per_request_lifecycle_entry` for requests."""

    def knows(self, document: Document) -> bool:
        """A summary of successes and failures, or a list of requests with their info."""
        if isinstance(document.value, list):
            return document.at(0, "start_time") is not None and document.at(0, "info") is not None
        return document.at("successes", "latency") is not None

    def read(self, document: Document) -> tuple[Imported, ...]:
        """One run a file."""
        return (_requests(document) if isinstance(document.value, list) else _summary(document),)


def _summary(document: Document) -> Imported:
    counted = document.count("successes", "count", needed=True) or 0
    failed = document.count("failures", "count", needed=True) or 0
    rows = {name: _printed(document, key, counted) for name, key in _KEYS.items()}
    goodput = _goodput(document)
    have = {**{name: one for name, one in rows.items() if one is not None}, REQUESTS: 1, TOKENS: 1}
    summary = Summary(
        tool="inference_perf",
        title=TOOL.title,
        says=said(TOOL.says, have | ({} if goodput is None else {GOODPUT: 1})),
        requests=counted + failed,
        counted=counted,
        failed=failed,
        seconds=document.number("benchmark_time_seconds"),
        rows={name: one for name, one in rows.items() if one is not None},
        rates=Rates(
            requests=document.number("successes", "throughput", "requests_per_sec"),
            tokens=document.number("successes", "throughput", "output_tokens_per_sec"),
        ),
        goodput=goodput,
    )
    return Imported(summary=summary, exact=False, notes=_NOTES)


def _printed(document: Document, key: str, counted: int) -> Spread | None:
    if not isinstance(document.at("successes", "latency", key), dict):
        return None
    names = {"mean": "mean", "p50": "median", "p90": "p90", "p95": "p95", "p99": "p99", "least": "min", "most": "max"}
    values = {name: document.number("successes", "latency", key, said_as) for name, said_as in names.items()}
    return Spread(n=counted, **values)


def _goodput(document: Document) -> Goodput | None:
    good = document.count("successes", "goodput_metrics", "good_requests")
    of = document.count("successes", "goodput_metrics", "total_requests")
    if good is None or of is None:
        return None
    rate = document.number("successes", "goodput_metrics", "request_goodput")
    return Goodput(good=good, of=of, per_second=rate)


def _requests(document: Document) -> Imported:
    everything = range(len(document.value))
    good = [index for index in everything if not document.at(index, "error")]
    told = [_request(document, index) for index in good]
    values = {name: [value for one in told for value in one.get(name, ())] for name in _KEYS}
    rows = {name: spread(there, [1.0] * len(there), TOOL.quantile) for name, there in values.items() if there}
    starts = [document.number(index, "start_time", needed=True) for index in everything]
    ends = [document.number(index, "end_time", needed=True) for index in everything]
    length = max(one or 0.0 for one in ends) - min(one or 0.0 for one in starts)
    seconds = length if length > 0 else None
    tokens = sum(_tokens(document, index) for index in good)
    summary = Summary(
        tool="inference_perf",
        title=TOOL.title,
        says=said(TOOL.says, {**rows, REQUESTS: 1, TOKENS: 1}),
        requests=len(everything),
        counted=len(good),
        failed=len(everything) - len(good),
        seconds=seconds,
        rows=rows,
        rates=Rates(requests=over(len(good), seconds), tokens=over(tokens, seconds)),
        goodput=None,
    )
    corrected = all(document.at(index, "computed_metrics") is not None for index in good)
    return Imported(summary=summary, exact=True, notes=_NOTES if corrected else (*_NOTES, _CHUNKS))


def _tokens(document: Document, index: int) -> float:
    return document.number(index, "info", "response_metrics", "output_tokens") or 0.0


def _request(document: Document, index: int) -> dict[str, tuple[float, ...]]:
    """The request's values: those that it computed itself, else from its stamps."""
    computed = "computed_metrics"
    if document.at(index, computed) is not None:
        each = {name: document.number(index, computed, key) for name, key in _KEYS.items() if name != ITL}
        gaps = document.numbers(index, computed, "inter_token_latencies") or []
        return {name: values for name, one in each.items() for values in row(name, one).values()} | row(ITL, *gaps)
    start = document.number(index, "start_time", needed=True) or 0.0
    whole = (document.number(index, "end_time", needed=True) or 0.0) - start
    stamps = document.numbers(index, "info", "response_metrics", "output_token_times") or []
    tokens = _tokens(document, index)
    found = row(E2E, whole) | row(NORMALIZED, whole / tokens if tokens else 0.0)
    if len(stamps) <= 1:
        return found
    apart = (stamps[-1] - stamps[0]) / (tokens - 1) if tokens > 1 else None
    gaps = [later - earlier for earlier, later in pairwise(stamps)]
    return found | row(TTFT, stamps[0] - start) | row(TPOT, apart) | row(ITL, *gaps)


READER = InferencePerfFile()
