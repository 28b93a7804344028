"""Does an SLO fit together: its two queries, its bound, its alerts, its exclusions?"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from holdfast.model.slo import DAY, Events
from holdfast.slo.calendar import excluded
from holdfast.slo.horizon import AHEAD
from holdfast.slo.lint import place as lint_place
from holdfast.slo.lint.place import Place
from holdfast.slo.lint.query import fractions, grouping, uses
from holdfast.slo.lint.remark import Remark
from holdfast.slo.lint.series import chosen_edges
from holdfast.slo.tiers import is_dead, tiers_of
from holdfast.units import show_duration, show_ratio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.model.slo import Exclusion, Slo
    from holdfast.slo.lint.metricsfile import Catalog
    from holdfast.slo.lint.query import Use
    from holdfast.slo.lint.remark import Severity

_SOON: Final = 31 * DAY


def of_slo(slo: Slo, catalog: Catalog, now: float) -> Iterator[Remark]:
    """What is wrong with an SLO whatever the server has; `now` in Unix seconds."""
    yield from _of_bound(slo, catalog)
    yield from _of_fractions(slo)
    yield from _of_pair(slo)
    yield from _of_alerts(slo)
    for one in slo.exclusions:
        yield from _of_exclusion(slo, one, now)


def _remark(slo: Slo, code: str, severity: Severity, what: str, hint: str, *within: str, query: str = "") -> Remark:
    place = Place(where=slo.where, query=query, within=within)
    return Remark(code=code, severity=severity, what=f"{slo.id}: {what}", hint=hint, place=place)


def _of_bound(slo: Slo, catalog: Catalog) -> Iterator[Remark]:
    if slo.bound is None or not isinstance(slo.indicator, Events):
        return
    queries = slo.indicator.error_query, slo.indicator.total_query
    found = {
        edge: (query, one)
        for query in queries
        for use in uses(query)
        for one in use.matchers
        for edge in _edges_of(use, catalog)
        if one.label == "le"
    }
    if found and not any(math.isclose(edge, slo.bound) for edge in found):
        (query, one), edge = next(iter(found.values())), next(iter(found))
        what = f"bound: {show_duration(slo.bound)} is what clients are held to, but the query counts under {edge:g} s"
        hint = f"say bound: {show_duration(edge)}, or choose the edge {slo.bound:g}"
        yield _remark(slo, "bound", "error", what, hint, lint_place.matcher(one), query=query)


def _of_fractions(slo: Slo) -> Iterator[Remark]:
    """Of native histograms: one bound for clients and server, and a share of all rather than a sum of shares."""
    found = [(query, one) for query in queries_of(slo) for one in fractions(query)]
    for query, one in found:
        edge = one.upper / _unit(one.name)
        if slo.bound is not None and not math.isclose(edge, slo.bound):
            what = (
                f"bound: {show_duration(slo.bound)} is what clients are held to, but the query counts under {edge:g} s"
            )
            hint = f"say bound: {show_duration(edge)}, or histogram_fraction(0, {slo.bound * _unit(one.name):g}, ...)"
            yield _remark(slo, "bound", "error", what, hint, lint_place.word("histogram_fraction"), query=query)
        if one.added:
            what = "the share of a replica that is idle is NaN, and so is every sum with it: then all events are bad"
            hint = "histogram_fraction(0, ..., sum(rate(...))): first the sum, then the share"
            within = lint_place.word("histogram_fraction")
            yield _remark(slo, "sum-of-fractions", "warning", what, hint, within, query=query)


def queries_of(slo: Slo) -> tuple[str, ...]:
    """The PromQL of its indicator."""
    one = slo.indicator
    return (one.error_query, one.total_query) if isinstance(one, Events) else (one.query,)


def _unit(name: str) -> float:
    """How many of a metric's units are a second."""
    return 1000.0 if name.removesuffix("_bucket").endswith(("_milliseconds", "_ms")) else 1.0


def _edges_of(use: Use, catalog: Catalog) -> list[float]:
    """The bounds in seconds that a use asks for, whether or not the histogram has them."""
    unit = _unit(use.name)
    known = catalog.metrics.get(use.name)
    return [edge / unit for one in use.matchers if one.label == "le" for edge in chosen_edges(one, known)]


def _of_pair(slo: Slo) -> Iterator[Remark]:
    if not isinstance(slo.indicator, Events):
        return
    errors, total = slo.indicator.error_query, slo.indicator.total_query
    by_errors, by_total = grouping(errors), grouping(total)
    if by_errors is not None and by_total is not None and by_errors != by_total:
        what = f"errors are grouped by ({', '.join(by_errors)}), the total by ({', '.join(by_total)})"
        yield _remark(
            slo, "groups", "error", what, "group both by the same labels", lint_place.word("by"), query=errors
        )
    everything = {use.name: use for use in uses(total)}
    for use in uses(errors):
        yield from _of_part(slo, use, everything.get(use.name), errors)


def _of_part(slo: Slo, part: Use, whole: Use | None, query: str) -> Iterator[Remark]:
    """Whether the total leaves out, by `=`, what the errors count."""
    chosen = {one.label: one.value for one in part.matchers if one.op == "="}
    for one in whole.matchers if whole else ():
        if one.op == "=" and chosen.get(one.label) != one.value and one.label != "__name__":
            other = f"{one.label}={chosen[one.label]!r}" if one.label in chosen else f"any {one.label}"
            what = f"the total counts {one.label}={one.value!r} alone, the errors {other}"
            hint = "choose the same in both, or errors may outnumber all events"
            yield _remark(slo, "not-a-part", "warning", what, hint, lint_place.metric(part.name), query=query)


def _of_alerts(slo: Slo) -> Iterator[Remark]:
    try:
        tiers = tiers_of(slo.period)
    except ValueError:
        return
    for severity in ("page", "ticket"):
        own = [tier for tier in tiers if tier.severity == severity]
        dead = [tier for tier in own if is_dead(tier, slo)]
        if not dead or slo.policy(severity).disabled:
            continue
        factor = min(tier.factor(slo.period) for tier in dead)
        what = f"at {show_ratio(slo.objective)} even an error ratio of 100 % burns less than {factor:g} times"
        hint = "let x-holdfast say `tiers: adapt`, disable the alert, or raise the objective"
        if len(dead) == len(own):
            yield _remark(slo, "dead-alert", "error", f"its {severity} alert cannot fire: {what}", hint)
        else:
            names = ", ".join(tier.name for tier in dead)
            yield _remark(
                slo, "dead-tier", "warning", f"the {names} tier of its {severity} alert is dead: {what}", hint
            )
    if not slo.page.disabled and not any("runbook" in key for key in {*slo.alert_annotations, *slo.page.annotations}):
        hint = "add annotations: {runbook_url: ...} under alerting"
        yield _remark(slo, "no-runbook", "info", "its page alert has no runbook_url", hint, r"page_?[aA]lert")


def _of_exclusion(slo: Slo, one: Exclusion, now: float) -> Iterator[Remark]:
    ahead = excluded(replace(slo, exclusions=(one,)), now, now + AHEAD)
    where = lint_place.text(one.reason)
    if not ahead:
        what = f"the exclusion {one.reason!r} has no time to come in the next 13 months"
        yield _remark(slo, "exclusion-over", "info", what, "take it out once its period is over", where)
    elif one.repeat and ahead[-1][1] < now + _SOON:
        days = math.ceil((ahead[-1][1] - now) / DAY)
        what = f"the exclusion {one.reason!r} is over in {days} days"
        yield _remark(slo, "exclusion-ends", "warning", what, "extend its UNTIL or COUNT, or let it end", where)
