"""What an SLO asks of its platform, held against what the platform has: every finding with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.model.slo import ErrorRatio, Events
from holdfast.slo.lint.place import Place, pages
from holdfast.slo.lint.plugins import of_plugins
from holdfast.slo.lint.query import uses
from holdfast.slo.lint.remark import Finding, Remark
from holdfast.slo.lint.rules import of_horizon, of_rules
from holdfast.slo.lint.series import Asked, of_series
from holdfast.slo.lint.server import of_server
from holdfast.slo.lint.slo import of_slo

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from holdfast.model.slo import Slo
    from holdfast.slo.lint.metricsfile import Catalog
    from holdfast.slo.lint.rules import Rule
    from holdfast.slo.lint.series import Role
    from holdfast.slo.lint.server import Server


def lint(
    slos: Sequence[Slo],
    texts: Mapping[str, str],
    catalog: Catalog,
    *,
    now: float,
    server: Server | None = None,
    rules: Sequence[Rule] = (),
    unanswered: Collection[str] = (),
) -> tuple[Finding, ...]:
    """Everything there is to say, in the order of the files.

    `texts` are the SLO files and rule files by the names their locations use. `now` is in Unix seconds. `unanswered`
    are queries to which the server had nothing to say.
    """
    written = pages(texts, [slo.where for slo in slos])
    recorded = frozenset(rule.record for rule in rules if rule.record)
    remarks = [remark for slo in slos for remark in _of_one(slo, catalog, server, recorded, now)]
    remarks += [_no_answer(slo, query) for slo in slos for query in _silent(slo, unanswered, remarks)]
    remarks += [remark for slo in slos for remark in of_horizon(slo, rules, now)]
    remarks += of_rules(rules, catalog)
    remarks += of_plugins(texts)
    found = {
        Finding(problem=written.problem(one.place, one.what, one.hint, f"lint/{one.code}"), severity=one.severity)
        for one in remarks
    }
    return tuple(sorted(found))


def names_read(slos: Sequence[Slo]) -> tuple[str, ...]:
    """The metrics whose series the checks need."""
    return tuple(sorted({use.name for slo in slos for query, _ in _queries(slo) for use in uses(query) if use.name}))


def whole_queries(slo: Slo) -> tuple[str, ...]:
    """The queries of an SLO that must always have an answer: all but that for errors, of which there may be none."""
    return tuple(query for query, role in _queries(slo) if role != "errors")


def _silent(slo: Slo, unanswered: Collection[str], remarks: Sequence[Remark]) -> Iterator[str]:
    """Those without an answer that nothing else explains."""
    explained = {one.place.query for one in remarks if one.severity == "error"}
    return (query for query in whole_queries(slo) if query in unanswered and query not in explained)


def _no_answer(slo: Slo, query: str) -> Remark:
    what = f"{slo.id}: its series are there, but this gave nothing for an hour: nothing is recorded, no burn is told"
    hint = "is it idle, scraped too seldom for [5m], or no native histogram?"
    place = Place(where=slo.where, query=query)
    return Remark(code="no-answer", severity="warning", what=what, hint=hint, place=place)


def _of_one(
    slo: Slo, catalog: Catalog, server: Server | None, recorded: frozenset[str], now: float
) -> Iterator[Remark]:
    for query, role in _queries(slo):
        for use in dict.fromkeys(uses(query)):
            asked = Asked(use=use, role=role, query=query, where=slo.where, catalog=catalog, recorded=recorded)
            yield from of_series(asked)
    yield from of_slo(slo, catalog, now)
    if server is not None:
        yield from of_server(slo, server, catalog, [query for query, _ in _queries(slo)])


def _queries(slo: Slo) -> tuple[tuple[str, Role], ...]:
    indicator = slo.indicator
    if isinstance(indicator, Events):
        return (indicator.error_query, "errors"), (indicator.total_query, "total")
    return ((indicator.query, "ratio" if isinstance(indicator, ErrorRatio) else "value"),)
