"""Does a Prometheus keep samples long enough and take them often enough for what the rules of an SLO ask?"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from holdfast.slo.counts import window_of
from holdfast.slo.lint.place import Place
from holdfast.slo.lint.query import uses
from holdfast.slo.lint.remark import Remark
from holdfast.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from holdfast.model.slo import Slo
    from holdfast.slo.lint.metricsfile import Catalog
    from holdfast.slo.lint.remark import Severity

_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_PART: Final = re.compile(r"(\d+)(ms|[smhdwy])")
_FEWEST: Final = 2
_ENOUGH: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """How a server is set, in seconds; None where it does not say. `scrape` is by the label `job`."""

    source: str
    retention: float | None = None
    evaluation: float | None = None
    scrape: Mapping[str, float] = field(default_factory=dict)


def seconds(text: str) -> float | None:
    """A duration as Prometheus prints it ("15d", "1m30s", "1y"); None for anything else, as a size in bytes is."""
    parts = _PART.findall(text)
    whole = "".join(number + unit for number, unit in parts)
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts and whole == text.strip() else None


def server(source: str, runtime: Mapping[str, Any], settings: Mapping[str, Any], targets: Sequence[Any]) -> Server:
    """Out of /api/v1/status/runtimeinfo, the parsed text of /api/v1/status/config, and the active targets."""
    every: dict[str, float] = {}
    for one in targets:
        interval = seconds(str(one.get("scrapeInterval", "")))
        job = str(one.get("labels", {}).get("job", ""))
        if interval:
            every[job] = max(interval, every.get(job, 0.0))
    limits = map(seconds, str(runtime.get("storageRetention", "")).split(" or "))
    told = settings.get("global") or {}
    return Server(
        source=source,
        retention=next((one for one in limits if one), None),
        evaluation=seconds(str(told.get("evaluation_interval", ""))),
        scrape=every,
    )


def of_server(slo: Slo, asked: Server, catalog: Catalog, queries: Sequence[str]) -> Iterator[Remark]:
    """What the server's settings spoil for one SLO."""

    def remark(code: str, severity: Severity, what: str, hint: str) -> Remark:
        place = Place(where=slo.where)
        return Remark(code=code, severity=severity, what=f"{slo.id}: {asked.source} {what}", hint=hint, place=place)

    if asked.retention is not None and asked.retention < slo.period:
        kept, period = show_duration(asked.retention), show_duration(slo.period)
        hint = "set --storage.tsdb.retention.time to more than the period, or ask the store behind it"
        what = f"keeps samples for {kept}, and the period is {period}: older errors are forgiven"
        yield remark("retention", "error", what, hint)
    window = window_of(slo)
    if asked.evaluation is not None and asked.evaluation > window / _FEWEST:
        what = f"evaluates rules every {show_duration(asked.evaluation)}, and a record holds {show_duration(window)}"
        severity: Severity = "error" if asked.evaluation > window else "warning"
        hint = f"evaluation_interval: {show_duration(window / 10)}"
        yield remark("evaluation-interval", severity, what, hint)
    for job in sorted(_jobs(catalog, queries) & asked.scrape.keys()):
        every = asked.scrape[job]
        if every > window / _ENOUGH:
            what = f"scrapes {job} every {show_duration(every)}, and a record holds {show_duration(window)}"
            severity = "error" if every > window / _FEWEST else "warning"
            yield remark("scrape-interval", severity, what, f"scrape_interval: {show_duration(window / 10)}")


def _jobs(catalog: Catalog, queries: Sequence[str]) -> set[str]:
    names = {use.name for query in queries for use in uses(query)}
    return {job for name in names & catalog.metrics.keys() for job in catalog.metrics[name].values("job")}
