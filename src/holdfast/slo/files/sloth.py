"""Sloth's `prometheus/v1` files, read strictly: what Sloth ignores in silence is a problem here.

Format: Sloth, pkg/prometheus/api/v1. The shapes lose nothing of a file, so that Sloth's own output can be made from
them; `x-holdfast:` is ours, and Sloth ignores it. How a client witnesses an SLI is said in the SLO's own labels, which
Sloth carries along untouched: `sli: availability`, or `sli: ttft` (`e2e`) with `bound: 500ms`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, Field, model_validator

from holdfast.model.slo import AlertPolicy, ErrorRatio, Events, Slo
from holdfast.slo.files import checks
from holdfast.slo.files.extension import KEY, Extension
from holdfast.slo.files.fields import (
    AlertLabels,
    Annotations,
    Filled,
    Labels,
    Name,
    Percentage,
)
from holdfast.slo.files.queries import normal, windowed
from holdfast.spec.shapes import FieldError, Strict, shaped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.errors import Problem
    from holdfast.model.slo import Indicator
    from holdfast.spec.source import Path, Source

VERSION: Final = "prometheus/v1"
Query = Annotated[str, AfterValidator(windowed)]


def _version(value: str) -> str:
    if value != VERSION:
        raise FieldError(f"not a Sloth version: {value!r}", f"version: {VERSION}", code="slo/version")
    return value


class PluginUse(Strict):
    """One plugin of a chain; its configuration is its own business."""

    id: Filled
    config: Any = None
    priority: int = 0


class Plugins(Strict):
    """Plugins that make rules: in which order, and whether those of the levels above still count."""

    override_previous: bool = Field(default=False, alias="overridePrevious")
    chain: list[PluginUse] = Field(default_factory=list)


NO_PLUGINS: Final = Plugins()
"""A default for all files; one that stands in a field is copied for each of them, because it holds a list."""


class EventsShape(Strict):
    """Bad events and all of them."""

    error_query: Query
    total_query: Query


class RawShape(Strict):
    """The share of bad events, made elsewhere."""

    error_ratio_query: Query


class PluginShape(Strict):
    """An SLI that a Go plugin makes."""

    id: str
    options: dict[str, str] = Field(default_factory=dict)


class SliShape(Strict):
    """Exactly one way to tell good from bad."""

    events: EventsShape | None = None
    raw: RawShape | None = None
    plugin: PluginShape | None = None

    @model_validator(mode="after")
    def _one(self) -> SliShape:
        if sum(one is not None for one in (self.events, self.raw, self.plugin)) != 1:
            raise FieldError("an SLI has either events or raw", "exactly one of them", code="slo/sli")
        return self


class AlertShape(Strict):
    """One of the two alerts."""

    disable: bool = False
    labels: AlertLabels = Field(default_factory=dict)
    annotations: Annotations = Field(default_factory=dict)


PLAIN_ALERT: Final = AlertShape()
"""A default for all files, as above."""


class AlertingShape(Strict):
    """Both alerts, and what they share."""

    name: str = ""
    labels: AlertLabels = Field(default_factory=dict)
    annotations: Annotations = Field(default_factory=dict)
    page_alert: AlertShape = Field(default_factory=lambda: PLAIN_ALERT)
    ticket_alert: AlertShape = Field(default_factory=lambda: PLAIN_ALERT)

    @model_validator(mode="after")
    def _named(self) -> AlertingShape:
        if not self.name and not (self.page_alert.disable and self.ticket_alert.disable):
            raise FieldError(
                "alerting needs a name, or both alerts disabled", "name: ErrorsBurn", code="slo/alert-name"
            )
        return self


class BareSlo(Strict):
    """One SLO as Sloth knows it."""

    name: Name
    description: str = ""
    objective: Percentage
    labels: Labels = Field(default_factory=dict)
    plugins: Plugins = Field(default_factory=lambda: NO_PLUGINS)
    sli: SliShape
    alerting: AlertingShape


class SloShape(BareSlo):
    """One SLO of a `prometheus/v1` file, with what is ours."""

    extension: Extension | None = Field(default=None, alias=KEY)


class File(Strict):
    """A whole `prometheus/v1` document."""

    version: Annotated[str, AfterValidator(_version)]
    service: Name
    labels: Labels = Field(default_factory=dict)
    slo_plugins: Plugins = Field(default_factory=lambda: NO_PLUGINS)
    extension: Extension | None = Field(default=None, alias=KEY)
    slos: list[SloShape] = Field(min_length=1)


def read(source: Source) -> tuple[list[Slo], list[Problem]]:
    """The SLOs of one document, and every problem with it. An SLO stays readable beside one that is not."""
    whole, problems = shaped(File, source, family="slo")
    slos: list[Slo] = []
    service = whole.service if whole else text_at(source.tree, "service")
    labels = whole.labels if whole else {}
    defaults = _defaults(whole, source)
    for path, shape in shapes(whole.slos if whole else None, SloShape, source, ("slos",)):
        settings = defaults | (shape.extension.fields() if shape.extension else {})
        slo, wrong = built(shape, service, labels, settings, (source, path))
        slos += [slo] if slo else []
        problems += wrong
    if whole:
        problems += plugin_problems(whole.slo_plugins, whole.slos, source, ("slo_plugins",), ("slos",))
    return slos, problems


def _defaults(whole: File | None, source: Source) -> dict[str, Any]:
    if whole:
        return whole.extension.fields() if whole.extension else {}
    if not isinstance(source.tree, dict) or KEY not in source.tree:
        return {}
    extension, _ = shaped(Extension, source, (KEY,))
    return extension.fields() if extension else {}


def text_at(tree: Any, key: str) -> str:
    """A text of a tree that may be anything."""
    found = tree.get(key) if isinstance(tree, dict) else None
    return found if isinstance(found, str) else ""


def shapes(found: Any, kind: type[Any], source: Source, path: Path) -> list[tuple[Path, Any]]:
    """The SLOs of a document with their paths: those found, or else all that can be read one by one."""
    if found is not None:
        return [((*path, index), shape) for index, shape in enumerate(found)]
    below = source.tree
    for step in path:
        below = below.get(step) if isinstance(below, dict) else None
    count = len(below) if isinstance(below, list) else 0
    alone = [((*path, index), shaped(kind, source, (*path, index))[0]) for index in range(count)]
    return [(place, shape) for place, shape in alone if shape is not None]


def built(
    shape: BareSlo,
    service: str,
    labels: Mapping[str, str],
    settings: Mapping[str, Any],
    place: tuple[Source, Path],
) -> tuple[Slo | None, list[Problem]]:
    """One SLO from its shape, and what is wrong with it as a whole; None where a Go plugin makes its indicator."""
    source, path = place
    problems = checks.client_problems(shape.labels, source, (*path, "labels"))
    if shape.sli.plugin is not None:
        what, hint = "an SLI made by a Go plugin cannot be read", "write events or raw"
        return None, [*problems, source.problem((*path, "sli", "plugin"), what, hint=hint, key=True, code="slo/plugin")]
    sli, bound = checks.client_view(shape.labels)
    slo = Slo(
        service=service,
        name=shape.name,
        objective=round(shape.objective / 100, 12),
        indicator=_indicator(shape.sli),
        sli=sli,
        bound=bound,
        description=shape.description,
        labels={**labels, **shape.labels},
        alert=shape.alerting.name,
        alert_labels=shape.alerting.labels,
        alert_annotations=shape.alerting.annotations,
        page=_policy(shape.alerting.page_alert),
        ticket=_policy(shape.alerting.ticket_alert),
        where=source.location(path),
        **settings,
    )
    places = {"objective": (*path, "objective"), "settings": (*path, KEY), "query": (*path, "sli", "events")}
    return slo, [*problems, *checks.whole_problems(slo, source, **places)]


def _indicator(sli: SliShape) -> Indicator:
    if sli.events is not None:
        return Events(error_query=normal(sli.events.error_query), total_query=normal(sli.events.total_query))
    assert sli.raw is not None  # noqa: S101 - the shape allows nothing else
    return ErrorRatio(query=normal(sli.raw.error_ratio_query))


def _policy(alert: AlertShape) -> AlertPolicy:
    return AlertPolicy(disabled=alert.disable, labels=alert.labels, annotations=alert.annotations)


def plugin_problems(
    group: Plugins, slos: list[Any], source: Source, group_path: Path, slos_path: Path
) -> list[Problem]:
    """Chains that would leave no plugin at all, not even those that make the rules."""
    problems = []
    for index, slo in enumerate(slos):
        override = group.override_previous or slo.plugins.override_previous
        chain = slo.plugins.chain + ([] if slo.plugins.override_previous else group.chain)
        if override and not chain:
            path = (*slos_path, index, "plugins") if slo.plugins.override_previous else group_path
            what, hint = "overridePrevious leaves no plugin at all", "name them in chain:"
            problems.append(source.problem(path, what, hint=hint, code="slo/plugins"))
    return problems


def named(tree: Any) -> set[str]:
    """The ids of all SLOs that a document names, readable or not."""
    slos = tree.get("slos") if isinstance(tree, dict) else None
    items = [one for one in slos if isinstance(one, dict)] if isinstance(slos, list) else []
    return {f"{tree.get('service')}/{one.get('name')}" for one in items}
