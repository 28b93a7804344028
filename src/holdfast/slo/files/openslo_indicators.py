"""OpenSLO's indicators in PromQL: good, bad and all events; a ratio made elsewhere; a value against a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdfast.model.slo import ErrorRatio, Events, Threshold
from holdfast.slo.files.queries import at_one_time, normal, same, windowed
from holdfast.spec.source import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.model.slo import Indicator
    from holdfast.slo.files.openslo_place import Place
    from holdfast.slo.files.openslo_shapes import Metric, Objective, Ratio, SliSpec

_QUERY: Final = "query"
_PROMETHEUS: Final = "prometheus"
ALL_GOOD: Final = "the good query is the total query"
ALL_GOOD_HINT: Final = "then nothing could ever be bad"


def not_good(good: str, total: str) -> str:
    """Bad events from good ones. Where nothing good was ever seen there is no series of it, and then all are bad."""
    return f"({total})\n- (({good}) or ({total}) * 0)"


def check(sli: SliSpec, place: Place) -> None:
    """Tell what is wrong with the queries of an SLI; `place` is that of its spec."""
    if sli.threshold is not None:
        _query(sli.threshold, place.below("thresholdMetric"), at_one_time)
    if sli.ratio is not None:
        _ratio(sli.ratio, place.below("ratioMetric"))


def indicator_of(sli: SliSpec, place: Place, objective: Objective, here: Place) -> Indicator | None:
    """The indicator of one objective, which stands `here`; None and a problem where there can be none."""
    if sli.ratio is not None:
        for key, value in (("op", objective.op), ("value", objective.value)):
            if value is not None:
                here.below(key).tell(f"{key} belongs to a thresholdMetric", "leave it out", code="slo/objective")
        return _ratio(sli.ratio, place.below("ratioMetric"))
    assert sli.threshold is not None  # noqa: S101 - the shape allows nothing else
    query = _query(sli.threshold, place.below("thresholdMetric"), at_one_time)
    if objective.op is None or objective.value is None:
        here.tell("a thresholdMetric needs op and value", "op: lte and value: 0.3", code="slo/objective")
        return None
    return Threshold(query=query, op=objective.op, value=objective.value) if query else None


def _ratio(ratio: Ratio, place: Place) -> Indicator | None:
    found = {
        name: _query(metric, place.below(name), windowed, counter=ratio.counter)
        for name in ("good", "bad", "total", "raw")
        if (metric := getattr(ratio, name)) is not None
    }
    queries = {name: query for name, query in found.items() if query is not None}
    if len(queries) < len(found):
        return None
    if "raw" in queries:
        raw = queries["raw"]
        return ErrorRatio(query=raw if ratio.raw_type == "failure" else f"1 - ({raw})")
    total = queries["total"]
    if "good" in queries and same(queries["good"], total):
        place.tell(ALL_GOOD, ALL_GOOD_HINT, code="slo/same-query")
        return None
    bad = queries["bad"] if "bad" in queries else not_good(queries["good"], total)
    return Events(error_query=bad, total_query=total)


def _query(metric: Metric, place: Place, reader: Callable[[str], str], *, counter: bool | None = None) -> str | None:
    """The PromQL of a metric in one spelling."""
    here = place.below("metricSource")
    if not _is_prometheus(metric, here):
        return None
    for key in metric.source.spec:
        if key != _QUERY:
            hint = did_you_mean(key, [_QUERY])
            here.below("spec", key).tell(f"unknown key {key!r}", hint, code="slo/unknown-key")
    text = metric.source.spec.get(_QUERY)
    spot = here.below("spec", _QUERY)
    if not isinstance(text, str):
        spot.tell("a Prometheus source needs its query as text", "query: sum(...)", code="slo/promql")
        return None
    if counter and "{{" not in text and reader is windowed and "[" not in text:
        hint = f"sum(rate({text.strip()}[{{{{.window}}}}]))" if text.isidentifier() else "sum(rate(NAME[{{.window}}]))"
        spot.tell("a counter says nothing without a range", hint, code="slo/window")
        return None
    read = spot.check(reader, text)
    return normal(read) if read is not None else None


def _is_prometheus(metric: Metric, here: Place) -> bool:
    kind = metric.source.type
    if metric.source.ref is not None and (not kind or any(of == "DataSource" for of, _ in here.kinds)):
        other = here.below("metricSourceRef").refer("DataSource", metric.source.ref)
        if other is None:
            return False
        if kind and kind != other[0].type:
            what = f"the source {metric.source.ref} is of type {other[0].type}, not {kind}"
            here.below("type").tell(what, code="slo/contradiction")
        kind = other[0].type
    if kind.lower() == _PROMETHEUS:
        return True
    what = f"only Prometheus can be asked, not {kind}" if kind else "the source's type is missing"
    here.below("type").tell(what, "type: Prometheus, and spec: {query: ...}", code="slo/source")
    return False
