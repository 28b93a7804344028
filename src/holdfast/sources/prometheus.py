"""Prometheus as the second witness: counts per SLO and phase, the report's series, and what expectations ask for.

A count that is absent, NaN or infinite is None here, never zero; so is a sample that is NaN.
"""

from __future__ import annotations

import ast
import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from holdfast.model.slo import Events
from holdfast.model.timeline import Answer, Counted, Metrics, Sampled, Series

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.clock import Anchor
    from holdfast.model.scenario import Phase, Scenario
    from holdfast.model.slo import Slo

TIMEOUT: Final = 10
INTERVAL: Final = 1.0
CHUNK: Final = 10_000
"""Intervals asked for at once: Prometheus refuses more than 11,000 points of a series."""

RAW: Final = {
    "up": 'up{job=~"gateway|engine"}',
    "engine_running": "vllm:num_requests_running",
    "engine_waiting": "vllm:num_requests_waiting",
    "engine_ready": "gateway_engine_ready",
}
"""Series kept sample by sample, as scraped: gaps stay gaps."""


class RefusedError(ValueError):
    """Prometheus would not evaluate an expression; the message is its own."""


def _no_ranges(promql: str, start: float, end: float) -> list[dict[str, Any]]:  # noqa: ARG001 - what is not there
    raise RefusedError("this source answers for single moments only")


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One server; each function gives the `result` list of the HTTP API.

    `query(promql, unix_seconds)` asks for one moment, `query_range(promql, start, end)` for every INTERVAL from `start`
    to `end` inclusive.
    """

    query: Callable[[str, float], list[dict[str, Any]]]
    query_range: Callable[[str, float, float], list[dict[str, Any]]] = _no_ranges
    tenant: str = ""
    """Whose requests an SLO's counts are to hold: the harness's clients are no witness of what others sent."""

    def take(self, scenario: Scenario, anchor: Anchor) -> Metrics:
        """Everything a judgement of this run needs; trouble is named, not raised."""
        asked = dict.fromkeys(wanted for one in scenario.expect for wanted in one.queries)
        try:
            counted = tuple(
                self._count(slo, phase, anchor) for slo in scenario.slos() for phase in scenario.phases if phase.judged
            )
            series = tuple(one for name, metric in RAW.items() for one in self._raw(name, metric, scenario, anchor))
        except Exception as error:  # noqa: BLE001 - as above
            trouble = f"Prometheus did not answer: {_short(error)}"
            unasked = tuple(Answer(query=query, phase=phase, trouble=trouble) for query, phase in asked)
            return Metrics(answers=unasked, interval=INTERVAL, trouble=trouble)
        answers = tuple(self._answer(query, scenario.phase(phase), anchor) for query, phase in asked)
        return Metrics(counted=counted, series=series, answers=answers, interval=INTERVAL)

    def _answer(self, promql: str, phase: Phase, anchor: Anchor) -> Answer:
        """The expression at every interval of a phase, but not at its start, whose samples are of the phase before.

        What one expression lacks is its own trouble: it spoils no other answer.
        """
        try:
            found = [one for start, end in _spans(phase) for one in self._range(promql, start, end, anchor)]
        except RefusedError as error:
            return Answer(query=promql, phase=phase.name, trouble=f"Prometheus refused it: {error}")
        except Exception as error:  # noqa: BLE001 - as above
            return Answer(query=promql, phase=phase.name, trouble=f"Prometheus did not answer: {_short(error)}")
        return Answer(query=promql, phase=phase.name, series=tuple(found))

    def _range(self, promql: str, start: float, end: float, anchor: Anchor) -> list[Sampled]:
        found = self.query_range(promql, anchor.to_wall(start), anchor.to_wall(end))
        return [Sampled(labels=dict(one["metric"]), points=_samples(one["values"], anchor)) for one in found]

    def _count(self, slo: Slo, phase: Phase, anchor: Anchor) -> Counted:
        window, at = _window(phase.length), anchor.to_wall(phase.end)
        if not isinstance(slo.indicator, Events):
            # A ratio tells of no numbers: there is nothing to hold beside the clients' count.
            return Counted(slo=slo.id, phase=phase.name, total=None, bad=None)
        queries = slo.indicator.total_query, slo.indicator.error_query
        values = [self._number(self._own(query.replace("{{.window}}", window)), at) for query in queries]
        total, bad = (None if value is None else value * phase.length for value in values)
        return Counted(slo=slo.id, phase=phase.name, total=total, bad=bad)

    def _own(self, promql: str) -> str:
        from holdfast.slo.promql import of_tenant  # noqa: PLC0415 - the parser, where it is needed

        return of_tenant(promql, self.tenant) if self.tenant else promql

    def _number(self, promql: str, at: float) -> float | None:
        result = self.query(promql, at)
        if len(result) != 1:
            return None
        value = float(result[0]["value"][1])
        return value if math.isfinite(value) else None

    def _raw(self, name: str, metric: str, scenario: Scenario, anchor: Anchor) -> list[Series]:
        seconds = math.ceil(scenario.length) + 1
        found = self.query(f"{metric}[{seconds}s]", anchor.to_wall(scenario.length + 1))
        return [Series(name=name, labels=one["metric"], points=_points(one["values"], anchor)) for one in found]


def connect(url: str, tenant: str = "") -> Prometheus:
    """A client of the server at `url`, which counts for one tenant where it is named; no request is made yet."""
    from prometheus_api_client import PrometheusApiClientException, PrometheusConnect  # noqa: PLC0415 - a second, once

    client = PrometheusConnect(url=url, timeout=TIMEOUT)

    def query(promql: str, at: float) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client.custom_query(promql, params={"time": f"{at:.3f}"})
        return found

    def query_range(promql: str, start: float, end: float) -> list[dict[str, Any]]:
        # The client would round both to whole seconds; `params` goes to the server as it is.
        exact = {"start": f"{start:.3f}", "end": f"{end:.3f}"}
        first, last = (datetime.fromtimestamp(at, UTC) for at in (start, end))
        try:
            found: list[dict[str, Any]] = client.custom_query_range(promql, first, last, f"{INTERVAL:g}", exact)
        except PrometheusApiClientException as error:
            raise RefusedError(_its_words(str(error))) from error
        return found

    return Prometheus(query, query_range, tenant)


def _its_words(text: str) -> str:
    """What Prometheus said, out of "HTTP Status Code 400 (b'{"error": ...}')"; or all of it."""
    body = re.search(r"\((b['\"].*)\)$", text, re.DOTALL)
    try:
        said = str(json.loads(ast.literal_eval(body[1]))["error"]) if body else text
    except (ValueError, SyntaxError, KeyError, TypeError):
        said = text
    return _cut(" ".join(said.split()))


def _spans(phase: Phase) -> list[tuple[float, float]]:
    """(first, last) moment of each request that together ask for every interval of a phase."""
    steps = max(1, math.floor(phase.length / INTERVAL + 1e-6))
    firsts = range(1, steps + 1, CHUNK)
    return [
        (phase.start + first * INTERVAL, phase.start + min(first + CHUNK - 1, steps) * INTERVAL) for first in firsts
    ]


def _samples(values: list[Any], anchor: Anchor) -> tuple[tuple[float, float | None], ...]:
    pairs = ((round(anchor.from_wall(float(at)), 3), float(value)) for at, value in values)
    return tuple((t, None if math.isnan(value) else value) for t, value in pairs)


def _window(seconds: float) -> str:
    """A range of PromQL, which knows no fractions: a phase that was ended early takes any number of milliseconds."""
    milliseconds = round(seconds * 1000)
    return f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"


def _points(values: list[Any], anchor: Anchor) -> tuple[tuple[float, float], ...]:
    pairs = ((round(anchor.from_wall(float(at)), 3), float(value)) for at, value in values)
    return tuple((t, value) for t, value in pairs if math.isfinite(value))


def _short(error: Exception) -> str:
    return _cut(f"{type(error).__name__}: {error}")


def _cut(text: str) -> str:
    return text if len(text) <= 160 else text[:157] + "..."  # noqa: PLR2004 - fits a terminal line or two
