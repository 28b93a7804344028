"""A run as llm-d's benchmark report 0.2.1, which its analysis reads beside those of every other load generator.

Keys, units and which of them are needed: `br_v0_2_1_json_schema.json` of llm-d-benchmark. Its latencies are of answers
that came, failures a number beside them; what is unknown or infinite is left out, for a report has numbers alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from holdfast.definitions.base import E2E, ITL, TPOT, TTFT
from holdfast.definitions.spread import Spread, linear, spread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.definitions.summary import Summary

VERSION: Final = "0.2.1"
_LATENCY: Final = (
    (TTFT, "time_to_first_token", "s"),
    (TPOT, "time_per_output_token", "s/token"),
    (ITL, "inter_token_latency", "s/token"),
    ("ntpot", "normalized_time_per_output_token", "s/token"),
    (E2E, "request_latency", "s"),
)
_STATISTICS: Final = {"min": "least", "p50": "p50", "p90": "p90", "p95": "p95", "p99": "p99", "max": "most"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a report says besides latencies. Times are ISO 8601 texts; lengths are tokens, of requests that count."""

    uid: str
    description: str
    start: str
    end: str
    seconds: float
    tool_version: str
    config: Mapping[str, Any]
    """The load as it was asked for."""
    rate: float | None
    """Requests offered per second."""
    total: int
    prompts: Sequence[int]
    answers: Sequence[int]


def benchmark_report(facts: Facts, summary: Summary) -> dict[str, Any]:
    """The report as plain values, without any null."""
    return _kept(
        {
            "version": VERSION,
            "run": {
                "uid": facts.uid,
                "description": facts.description,
                "time": {"start": facts.start, "end": facts.end, "duration": f"PT{facts.seconds:.6f}S"},
            },
            "scenario": {"load": _load(facts, summary)},
            "results": {
                "request_performance": {
                    "aggregate": {
                        "requests": _requests(facts, summary),
                        "latency": _latency(summary),
                        "throughput": _throughput(facts, summary),
                    }
                }
            },
        }
    )


def _load(facts: Facts, summary: Summary) -> dict[str, Any]:
    return {
        "metadata": {"schema_version": "0.0.1", "description": facts.description},
        "standardized": {
            "tool": "holdfast",
            "tool_version": facts.tool_version,
            "source": "unknown",
            "input_seq_len": {"distribution": "other", "value": _average(facts.prompts) or 0},
            "output_seq_len": _length(facts.answers),
            "rate_qps": facts.rate,
        },
        "native": {
            "config": {
                **facts.config,
                "definitions": {"of": summary.title, **summary.says},
            }
        },
    }


def _length(tokens: Sequence[int]) -> dict[str, Any] | None:
    return {"distribution": "other", "value": _average(tokens)} if tokens else None


def _average(tokens: Sequence[int]) -> float | None:
    return math.fsum(tokens) / len(tokens) if tokens else None


def _requests(facts: Facts, summary: Summary) -> dict[str, Any]:
    counted = summary.counted or 0
    return {
        "total": facts.total,
        "failures": facts.total - counted,
        "input_length": _counts(facts.prompts),
        "output_length": _counts(facts.answers),
    }


def _counts(tokens: Sequence[int]) -> dict[str, Any] | None:
    values = [float(number) for number in tokens]
    return _statistics(spread(values, [1.0] * len(values), lambda there, _, share: linear(there, share)), "count")


def _latency(summary: Summary) -> dict[str, Any]:
    return {key: _statistics(summary.rows[row], unit) for row, key, unit in _LATENCY if row in summary.rows}


def _throughput(facts: Facts, summary: Summary) -> dict[str, Any]:
    seconds, output = summary.seconds, summary.rates.tokens
    prompt = None if not seconds or not facts.prompts else math.fsum(facts.prompts) / seconds
    both = None if output is None or prompt is None else output + prompt
    return {
        "output_token_rate": _rate(output, "tokens/s"),
        "input_token_rate": _rate(prompt, "tokens/s"),
        "total_token_rate": _rate(both, "tokens/s"),
        "request_rate": _rate(summary.rates.requests, "queries/s"),
    }


def _rate(value: float | None, units: str) -> dict[str, Any] | None:
    return None if value is None else {"units": units, "mean": value}


def _statistics(found: Spread, units: str) -> dict[str, Any] | None:
    """A report's statistics need a mean: with one value infinite there is none, and nothing is said."""
    if found.mean is None or not math.isfinite(found.mean):
        return None
    values = {key: getattr(found, name) for key, name in _STATISTICS.items()}
    return {"units": units, "mean": found.mean, **{key: one for key, one in values.items() if one is not None}}


def _kept(values: dict[str, Any]) -> dict[str, Any]:
    """Without nulls and without what is empty because of that."""
    kept = {key: _kept(one) if isinstance(one, dict) else one for key, one in values.items() if one is not None}
    return {key: one for key, one in kept.items() if one != {}}
