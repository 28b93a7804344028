"""Does what a query asks for exist: its metric, its labels and their values, its bucket; and is it read as its type?"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from holdfast.slo.lint import place as lint_place
from holdfast.slo.lint.place import Place
from holdfast.slo.lint.remark import Remark
from holdfast.spec.source import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from holdfast.errors import Location
    from holdfast.slo.lint.metricsfile import Catalog, Labels, Metric
    from holdfast.slo.lint.query import Use
    from holdfast.slo.lint.remark import Severity
    from holdfast.slo.promql import Matcher

Role = Literal["errors", "total", "ratio", "value"]

_ADDED: Final = {"job", "instance"}
"""Labels that scraping adds: a page of metrics cannot have them."""
_POSITIVE: Final = ("=", "=~")
_WORDS: Final = re.compile(r"[\w./: -]+(?:\|[\w./: -]+)*")
_PRESENCE: Final = {"absent", "absent_over_time", "present_over_time", "count_over_time", "count", "group", "timestamp"}
_RATES: Final = {"rate", "increase", "irate", "resets", "changes", "last_over_time", *_PRESENCE}
_QUANTILES: Final = {"histogram_quantile", "quantile", "quantile_over_time"}
_HISTOGRAMS: Final = {"histogram_quantile", "histogram_fraction"}
_MOST_GROUPS: Final = 50
_SHOWN: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One use of one query of the SLO at `where`; `recorded` are the names that rules make."""

    use: Use
    role: Role
    query: str
    where: Location
    catalog: Catalog
    recorded: frozenset[str] = frozenset()

    def remark(self, code: str, severity: Severity, what: str, hint: str, *within: str) -> Remark:
        """A remark at the first of the patterns, or at the metric."""
        place = Place(where=self.where, query=self.query, within=(*within, lint_place.metric(self.use.name)))
        return Remark(code=code, severity=severity, what=what, hint=hint, place=place)

    @property
    def worst(self) -> Severity:
        """Errors may not have happened yet, and are zero then; a total that finds nothing is a mistake."""
        return "warning" if self.role == "errors" else "error"


def of_series(asked: Asked) -> Iterator[Remark]:
    """Everything that the catalog says against one use of a metric."""
    name, catalog = asked.use.name, asked.catalog
    if not name or name in asked.recorded:
        return
    known = catalog.metrics.get(name)
    if known is None:
        native = f"{name}_count" in catalog.names and any(one.startswith("histogram_") for one in asked.use.inside)
        yield _classic(asked) if native else asked.remark("no-metric", "error", *_unknown(name, catalog))
        return
    labelled = list(_of_labels(asked, known))
    yield from labelled
    if not labelled and not any(_fits(one, asked) for one in known.series):
        what = f"no series of {name} satisfies all matchers together"
        yield asked.remark("no-series", asked.worst, what, "each of them alone finds some")
    yield from _of_type(asked, known)
    yield from _of_groups(asked, known)


def edges(metric: Metric) -> Mapping[float, str]:
    """The upper edges of a histogram's buckets, each as it is written; smallest first."""
    found = {number: text for text in metric.values("le") if (number := _number(text)) is not None}
    return dict(sorted(found.items()))


def chosen_edges(one: Matcher, metric: Metric | None) -> tuple[float, ...]:
    """The edges that a matcher on `le` asks for: the one it writes, else those of the metric that it accepts."""
    if (number := _edge(one)) is not None:
        return (number,)
    return tuple(edge for edge, text in edges(metric).items() if _accepts(one, text)) if metric else ()


def _edge(one: Matcher) -> float | None:
    return _number(one.value.removesuffix("(\\.0)?").removesuffix("(\\.0+)?"))


def _classic(asked: Asked) -> Remark:
    """A native histogram that is there as a classic one: a page of metrics shows no other, a server has no other."""
    name, source = asked.use.name, asked.catalog.source
    if not asked.catalog.scraped:
        what = f"{source} has {name} with buckets of its own; whether it is a native histogram as well, no text says"
        return asked.remark("native-histogram", "info", what, "ask a server: --prometheus URL")
    what = f"{source} has {name} as a classic histogram only"
    hint = "scrape_native_histograms: true in its scrape configuration, or count its buckets"
    return asked.remark("native-histogram", "error", what, hint)


def _unknown(name: str, catalog: Catalog) -> tuple[str, str]:
    """What is said of a metric without series, and a hint."""
    if name in catalog.names:
        return f"{catalog.source} knew {name}, but has had no series of it for a day", "is what exports it gone?"
    return f"{catalog.source} has no metric {name}", _close(name, catalog.names)


def _close(name: str, names: frozenset[str]) -> str:
    hint = did_you_mean(name, names)
    if not hint.startswith("known:"):
        return hint
    first = re.split(r"[_:]", name, maxsplit=1)[0]
    inside = sorted(one for one in names if name in one or one.startswith(first))
    return f"there is {', '.join(inside[:_SHOWN])}" if inside else "nothing has a name like it"


def _of_labels(asked: Asked, known: Metric) -> Iterator[Remark]:
    for one in asked.use.matchers:
        if one.label == "__name__" or (one.label in _ADDED and not asked.catalog.scraped):
            continue
        positive = one.op in _POSITIVE and not _accepts(one, "")
        if one.label not in known.labels:
            yield from _no_label(asked, known, one, positive=positive)
        elif one.label == "le" and positive:
            yield from _of_edge(asked, known, one)
        elif positive:
            yield from _of_values(asked, known, one)


def _no_label(asked: Asked, known: Metric, one: Matcher, *, positive: bool) -> Iterator[Remark]:
    if _accepts(one, "") and one.value in {"", ".*"}:
        return
    hint = did_you_mean(one.label, known.labels) or f"its series have no labels, as {asked.catalog.source} shows them"
    excludes = "" if positive else ", so this excludes nothing"
    severity: Severity = "error" if positive and asked.catalog.scraped else "warning"
    what = f"{known.name} never had a label {one.label!r}{excludes}"
    yield asked.remark("no-label", severity, what, hint, lint_place.matcher(one))


def _of_values(asked: Asked, known: Metric, one: Matcher) -> Iterator[Remark]:
    seen = known.values(one.label)
    wanted = one.value.split("|") if one.op == "=~" and _WORDS.fullmatch(one.value) else [one.value]
    if not any(_accepts(one, value) for value in seen):
        hint = did_you_mean(wanted[0], seen)
        what = f"{known.name} never had {one.label}{one.op}{one.value!r}"
        yield asked.remark("no-value", asked.worst, what, hint, lint_place.matcher(one))
        return
    for value in wanted if len(wanted) > 1 else []:
        if not any(re.fullmatch(value, other) for other in seen):
            what = f"{known.name} never had {one.label}={value!r}"
            yield asked.remark("no-value", "warning", what, did_you_mean(value, seen), lint_place.matcher(one))


def _of_edge(asked: Asked, known: Metric, one: Matcher) -> Iterator[Remark]:
    there, text = edges(known), lint_place.matcher(one)
    wanted = _edge(one)
    if any(_accepts(one, value) for value in there.values()):
        if one.op == "=" and not asked.catalog.scraped and one.value.isdigit():
            what = f"Prometheus 3 writes this edge as {one.value}.0, and will not find it"
            hint = f'le=~"{one.value}(\\\\.0)?" finds both'
            yield asked.remark("edge-spelling", "warning", what, hint, text)
    elif wanted is not None and wanted in there:
        what = f"the edge is written le={there[wanted]!r}, so {one.label}{one.op}{one.value!r} finds nothing"
        yield asked.remark("edge-spelling", "error", what, f'le=~"{wanted:g}(\\\\.0)?" finds it however written', text)
    else:
        what = f"{known.name} has no edge at {one.value}, so nothing is counted under it"
        yield asked.remark("not-an-edge", "error", what, _nearest(wanted, there), text)


def _nearest(wanted: float | None, there: Mapping[float, str]) -> str:
    finite = [edge for edge in there if math.isfinite(edge)]
    if wanted is None:
        return f"edges: {', '.join(there[edge] for edge in finite)}"
    below, above = [e for e in finite if e < wanted][-1:], [e for e in finite if e > wanted][:1]
    return f"nearest edges: {' and '.join(there[edge] for edge in (*below, *above)) or 'none but +Inf'}"


def _of_type(asked: Asked, known: Metric) -> Iterator[Remark]:
    use, name = asked.use, known.name
    if known.kind == "counter" and use.over not in _RATES and not use.inside & _PRESENCE:
        how = f"{use.over}()" if use.over else "without rate()"
        hint = f"rate({name}[{{{{.window}}}}])"
        yield asked.remark("counter-without-rate", "error", f"{name} is a counter, and is read {how}", hint)
    if known.kind == "gauge" and use.over in {"rate", "increase", "irate"}:
        what = f"{name} is a gauge, and {use.over}() is for counters"
        yield asked.remark("rate-of-gauge", "error", what, "use avg_over_time(), or the counter behind it")
    if use.over == "irate":
        hint = "rate() sees all of the window"
        yield asked.remark("irate", "warning", "irate() sees only the last two samples", hint, lint_place.word("irate"))
    if known.kind == "summary" or use.inside & _QUANTILES:
        said = next(iter(use.inside & _QUANTILES), "quantile")
        what = f"{name} is a summary: its quantiles add up to nothing"
        if known.kind != "summary":
            what = f"{said}() interpolates between edges: its value jumps by a bucket where nothing changed"
        hint = "count the events under a bound: total - bucket{le=...}"
        yield asked.remark("quantile", "warning", what, hint, lint_place.word(said))
    chosen = "le" in use.by or any(one.label == "le" for one in use.matchers)
    if "le" in known.labels and not chosen and not use.inside & _HISTOGRAMS:
        hint = 'choose one with le="...", or read _count for all events'
        yield asked.remark("every-bucket", "error", f"all buckets of {name} are added up", hint)


def _of_groups(asked: Asked, known: Metric) -> Iterator[Remark]:
    by = asked.use.by & known.labels - {"le"}
    found = {tuple(pair for pair in one if pair[0] in by) for one in known.series if _fits(one, asked)}
    if by and len(found) > _MOST_GROUPS:
        what = f"by ({', '.join(sorted(by))}) makes {len(found)} SLOs of one"
        hint = f"each has some 20 rules of its own; keep it under {_MOST_GROUPS}, or leave a label out"
        yield asked.remark("cardinality", "warning", what, hint, lint_place.word("by"))


def _fits(series: Labels, asked: Asked) -> bool:
    labels = dict(series)
    checkable = [one for one in asked.use.matchers if asked.catalog.scraped or one.label not in _ADDED]
    return all(_accepts(one, labels.get(one.label, "")) for one in checkable if one.label != "__name__")


def _accepts(one: Matcher, value: str) -> bool:
    if one.op in {"=", "!="}:
        return (value == one.value) is (one.op == "=")
    try:
        found = re.fullmatch(one.value, value, re.DOTALL) is not None
    except re.error:  # RE2 knows a few things that Python does not: what cannot be checked is not complained about
        return True
    return found is (one.op == "=~")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
