"""What a platform exports: names of metrics, their types, and the labels of their series; from a text or a server."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from holdfast.errors import Location, Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from prometheus_client.metrics_core import Metric as Family

Kind = Literal["counter", "gauge", "histogram", "summary", "unknown"]
Labels = tuple[tuple[str, str], ...]

_KINDS: Final[dict[str, Kind]] = {
    "counter": "counter",
    "gauge": "gauge",
    "histogram": "histogram",
    "gaugehistogram": "gauge",
    "summary": "summary",
    "info": "gauge",
    "stateset": "gauge",
}
_PARTS: Final = ("_bucket", "_count", "_sum")
_OPENMETRICS_END: Final = "# EOF"
_COUNTERS: Final = re.compile(r"^#\s*TYPE\s+(\S+)\s+counter", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One name as queries say it, so a histogram's buckets are a counter of their own."""

    name: str
    kind: Kind
    series: tuple[Labels, ...] = ()

    @property
    def labels(self) -> frozenset[str]:
        """Every label that some series has."""
        return frozenset(label for one in self.series for label, _ in one)

    def values(self, label: str) -> frozenset[str]:
        """Every value that a label has on some series."""
        return frozenset(value for one in self.series for name, value in one if name == label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Everything that was seen. `names` also has those whose series were not asked for.

    `scraped` says that a server was asked: its series carry the labels that scraping adds, such as `job`.
    """

    source: str
    metrics: Mapping[str, Metric]
    names: frozenset[str]
    scraped: bool = False


def read_metrics(text: str, file: str) -> Catalog:
    """A page of metrics, in Prometheus' text format or OpenMetrics. Raises SpecError for a line that is neither.

    So also for a page without a single sample: it is no evidence that anything is absent.
    """
    try:
        families = list(_families(text))
    except (ValueError, IndexError, KeyError) as error:
        raise SpecError((_unreadable(text, file, error),)) from error
    bare = frozenset() if _is_openmetrics(text) else frozenset(_COUNTERS.findall(text))
    types: dict[str, str] = {}
    series: dict[str, list[Labels]] = {}
    for family in families:
        types[family.name] = family.type
        for sample in family.samples:
            name = _as_written(sample.name, family, bare)
            types |= {name: family.type} if family.type in {"counter", "gauge"} else {}
            series.setdefault(name, []).append(tuple(sorted(sample.labels.items())))
    if not series:
        hint = "save what the service answers on /metrics"
        raise SpecError((Problem(where=Location(file=file), what="there is no sample in it", hint=hint),))
    return _catalog(file, series, types)


def from_server(
    source: str, names: Iterable[str], found: Sequence[Mapping[str, str]], metadata: Mapping[str, Any]
) -> Catalog:
    """What a Prometheus answered: all names, the series asked for, and /api/v1/metadata."""
    types = {name: str(said[0].get("type", "unknown")) for name, said in metadata.items() if said}
    series: dict[str, list[Labels]] = {}
    for one in found:
        labels = {name: value for name, value in one.items() if name != "__name__"}
        series.setdefault(one.get("__name__", ""), []).append(tuple(sorted(labels.items())))
    return _catalog(source, series, types, names=frozenset(names), scraped=True)


def merged(catalogs: Sequence[Catalog]) -> Catalog:
    """Several pages as one, as if one server scraped them all."""
    metrics: dict[str, Metric] = {}
    for one in (metric for catalog in catalogs for metric in catalog.metrics.values()):
        before = metrics.get(one.name, one)
        kind = before.kind if before.kind != "unknown" else one.kind
        both = before.series if before is one else (*before.series, *one.series)
        metrics[one.name] = Metric(name=one.name, kind=kind, series=both)
    return Catalog(
        source=", ".join(one.source for one in catalogs),
        metrics=metrics,
        names=frozenset(metrics).union(*(one.names for one in catalogs)),
        scraped=any(one.scraped for one in catalogs),
    )


def _catalog(
    source: str,
    series: Mapping[str, list[Labels]],
    types: Mapping[str, str],
    *,
    names: frozenset[str] = frozenset(),
    scraped: bool = False,
) -> Catalog:
    metrics = {
        name: Metric(name=name, kind=_kind(name, types), series=tuple(found)) for name, found in sorted(series.items())
    }
    return Catalog(source=source, metrics=metrics, names=names | metrics.keys(), scraped=scraped)


def _kind(name: str, types: Mapping[str, str]) -> Kind:
    """What one name is: the type that was announced for it or its family, else what its ending promises."""
    for part in _PARTS:
        if name.endswith(part) and types.get(name.removesuffix(part)) in {"histogram", "summary"}:
            return "counter"
    said = types.get(name) or types.get(name.removesuffix("_total"), "")
    if said in _KINDS:
        return _KINDS[said]
    return "counter" if name.endswith(("_total", "_bucket")) else "unknown"


def _as_written(name: str, family: Family, bare: frozenset[str]) -> str:
    """The parser gives `_total` to every counter, but one that was announced without it has none on the server."""
    return family.name if name == f"{family.name}_total" and family.name in bare and name not in bare else name


def _is_openmetrics(text: str) -> bool:
    return text.rstrip().endswith(_OPENMETRICS_END)


def _families(text: str) -> Iterable[Family]:
    if _is_openmetrics(text):
        from prometheus_client.openmetrics.parser import (  # noqa: PLC0415 - imported where it is needed
            text_string_to_metric_families as openmetrics,
        )

        return cast("Iterable[Family]", openmetrics(text.rstrip() + "\n"))  # type: ignore[no-untyped-call]
    from prometheus_client.parser import text_string_to_metric_families as plain  # noqa: PLC0415

    return plain(text)


def _unreadable(text: str, file: str, error: Exception) -> Problem:
    """The first line that cannot be read alone: the parser does not say which it was."""
    from prometheus_client.parser import text_string_to_metric_families as plain  # noqa: PLC0415

    what, hint = f"not a page of metrics: {error}", "save what the service answers on /metrics"
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            list(plain(line + "\n"))
        except (ValueError, IndexError, KeyError) as wrong:
            where = Location(file=file, line=number, column=1)
            return Problem(
                where=where, what=f"not a metric: {wrong}", source=line, width=len(line.rstrip()) or 1, hint=hint
            )
    return Problem(where=Location(file=file), what=what, hint=hint)
