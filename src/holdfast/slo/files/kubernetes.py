"""Sloth's custom resource `PrometheusServiceLevel` (`sloth.slok.dev/v1`): the same tree in camel case, in a `spec`.

Format: Sloth, pkg/kubernetes/api/sloth/v1. The API server drops keys that it does not know, so what is ours stands in
annotations `holdfast.dev/...`, for all SLOs of the resource.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from holdfast.slo.files import sloth
from holdfast.slo.files.extension import annotated
from holdfast.slo.files.fields import Labels, Name
from holdfast.slo.files.sloth import Query, built, named, plugin_problems, shapes, text_at
from holdfast.spec.shapes import FieldError, Strict, shaped

if TYPE_CHECKING:
    from holdfast.errors import Problem
    from holdfast.model.slo import Slo
    from holdfast.spec.source import Source

VERSION: Final = "sloth.slok.dev/v1"
KIND: Final = "PrometheusServiceLevel"
_OBJECT: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*")
_LONGEST: Final = 253
_LONGEST_NAME: Final = 128


def _object(name: str) -> str:
    if not _OBJECT.fullmatch(name) or len(name) > _LONGEST:
        hint = "lower case letters and digits, with - and . between them"
        raise FieldError(f"Kubernetes takes no object named {name!r}", hint, code="slo/name")
    return name


def _short(name: str) -> str:
    if len(name) > _LONGEST_NAME:
        raise FieldError(f"a name has at most {_LONGEST_NAME} letters, got {len(name)}", "shorten it", code="slo/name")
    return name


class EventsShape(sloth.EventsShape):
    """Bad events and all of them."""

    error_query: Query = Field(alias="errorQuery")
    total_query: Query = Field(alias="totalQuery")


class RawShape(sloth.RawShape):
    """The share of bad events, made elsewhere."""

    error_ratio_query: Query = Field(alias="errorRatioQuery")


class SliShape(sloth.SliShape):
    """Exactly one way to tell good from bad."""

    events: EventsShape | None = None
    raw: RawShape | None = None


class AlertingShape(sloth.AlertingShape):
    """Both alerts, and what they share."""

    page_alert: sloth.AlertShape = Field(default_factory=lambda: sloth.PLAIN_ALERT, alias="pageAlert")
    ticket_alert: sloth.AlertShape = Field(default_factory=lambda: sloth.PLAIN_ALERT, alias="ticketAlert")


class SloShape(sloth.BareSlo):
    """One SLO of a resource."""

    name: Annotated[Name, AfterValidator(_short)]
    sli: SliShape
    alerting: AlertingShape


class Spec(Strict):
    """The service level itself."""

    service: Name
    labels: Labels = Field(default_factory=dict)
    slo_plugins: sloth.Plugins = Field(default_factory=lambda: sloth.NO_PLUGINS, alias="sloPlugins")
    slos: list[SloShape] = Field(min_length=1)


class Metadata(Strict):
    """What Kubernetes knows of any object; its labels are not Prometheus'."""

    name: Annotated[str, AfterValidator(_object)]
    namespace: Annotated[str, AfterValidator(_object)] | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class Resource(Strict):
    """A whole `PrometheusServiceLevel`."""

    api_version: Literal["sloth.slok.dev/v1"] = Field(alias="apiVersion")
    kind: Literal["PrometheusServiceLevel"]
    metadata: Metadata
    spec: Spec


def read(source: Source) -> tuple[list[Slo], list[Problem]]:
    """The SLOs of one resource, and every problem with it."""
    whole, problems = shaped(Resource, source, family="slo")
    settings, wrong = annotated(_annotations(whole, source), source, ("metadata", "annotations"))
    problems += wrong
    slos: list[Slo] = []
    spec = whole.spec if whole else None
    service = spec.service if spec else text_at(source.tree.get("spec"), "service")
    for path, shape in shapes(spec.slos if spec else None, SloShape, source, ("spec", "slos")):
        slo, found = built(shape, service, spec.labels if spec else {}, settings, (source, path))
        slos += [slo] if slo else []
        problems += found
    if spec:
        problems += plugin_problems(spec.slo_plugins, spec.slos, source, ("spec", "sloPlugins"), ("spec", "slos"))
    return slos, problems


def _annotations(whole: Resource | None, source: Source) -> dict[str, str]:
    """Those of a resource, and of one that cannot be read whole those that can."""
    if whole:
        return whole.metadata.annotations
    metadata = source.tree.get("metadata")
    found = metadata.get("annotations") if isinstance(metadata, dict) else None
    return {name: text for name, text in found.items() if isinstance(text, str)} if isinstance(found, dict) else {}


def named_in(tree: Any) -> set[str]:
    """The ids of all SLOs that a resource names, readable or not."""
    return named(tree.get("spec"))
