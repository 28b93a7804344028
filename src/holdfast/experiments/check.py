"""Is an experiment one that can be played? Every strike, hold and restore of its document, each problem with its place.

A fault that is not known, an option that it does not have, a strike that nothing takes back: all of it can be said
before a platform is up.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from holdfast import faults, project
from holdfast.chaos.toolkit import complaint
from holdfast.errors import Problem, SpecError
from holdfast.experiments.clusters import act_problems, cluster_problems
from holdfast.experiments.shapes import SHAPES
from holdfast.spec.experiment import HOW_MANY, KUBERNETES, calls, filled
from holdfast.spec.shapes import shaped
from holdfast.spec.source import did_you_mean, read
from holdfast.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from holdfast.model.scenario import Experiment, Phase, Scenario
    from holdfast.spec.experiment import Call
    from holdfast.spec.source import Source

CHAOSK8S: Final = "chaosk8s"
ROOM: Final = 4.0
"""Seconds of a phase that no hold may take: two before its fault strikes, two for it to be taken back."""


def experiment_problems(path: Path, root: Path) -> list[Problem]:
    """Everything wrong with one file of chaos/."""
    try:
        experiment, source = project.load_experiment(str(path), root)
    except SpecError as error:
        return list(error.problems)
    return problems(experiment, source)


def problems(experiment: Experiment, source: Source) -> list[Problem]:
    """Everything wrong with what it asks of us; where that is nothing, whatever Chaos Toolkit refuses."""
    source = replace(source, tree=filled(experiment.document))
    found = calls(experiment.document)
    ours = [one for call in found if call.func in SHAPES for one in _of_call(call, source)]
    ours += [*cluster_problems(experiment.document, source), *_left_behind(found, source)]
    if not ours and (told := complaint(experiment.document)):
        return [Problem(where=experiment.where, what=f"Chaos Toolkit refuses it: {told}")]
    return ours


def _of_call(call: Call, source: Source) -> Iterator[Problem]:
    if not call.arguments:
        yield source.problem(call.path[:-1], f"{call.func} needs arguments")
        return
    _, wrong = shaped(SHAPES[call.func], source, call.path)
    yield from wrong
    if call.func == "act" and not wrong:
        yield from act_problems(call, source)
    if call.func in {"strike", "restore"}:
        yield from _of_fault(call, source)
    if call.func == "strike":
        yield from _how_many(call, source)
        if call.section == "rollbacks":
            yield source.problem(call.path, "a strike in the rollbacks: nothing takes it back")


def _of_fault(call: Call, source: Source) -> Iterator[Problem]:
    name = call.arguments.get("fault")
    if not isinstance(name, str):
        return
    if name not in faults.names():
        hint = did_you_mean(name, faults.names())
        yield source.problem((*call.path, "fault"), f"no fault named {name!r}", hint=hint)
        return
    if name == CHAOSK8S:
        hint = f"module: {KUBERNETES}, func: {'act' if call.func == 'strike' else 'take_back'}"
        yield source.problem((*call.path, "fault"), f"{name} strikes no role", hint=hint)
        return
    options = call.arguments.get("options", {})
    if call.func == "restore" or not isinstance(options, dict):
        return
    shape = faults.find(name).Options
    if "options" in call.arguments:
        yield from shaped(shape, source, (*call.path, "options"))[1]
    else:
        missing = [key for key, field in shape.model_fields.items() if field.is_required()]
        yield from (source.problem(call.path, f"{name} needs the option {key!r}") for key in missing)


def _how_many(call: Call, source: Source) -> Iterator[Problem]:
    said = [word for word in HOW_MANY if call.arguments.get(word) not in (None, [])]
    if len(said) == 1:
        return
    what = f"it says {' and '.join(said)}" if said else "it does not say how many it may strike"
    hint = f"exactly one of {', '.join(HOW_MANY)}"
    yield source.problem((*call.path, said[1]) if said else call.path, what, hint=hint, key=bool(said))


def _left_behind(found: Sequence[Call], source: Source) -> Iterator[Problem]:
    """Strikes of the method that no rollback takes back."""
    restored = {_whom(call) for call in found if call.func == "restore" and call.section == "rollbacks"}
    known = faults.names()
    for call in found:
        struck = call.func == "strike" and call.section == "method" and call.arguments.get("fault") in known
        if struck and _whom(call) not in restored:
            fault, role = _whom(call)
            hint = f"a restore with fault: {fault}, role: {role}"
            yield source.problem(call.path, f"no rollback takes {fault} of {role} back", hint=hint)
    backs = {call.arguments.get("action") for call in found if call.func == "take_back" and call.section == "rollbacks"}
    for call in found:
        action = call.arguments.get("action")
        if call.func == "act" and call.section == "method" and action and action not in backs:
            what = f"no rollback takes {action} back"
            yield source.problem(call.path, what, hint=f"a take_back with action: {action}")


def _whom(call: Call) -> tuple[str, str]:
    return str(call.arguments.get("fault")), str(call.arguments.get("role"))


def hold_problems(scenario: Scenario) -> Iterator[Problem]:
    """Holds that are longer than the phase which plays them, with the time that a fault needs before and after."""
    for phase in scenario.phases:
        if phase.chaos and phase.chaos in scenario.experiments:
            yield from _too_long(scenario.experiments[phase.chaos], phase, scenario)


def _too_long(experiment: Experiment, phase: Phase, scenario: Scenario) -> Iterator[Problem]:
    holds = [call for call in calls(experiment.document, "method") if call.func == "hold"]
    seconds = sum(float(one.arguments["seconds"]) for one in holds if _is_number(one.arguments.get("seconds")))
    room = phase.length - ROOM
    if not holds or seconds <= room:
        return
    source = read(scenario.files[experiment.where.file], experiment.where.file)
    played = f"phase {phase.name} of {scenario.where.file} lasts {show_duration(phase.length)}"
    fit = f"at most {show_duration(room)} fit" if room > 0 else "nothing fits"
    hint = f"{fit}: the fault strikes 2s into the phase and needs 2s to be gone"
    yield source.problem((*holds[-1].path, "seconds"), f"held for {show_duration(seconds)}, but {played}", hint=hint)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
