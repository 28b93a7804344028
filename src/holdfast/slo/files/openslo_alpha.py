"""OpenSLO v1alpha, the only OpenSLO that Sloth reads: good and all events of each objective, and no alerts.

Format: Sloth, internal/storage/io/openslo.go, whose names (`NAME-0`, `NAME-1`) and limits (rolling days) these are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from holdfast.model.slo import DAY, Events, Rolling, Slo
from holdfast.slo.files import checks
from holdfast.slo.files.extension import annotated, whole_period
from holdfast.slo.files.fields import Name
from holdfast.slo.files.openslo_indicators import ALL_GOOD, ALL_GOOD_HINT, not_good
from holdfast.slo.files.queries import normal, same
from holdfast.slo.files.sloth import Query
from holdfast.spec.shapes import FieldError, Strict, shaped

if TYPE_CHECKING:
    from holdfast.errors import Problem
    from holdfast.spec.source import Source

_MOST_DAYS: Final = 3 * 366


def _target(value: float) -> float:
    if not 0 < round(value, 12) < 1:
        hint = "0.999; 1 leaves no error budget"
        raise FieldError(f"objective must lie between 0 and 1, got {value:g}", hint, code="slo/objective")
    return value


def _days(count: int) -> int:
    if count > _MOST_DAYS:
        raise FieldError(f"a window has at most {_MOST_DAYS} days", "count: 30", code="slo/length")
    whole_period(count * DAY)
    return count


class MetricShape(Strict):
    """One query."""

    source: Literal["prometheus", "sloth"]
    query_type: Literal["promql"] = Field(alias="queryType")
    query: Query


class RatioShape(Strict):
    """Good events of all of them."""

    good: MetricShape
    total: MetricShape
    incremental: bool = False


class ObjectiveShape(Strict):
    """How much has to be good."""

    display_name: str = Field(default="", alias="displayName")
    value: float | None = None
    ratio: RatioShape = Field(alias="ratioMetrics")
    target: Annotated[float, AfterValidator(_target)]


class WindowShape(Strict):
    """Days that roll."""

    unit: Literal["Day"]
    count: Annotated[int, AfterValidator(_days)]
    rolling: bool = Field(default=True, alias="isRolling")


class SpecShape(Strict):
    """The objectives of a service."""

    service: Name
    description: str = ""
    budgeting: Literal["Occurrences"] = Field(alias="budgetingMethod")
    windows: list[WindowShape] = Field(default_factory=list, max_length=1, alias="timeWindows")
    objectives: list[ObjectiveShape] = Field(min_length=1)


class MetadataShape(Strict):
    """What every object has."""

    name: Name
    display_name: str = Field(default="", alias="displayName")
    annotations: dict[str, str] = Field(default_factory=dict)


class File(Strict):
    """A whole v1alpha document."""

    api_version: Literal["openslo/v1alpha"] = Field(alias="apiVersion")
    kind: Literal["SLO"]
    metadata: MetadataShape
    spec: SpecShape


def read(source: Source) -> tuple[list[Slo], list[Problem]]:
    """The SLOs of one document, one for each objective, and every problem with it."""
    whole, problems = shaped(File, source, family="slo")
    if whole is None:
        return [], problems
    settings, wrong = annotated(whole.metadata.annotations, source, ("metadata", "annotations"))
    problems += wrong
    if whole.spec.windows:
        if "window" in settings:
            path = ("metadata", "annotations")
            problems.append(
                source.problem(path, "timeWindows says this too", hint="leave one out", code="slo/contradiction")
            )
        settings["window"] = Rolling(length=whole.spec.windows[0].count * DAY)
    slos = [_slo(whole, index, settings, source) for index in range(len(whole.spec.objectives))]
    for index, slo in enumerate(slos):
        here = ("spec", "objectives", index)
        places = {"objective": (*here, "target"), "settings": here, "query": (*here, "ratioMetrics")}
        problems += checks.whole_problems(slo, source, **places)
        ratio = whole.spec.objectives[index].ratio
        if same(ratio.good.query, ratio.total.query):
            problems.append(source.problem(places["query"], ALL_GOOD, hint=ALL_GOOD_HINT, code="slo/same-query"))
    return slos, problems


def _slo(whole: File, index: int, settings: dict[str, Any], source: Source) -> Slo:
    objective = whole.spec.objectives[index]
    good, total = normal(objective.ratio.good.query), normal(objective.ratio.total.query)
    return Slo(
        service=whole.spec.service,
        name=f"{whole.metadata.name}-{index}",
        objective=round(objective.target, 12),
        indicator=Events(error_query=not_good(good, total), total_query=total),
        sli=None,
        description=whole.spec.description,
        where=source.location(("spec", "objectives", index)),
        **settings,
    )


def named(tree: Any) -> set[str]:
    """The ids of all SLOs that a document names, readable or not."""
    spec, metadata = tree.get("spec"), tree.get("metadata")
    if not isinstance(spec, dict) or not isinstance(metadata, dict) or not isinstance(spec.get("objectives"), list):
        return set()
    return {f"{spec.get('service')}/{metadata.get('name')}-{index}" for index in range(len(spec["objectives"]))}
