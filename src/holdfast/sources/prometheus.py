"""Prometheus as the second witness: counts per SLO and phase, and the series that the report draws.

A number that is absent, NaN or infinite is None here, never zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from holdfast.model.timeline import Counted, Metrics, Series

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.clock import Anchor
    from holdfast.model.scenario import Phase, Scenario
    from holdfast.model.slo import Slo

TIMEOUT: Final = 10
INTERVAL: Final = 1.0

RAW: Final = {
    "up": 'up{job=~"gateway|engine"}',
    "engine_running": "vllm:num_requests_running",
    "engine_waiting": "vllm:num_requests_waiting",
    "engine_ready": "gateway_engine_ready",
}
"""Series kept sample by sample, as scraped: gaps stay gaps."""


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One server; `query(promql, unix_seconds)` gives the `result` list of the HTTP API."""

    query: Callable[[str, float], list[dict[str, Any]]]

    def take(self, scenario: Scenario, anchor: Anchor) -> Metrics:
        """Everything a judgement of this run needs; trouble is named, not raised."""
        try:
            counted = tuple(
                self._count(slo, phase, anchor) for slo in scenario.slos() for phase in scenario.phases if phase.judged
            )
            series = tuple(one for name, metric in RAW.items() for one in self._raw(name, metric, scenario, anchor))
        except Exception as error:  # noqa: BLE001 - requests, the client and JSON each raise a family of their own
            return Metrics(interval=INTERVAL, trouble=f"Prometheus did not answer: {_short(error)}")
        return Metrics(counted=counted, series=series, interval=INTERVAL)

    def _count(self, slo: Slo, phase: Phase, anchor: Anchor) -> Counted:
        window, at = f"{phase.length:g}s", anchor.to_wall(phase.end)
        values = [
            self._number(query.replace("{{.window}}", window), at) for query in (slo.total_query, slo.error_query)
        ]
        total, bad = (None if value is None else value * phase.length for value in values)
        return Counted(slo=slo.id, phase=phase.name, total=total, bad=bad)

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


def connect(url: str) -> Prometheus:
    """A client of the server at `url`; no request is made yet."""
    from prometheus_api_client import PrometheusConnect  # noqa: PLC0415 - a second of import, once a run

    client = PrometheusConnect(url=url, timeout=TIMEOUT)
    return Prometheus(lambda promql, at: client.custom_query(promql, params={"time": f"{at:.3f}"}))


def _points(values: list[Any], anchor: Anchor) -> tuple[tuple[float, float], ...]:
    pairs = ((round(anchor.from_wall(float(at)), 3), float(value)) for at, value in values)
    return tuple((t, value) for t, value in pairs if math.isfinite(value))


def _short(error: Exception) -> str:
    text = f"{type(error).__name__}: {error}"
    return text if len(text) <= 160 else text[:157] + "..."  # noqa: PLR2004 - fits a terminal line or two
