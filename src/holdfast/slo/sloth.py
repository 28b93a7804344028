"""Sloth's `prometheus/v1` files, read strictly: what Sloth ignores in silence is a problem here.

Format: Sloth, pkg/prometheus/api/v1. How a client witnesses an SLI is said in the SLO's own labels, which Sloth
carries along untouched: `sli: availability`, or `sli: ttft` (`e2e`) with `bound: 500ms`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final, cast, get_args

from pydantic import AfterValidator, Field

from holdfast import units
from holdfast.model.slo import AlertPolicy, ClientSli, Events, Slo
from holdfast.spec.shapes import FieldError, Strict, shaped
from holdfast.spec.source import did_you_mean, read_all

if TYPE_CHECKING:
    from holdfast.errors import Problem
    from holdfast.spec.source import Path, Source

_NAME: Final = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]*[A-Za-z0-9]")
_WINDOW: Final = "{{.window}}"
_RESERVED: Final = {"sloth_id", "sloth_service", "sloth_slo", "sloth_window", "sloth_severity"}


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise FieldError(f"not a name: {value!r}", "letters, digits, and - _ . between them")
    return value


def _version(value: str) -> str:
    if value != "prometheus/v1":
        raise FieldError(f"not a Sloth version: {value!r}", "version: prometheus/v1")
    return value


def _objective(value: float) -> float:
    # The objective is kept to twelve decimals of one; what rounds to 100 % leaves no budget either.
    if not (0 < value < 100 and round(value / 100, 12) < 1):  # noqa: PLR2004
        hint = "100 leaves no error budget and can never be proved; did you mean 99.9?"
        raise FieldError(f"objective must lie between 0 and 100, got {value:g}", hint)
    return value


def _query(value: str) -> str:
    import promql_parser  # noqa: PLC0415 - only where a query is checked

    if _WINDOW not in value:
        raise FieldError(f"the query has no {_WINDOW}", f"sum(rate(requests_total[{_WINDOW}]))")
    try:
        promql_parser.parse(value.replace(_WINDOW, "1m"))
    except ValueError as error:
        raise FieldError(f"not PromQL: {str(error).strip().splitlines()[0]}", "try it in Prometheus with 1m") from error
    return value


Name = Annotated[str, AfterValidator(_name)]
Query = Annotated[str, AfterValidator(_query)]


class _Events(Strict):
    error_query: Query
    total_query: Query


class _Sli(Strict):
    events: _Events


class _Policy(Strict):
    disable: bool = False
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class _Alerting(Strict):
    name: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    page_alert: _Policy = _Policy()
    ticket_alert: _Policy = _Policy()


class _Slo(Strict):
    name: Name
    description: str = ""
    objective: Annotated[float, AfterValidator(_objective)]
    labels: dict[str, str] = Field(default_factory=dict)
    sli: _Sli
    alerting: _Alerting


class _File(Strict):
    version: Annotated[str, AfterValidator(_version)]
    service: Name
    labels: dict[str, str] = Field(default_factory=dict)
    slos: list[_Slo] = Field(min_length=1)


def read_slos(text: str, file: str) -> tuple[list[Slo], list[Problem]]:
    """Every SLO of one file, and every problem with it. Raises SpecError when it is not YAML."""
    slos: list[Slo] = []
    problems: list[Problem] = []
    for source in read_all(text, file, problems):
        shape, wrong = shaped(_File, source)
        problems += wrong
        if shape is not None:
            problems += _file_problems(shape, source)
            slos += [_slo(shape, index, source) for index in range(len(shape.slos))]
    return slos, problems


def named_in(text: str, file: str) -> set[str]:
    """The ids of all SLOs that a file names, readable or not. Raises SpecError when it is not YAML."""
    trees = [one.tree for one in read_all(text, file, []) if isinstance(one.tree, dict)]
    listed = [(tree.get("service"), tree.get("slos")) for tree in trees]
    items = [(service, slo) for service, slos in listed if isinstance(slos, list) for slo in slos]
    return {f"{service}/{slo.get('name')}" for service, slo in items if isinstance(slo, dict)}


def _file_problems(shape: _File, source: Source) -> list[Problem]:
    problems = []
    names = [slo.name for slo in shape.slos]
    for index, slo in enumerate(shape.slos):
        here: Path = ("slos", index)
        if slo.name in names[:index]:
            problems.append(source.problem((*here, "name"), f"duplicate SLO {slo.name!r}"))
        if not slo.alerting.name and not (slo.alerting.page_alert.disable and slo.alerting.ticket_alert.disable):
            problems.append(source.problem((*here, "alerting"), "alerting needs a name, or both alerts disabled"))
        problems += [
            source.problem((*here, "labels", label), f"label {label!r} belongs to the generated rules", key=True)
            for label in sorted(_RESERVED & slo.labels.keys())
        ]
        problems += _client_problems(slo, source, here)
    return problems


def _client_problems(slo: _Slo, source: Source, here: Path) -> list[Problem]:
    sli, bound = slo.labels.get("sli"), slo.labels.get("bound")
    if sli is None:
        return []
    if sli not in get_args(ClientSli):
        hint = did_you_mean(sli, get_args(ClientSli))
        return [source.problem((*here, "labels", "sli"), f"clients know no SLI {sli!r}", hint=hint)]
    if sli == "availability":
        return []
    if bound is None:
        return [source.problem((*here, "labels", "sli"), f"SLI {sli} needs a bound", hint="add bound: 500ms")]
    try:
        units.duration(bound)
    except ValueError as error:
        return [source.problem((*here, "labels", "bound"), str(error))]
    return []


def _slo(shape: _File, index: int, source: Source) -> Slo:
    slo = shape.slos[index]
    sli, bound = slo.labels.get("sli"), slo.labels.get("bound")
    known = sli if sli in get_args(ClientSli) else None
    return Slo(
        service=shape.service,
        name=slo.name,
        objective=round(slo.objective / 100, 12),
        indicator=Events(
            error_query=slo.sli.events.error_query,
            total_query=slo.sli.events.total_query,
        ),
        sli=cast("ClientSli | None", known),
        bound=_seconds(bound) if known != "availability" else None,
        description=slo.description,
        labels={**shape.labels, **slo.labels},
        alert=slo.alerting.name,
        alert_labels=slo.alerting.labels,
        alert_annotations=slo.alerting.annotations,
        page=_policy(slo.alerting.page_alert),
        ticket=_policy(slo.alerting.ticket_alert),
        where=source.location(("slos", index)),
    )


def _seconds(bound: str | None) -> float | None:
    try:
        return units.duration(bound) if bound else None
    except ValueError:
        return None


def _policy(policy: _Policy) -> AlertPolicy:
    return AlertPolicy(disabled=policy.disable, labels=policy.labels, annotations=policy.annotations)
