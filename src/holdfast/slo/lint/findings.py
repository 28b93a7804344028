"""What an SLO asks of its platform, held against what the platform has: every finding with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.model.slo import ErrorRatio, Events
from holdfast.slo.lint.place import pages
from holdfast.slo.lint.query import uses
from holdfast.slo.lint.remark import Finding
from holdfast.slo.lint.rules import of_horizon, of_rules
from holdfast.slo.lint.series import Asked, of_series
from holdfast.slo.lint.server import of_server
from holdfast.slo.lint.slo import of_slo

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from holdfast.model.slo import Slo
    from holdfast.slo.lint.metricsfile import Catalog
    from holdfast.slo.lint.remark import Remark
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
) -> tuple[Finding, ...]:
    """Everything there is to say, in the order of the files.

    `texts` are the SLO files and rule files by the names their locations use. `now` is in Unix seconds.
    """
    written = pages(texts, [slo.where for slo in slos])
    recorded = frozenset(rule.record for rule in rules if rule.record)
    remarks = [remark for slo in slos for remark in _of_one(slo, catalog, server, recorded, now)]
    remarks += [remark for slo in slos for remark in of_horizon(slo, rules, now)]
    remarks += of_rules(rules, catalog)
    found = {
        Finding(problem=written.problem(one.place, one.what, one.hint, f"lint/{one.code}"), severity=one.severity)
        for one in remarks
    }
    return tuple(sorted(found))


def names_read(slos: Sequence[Slo]) -> tuple[str, ...]:
    """The metrics whose series the checks need."""
    return tuple(sorted({use.name for slo in slos for query, _ in _queries(slo) for use in uses(query) if use.name}))


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
