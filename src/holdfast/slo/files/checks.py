"""What can only be seen of an SLO as a whole: alerts that never fire, witnesses without a bound, names met twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast, get_args

from holdfast import units
from holdfast.errors import Problem
from holdfast.model.slo import ClientSli, Events, Occurrences
from holdfast.slo.files.queries import same
from holdfast.slo.tiers import is_dead, threshold, tiers_of
from holdfast.spec.source import did_you_mean
from holdfast.units import show_duration, show_ratio

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from holdfast.model.slo import Severity, Slo
    from holdfast.spec.source import Path, Source

_SEVERITIES: Final[tuple[Severity, ...]] = ("page", "ticket")


def client_view(labels: Mapping[str, str]) -> tuple[ClientSli | None, float | None]:
    """How a client witnesses an SLO, by its labels `sli` and `bound`; what cannot be read is None."""
    sli, bound = labels.get("sli"), labels.get("bound")
    known = cast("ClientSli", sli) if sli in get_args(ClientSli) else None
    try:
        return known, units.duration(bound) if bound and known != "availability" else None
    except ValueError:
        return known, None


def client_problems(labels: Mapping[str, str], source: Source, path: Path) -> list[Problem]:
    """What is wrong with the labels `sli` and `bound`; `path` is that of the labels."""
    sli, bound = labels.get("sli"), labels.get("bound")
    here = (*path, "sli")
    if sli is None or sli == "availability":
        return []
    if sli not in get_args(ClientSli):
        hint = did_you_mean(sli, get_args(ClientSli))
        return [source.problem(here, f"clients know no SLI {sli!r}", hint=hint, code="slo/client")]
    if bound is None:
        return [source.problem(here, f"SLI {sli} needs a bound", hint="add bound: 500ms", code="slo/client")]
    try:
        units.duration(bound)
    except ValueError as error:
        return [source.problem((*path, "bound"), str(error), code="slo/client")]
    return []


def whole_problems(slo: Slo, source: Source, *, objective: Path, settings: Path, query: Path) -> Iterator[Problem]:
    """What is wrong with an SLO whose every field is right; the paths say where objective, settings and query stand."""
    if isinstance(slo.indicator, Events) and same(slo.indicator.error_query, slo.indicator.total_query):
        hint = "the error query counts bad events, the total query all"
        yield source.problem(query, "the error query is the total query", hint=hint, code="slo/same-query")
    if slo.dead_after is not None and slo.dead_after > slo.period:
        what = f"dead-after {show_duration(slo.dead_after)} is longer than the period"
        yield source.problem(settings, what, code="slo/contradiction")
    if not isinstance(slo.budgeting, Occurrences) and slo.budgeting.length > slo.period:
        what = f"a slice of {show_duration(slo.budgeting.length)} is longer than the period"
        yield source.problem(settings, what, code="slo/contradiction")
    for severity in _SEVERITIES:
        if not slo.policy(severity).disabled:
            yield from _dead_tiers(slo, severity, source, objective)


def _dead_tiers(slo: Slo, severity: Severity, source: Source, path: Path) -> Iterator[Problem]:
    try:
        tiers = [tier for tier in tiers_of(slo.period) if tier.severity == severity]
    except ValueError as error:
        yield source.problem(path, str(error), hint="disable both alerts, or take a longer period", code="slo/period")
        return
    for tier in tiers:
        if is_dead(tier, slo):
            needed = show_ratio(threshold(tier, slo), 3)
            what = (
                f"the {tier.name} tier of the {severity} alert can never fire: {needed} of events would have to be bad"
            )
            ours = (
                "x-holdfast: {tiers: adapt}" if "version" in source.tree else "the annotation holdfast.dev/tiers: adapt"
            )
            hint = f"{ours} lowers it; or raise the objective, or disable the {severity} alert"
            yield source.problem(path, what, hint=hint, code="slo/dead-tier")


def duplicates(slos: Iterable[tuple[Slo, Source]]) -> Iterator[Problem]:
    """SLOs whose rules would bear one name: service-name, as Sloth writes it, or service/name in scenarios."""
    seen: dict[str, Slo] = {}
    for slo, source in slos:
        first = seen.setdefault(slo.rule_id, slo)
        if first is not slo:
            what = f"duplicate SLO {slo.id}" if first.id == slo.id else f"{slo.id} and {first.id} share one sloth_id"
            line, hint = source.text.lines[slo.where.line - 1], f"first written in line {first.where.line}"
            yield Problem(where=slo.where, what=what, source=line, hint=hint, code="slo/duplicate")
