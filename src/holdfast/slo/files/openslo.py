"""OpenSLO v1: objects in one file that name each other, read into one SLO per objective.

What Prometheus rules cannot do (another metric source, a composite, an alert that no tier is) is a problem, never left
out in silence.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from holdfast.model.slo import Calendar, Occurrences, RatioTimeslices, Rolling, Slo, Timeslices
from holdfast.slo.files import checks, openslo_indicators
from holdfast.slo.files.extension import PREFIX, annotated, check_calendar, whole_period, whole_slice
from holdfast.slo.files.fields import RESERVED
from holdfast.slo.files.openslo_alerts import with_alerts
from holdfast.slo.files.openslo_place import Place
from holdfast.slo.files.openslo_shapes import KINDS, SliObject, SloObject
from holdfast.slo.files.times import moment, zone_name
from holdfast.spec.shapes import shaped
from holdfast.spec.source import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.errors import Problem
    from holdfast.model.slo import Budgeting
    from holdfast.slo.files.openslo_place import Kinds
    from holdfast.slo.files.openslo_shapes import Objective, SliSpec, SloSpec, TimeWindow
    from holdfast.spec.source import Source

_ALL: Final = 100.0
_MISFIT: Final = re.compile(r"[^a-zA-Z0-9_]")
_SAID_ELSEWHERE: Final = {"period": "timeWindow", "calendar": "timeWindow", "budgeting": "budgetingMethod"}


def kinds_of(sources: Iterable[Source]) -> Kinds:
    """All objects of a file, by kind and name; the first where two have one name."""
    found: dict[tuple[str, str], Source] = {}
    for source in sources:
        kind, metadata = source.tree.get("kind"), source.tree.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        if isinstance(kind, str) and kind in KINDS and isinstance(name, str):
            found.setdefault((kind, name), source)
    return found


def read(source: Source, kinds: Kinds) -> tuple[list[Slo], list[Problem]]:
    """The SLOs of one object (none, unless its kind is SLO), and every problem with it."""
    kind = source.tree.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        hint = did_you_mean(str(kind), KINDS)
        return [], [source.problem(("kind",), f"OpenSLO has no kind {kind!r}", hint=hint, code="slo/format")]
    shape, problems = shaped(KINDS[kind], source, family="slo")
    if shape is None:
        return [], problems
    place = Place(source, ("spec",), kinds, problems)
    first = kinds.get((kind, shape.metadata.name), source)
    if first is not source:
        what = f"another {kind} has the name {shape.metadata.name}"
        hint = f"first written in line {first.location(('metadata', 'name')).line}"
        problems.append(source.problem(("metadata", "name"), what, hint=hint, code="slo/duplicate"))
    if isinstance(shape, SliObject):
        openslo_indicators.check(shape.spec, place)
    return (_slos(shape, place) if isinstance(shape, SloObject) else []), problems


def named(tree: Any) -> set[str]:
    """The ids of all SLOs that an object names, readable or not."""
    spec, metadata = tree.get("spec"), tree.get("metadata")
    if tree.get("kind") != "SLO" or not isinstance(spec, dict) or not isinstance(metadata, dict):
        return set()
    objectives = spec.get("objectives")
    count = len(objectives) if isinstance(objectives, list) else 1
    return {f"{spec.get('service')}/{name}" for name in _names(str(metadata.get("name")), count)}


def _names(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}-{index}" for index in range(count)]


def _slos(shape: SloObject, place: Place) -> list[Slo]:
    spec = shape.spec
    common = _common(shape, place)
    if any(of == "Service" for of, _ in place.kinds):
        place.below("service").refer("Service", spec.service)
    sli = _sli(spec, place)
    if sli is None:
        return []
    names = _names(shape.metadata.name, len(spec.objectives))
    made = [_slo(name, spec, index, sli, (place, common)) for index, name in enumerate(names)]
    return [slo for slo in made if slo is not None]


def _common(shape: SloObject, place: Place) -> dict[str, Any]:
    """What the SLOs of all objectives share, as fields of `Slo`."""
    settings, wrong = annotated(shape.metadata.annotations, place.source, ("metadata", "annotations"))
    place.problems.extend(wrong)
    for key, where in _SAID_ELSEWHERE.items():
        name = PREFIX + key
        if name in shape.metadata.annotations:
            path = ("metadata", "annotations", name)
            what = f"{where} says this in OpenSLO"
            place.problems.append(
                place.source.problem(path, what, hint="leave it out", key=True, code="slo/contradiction")
            )
    window = _window(shape.spec.windows[0], place.below("timeWindow", 0)) if shape.spec.windows else Rolling()
    labels = _labels(shape, place)
    sli, bound = checks.client_view(labels)
    own = {key: value for key, value in settings.items() if key not in ("window", "budgeting")}
    return {"window": window, "labels": labels, "sli": sli, "bound": bound, "description": shape.spec.description} | own


def _labels(shape: SloObject, place: Place) -> dict[str, str]:
    """The object's labels as Prometheus takes them: no - . /, and several values in one text."""
    found = {}
    for name, values in shape.metadata.labels.items():
        label = _MISFIT.sub("_", name)
        label = f"_{label}" if label[0].isdigit() else label
        path = ("metadata", "labels", name)
        if label in RESERVED or label.startswith("__"):
            what = f"label {label!r} belongs to the generated rules"
            place.problems.append(place.source.problem(path, what, key=True, code="slo/reserved-label"))
        elif label in found:
            what = f"another label is {label!r} for Prometheus too"
            place.problems.append(place.source.problem(path, what, key=True, code="slo/label"))
        elif not any(values):
            what, hint = "an empty text is the same as none", "leave it out"
            place.problems.append(place.source.problem(path, what, hint=hint, code="slo/empty"))
        else:
            found[label] = ",".join(values)
    place.problems.extend(checks.client_problems(found, place.source, ("metadata", "labels")))
    return found


def _window(window: TimeWindow, place: Place) -> Rolling | Calendar:
    unit = window.duration.unit
    if window.calendar is None or unit is None:
        length = place.below("duration").check(whole_period, window.duration.seconds)
        return Rolling(length=length) if length else Rolling()
    here = place.below("calendar")
    start = here.below("startTime").check(moment, window.calendar.start)
    zone = here.below("timeZone").check(zone_name, window.calendar.zone)
    if start is None or zone is None:
        return Rolling()
    here.below("startTime").check(lambda time: check_calendar(unit, time, zone), start)
    return Calendar(unit=unit, count=window.duration.count, start=start, zone=zone)


def _sli(spec: SloSpec, place: Place) -> tuple[SliSpec, Place] | None:
    """The one indicator of all objectives, and where it stands."""
    given = [key for key, one in (("indicator", spec.indicator), ("indicatorRef", spec.indicator_ref)) if one]
    if len(given) != 1:
        composite = any(one.indicator is not None or one.indicator_ref is not None for one in spec.objectives)
        if not composite:
            place.tell("an SLO needs indicator or indicatorRef", "exactly one", code="slo/sli")
            return None
    if spec.indicator_ref is not None:
        found = place.below("indicatorRef").refer("SLI", spec.indicator_ref)
        return (found[0], found[1]) if found else None
    return (spec.indicator.spec, place.below("indicator", "spec")) if spec.indicator else None


def _slo(
    name: str, spec: SloSpec, index: int, sli: tuple[SliSpec, Place], around: tuple[Place, dict[str, Any]]
) -> Slo | None:
    place, common = around
    objective, here = spec.objectives[index], place.below("objectives", index)
    share, key = _target(objective, here)
    indicator = openslo_indicators.indicator_of(*sli, objective, here)
    budgeting = _budgeting(spec, objective, here)
    if share is None or indicator is None or budgeting is None:
        return None
    words = re.split(r"[-_.]", name)
    slo = Slo(
        service=spec.service,
        name=name,
        objective=share,
        indicator=indicator,
        budgeting=budgeting,
        alert="".join(word[:1].upper() + word[1:] for word in words),
        where=place.source.location(here.path if len(spec.objectives) > 1 else ()),
        **common,
    )
    slo = with_alerts(slo, spec.policies, place.below("alertPolicies"))
    paths = {"objective": here.below(key).path, "settings": here.path, "query": ("spec", "indicator")}
    place.problems.extend(checks.whole_problems(slo, place.source, **paths))
    return slo


def _target(objective: Objective, here: Place) -> tuple[float | None, str]:
    """The objective as a share, and the key that says it."""
    for key, value in (("indicator", objective.indicator), ("indicatorRef", objective.indicator_ref)):
        if value is not None:
            here.below(key).tell("composites cannot be read", "one SLO for each indicator", code="slo/composite")
    if objective.weight is not None:
        here.below("compositeWeight").tell("composites cannot be read", "leave it out", code="slo/composite")
    if (objective.target is None) == (objective.percent is None):
        here.tell("an objective has target or targetPercent", "exactly one", code="slo/objective")
        return None, "target"
    key = "target" if objective.target is not None else "targetPercent"
    value = objective.target if objective.target is not None else (objective.percent or 0.0) / _ALL
    if not 0 < round(value, 12) < 1:
        hint = "target: 0.999 is targetPercent: 99.9; 1 leaves no error budget"
        here.below(key).tell("objective must lie between 0 and 1", hint, code="slo/objective")
        return None, key
    return round(value, 12), key


def _budgeting(spec: SloSpec, objective: Objective, here: Place) -> Budgeting | None:
    """How the budget is counted; slices have their length, and where a slice is good or bad, a share of their own."""
    needed = {"Occurrences": (), "Timeslices": ("slice_target", "slice_window"), "RatioTimeslices": ("slice_window",)}
    for field, key in (("slice_target", "timeSliceTarget"), ("slice_window", "timeSliceWindow")):
        given = getattr(objective, field) is not None
        if given != (field in needed[spec.budgeting]):
            what = f"{key} {'does not belong to' if given else 'is needed by'} {spec.budgeting}"
            (here.below(key) if given else here).tell(what, code="slo/budgeting")
            return None
    if spec.budgeting == "Occurrences":
        return Occurrences()
    length = here.below("timeSliceWindow").check(whole_slice, objective.slice_window.seconds)  # type: ignore[union-attr]
    if length is None:
        return None
    if spec.budgeting == "RatioTimeslices":
        return RatioTimeslices(length=length)
    target = objective.slice_target or 0.0
    if not 0 < target <= 1:
        here.below("timeSliceTarget").tell("a slice's target lies above 0, and at most at 1", code="slo/budgeting")
        return None
    return Timeslices(length=length, target=target)
