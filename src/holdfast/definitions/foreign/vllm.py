"""Results of `vllm bench serve --save-result`; with `--save-detailed` every request is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdfast.definitions.base import E2E, GOODPUT, ITL, REQUESTS, TOKENS, TPOT, TTFT, Goodput, Rates
from holdfast.definitions.foreign.document import Imported, said
from holdfast.definitions.spread import Spread, spread
from holdfast.definitions.summary import Summary
from holdfast.definitions.tools.vllm import TOOL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.definitions.foreign.document import Document, Path

_KEYS: Final = {TTFT: "ttft", TPOT: "tpot", ITL: "itl", E2E: "e2el"}
_MS: Final = 1000


class VllmFile:
    """Keys as in vLLM 0.32: `benchmark()` and `main_async()` of `vllm/benchmarks/serve.py`."""

    def knows(self, document: Document) -> bool:
        """It alone has both of these."""
        first: Path = (0,) if isinstance(document.value, list) else ()
        return all(document.at(*first, key) is not None for key in ("request_throughput", "completed"))

    def read(self, document: Document) -> tuple[Imported, ...]:
        """One run a file, or a line with `--append-result`."""
        if isinstance(document.value, list):
            return tuple(_one(document, (index,)) for index in range(len(document.value)))
        return (_one(document, ()),)


def _one(document: Document, path: Path) -> Imported:
    counted, failed = document.count(*path, "completed", needed=True), document.count(*path, "failed")
    seconds, rate = document.number(*path, "duration", needed=True), document.number(*path, "request_goodput")
    printed = {row: _printed(document, (*path, key), counted or 0) for row, key in _KEYS.items()}
    detailed = _detailed(document, path, counted)
    rows = {row: one for row, one in {**printed, **detailed}.items() if one is not None}
    summary = Summary(
        tool="vllm",
        title=TOOL.title,
        says=said(TOOL.says, {**rows, REQUESTS: 1, TOKENS: 1} | ({} if rate is None else {GOODPUT: 1})),
        requests=None if counted is None or failed is None else counted + failed,
        counted=counted,
        failed=failed,
        seconds=seconds,
        rows=rows,
        rates=Rates(
            requests=document.number(*path, "request_throughput"),
            tokens=document.number(*path, "output_throughput"),
        ),
        goodput=None if rate is None else Goodput(good=round(rate * (seconds or 0)), of=None, per_second=rate),
    )
    return Imported(summary=summary, exact=bool(detailed), notes=_notes(summary, exact=bool(detailed)))


def _printed(document: Document, path: Path, counted: int) -> Spread | None:
    """What the summary has; a percentile that was not asked for is not there."""
    names = {"mean": "mean", "p50": "median", "p90": "p90", "p95": "p95", "p99": "p99"}
    *above, key = path
    values = {name: document.number(*above, f"{said_as}_{key}_ms") for name, said_as in names.items()}
    if all(value is None for value in values.values()):
        return None
    return Spread(n=counted, **{name: None if value is None else value / _MS for name, value in values.items()})


def _detailed(document: Document, path: Path, counted: int | None) -> dict[str, Spread]:
    """The same from its requests, those without an error; nothing when they are not there, or not whole."""
    ttfts, lengths = document.numbers(*path, "ttfts"), document.numbers(*path, "output_lens")
    gaps, errors = document.at(*path, "itls"), document.at(*path, "errors")
    if ttfts is None or lengths is None:
        return {}
    if not all(isinstance(one, list) and len(one) == len(ttfts) for one in (lengths, gaps, errors)):
        return {}
    good = [index for index, error in enumerate(errors) if not error and ttfts[index] > 0]
    if len(good) != counted:
        return {}
    between = {index: document.numbers(*path, "itls", index) or [] for index in good}
    whole = {index: ttfts[index] + sum(between[index]) for index in good}
    apart = [sum(between[index]) / (lengths[index] - 1) for index in good if lengths[index] > 1]
    return {
        TTFT: _spread([ttfts[index] for index in good]),
        TPOT: _spread(apart),
        ITL: _spread([gap for index in good for gap in between[index]]),
        E2E: _spread([whole[index] for index in good]),
    }


def _spread(values: Sequence[float]) -> Spread:
    return spread(values, [1.0] * len(values), TOOL.quantile)


def _notes(summary: Summary, *, exact: bool) -> tuple[str, ...]:
    notes = ["failed requests are in no percentile", "its ttft may be that of an event without text"]
    if not exact and any(one.p90 is None for one in summary.rows.values()):
        notes.append("only the percentiles that --metric-percentiles asked for are there; --save-detailed keeps all")
    if summary.failed is None:
        notes.append("it does not say how many failed")
    return tuple(notes)


READER = VllmFile()
