"""What is wrong with a document for Kubernetes: functions that may not be called, or that nothing proves or bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from holdfast.faults.ways.functions import ACTIONS, BACKS, PROBES, REFUSED, elsewhere, lacking
from holdfast.platforms.kubernetes import NAME
from holdfast.spec.experiment import EMBEDDED, KUBERNETES, MODULE, driver_of, providers
from holdfast.spec.source import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from holdfast.errors import Problem
    from holdfast.spec.experiment import Call
    from holdfast.spec.source import Path, Source

_EXTENSION: Final = "chaosk8s"
_DRIVERS: Final = (EMBEDDED, NAME)
_MESH: Final = "chaos-mesh.org"
_PROOFS: Final = ("proof", "gone")


def cluster_problems(document: Mapping[str, Any], source: Source) -> Iterator[Problem]:
    """Of the document as a whole: chaosk8s called past us, a driver that is not named, probes that cannot fail."""
    driver = driver_of(document)
    if driver not in _DRIVERS:
        hint = did_you_mean(driver, _DRIVERS)
        yield source.problem(("extensions",), f"there is no driver {driver!r}", hint=hint)
    for place, provider in providers(document):
        module, given = str(provider.get("module", "")), provider.get("arguments")
        if module.partition(".")[0] == _EXTENSION:
            yield _past_us(f"{module}.{provider.get('func')}", place, source)
        elif module == KUBERNETES and driver != NAME:
            hint = f"extensions: [{{name: holdfast, driver: {NAME}}}]"
            yield source.problem((*place, "module"), f"it needs driver {NAME}, and does not say so", hint=hint)
        elif module == MODULE and driver == NAME:
            what = f"{provider.get('func')} looks for an embedded platform, and this is for driver {NAME}"
            yield source.problem((*place, "module"), what, hint=KUBERNETES)
        if module == KUBERNETES and provider.get("func") == "look" and isinstance(given, dict):
            yield from _probe(given, (*place, "arguments"), source)


def act_problems(call: Call, source: Source) -> Iterator[Problem]:
    """Of one `act` whose shape is right."""
    given = call.arguments
    if call.section == "rollbacks":
        yield source.problem(call.path, "an act in the rollbacks: nothing takes it back")
    action = ACTIONS.get(given["action"])
    if action is None:
        yield _refused(given["action"], ACTIONS, "an action", (*call.path, "action"), source)
        return
    yield from _needed(action.needs, given, call.path, source)
    yield from _taken_back(call, action.back, source)
    for name in _PROOFS:
        yield from _probe(given[name], (*call.path, name), source)
    resource = given.get("arguments", {}).get("resource")
    if given.get("arguments", {}).get("group") == _MESH and not _duration(resource):
        where = (*call.path, "arguments", "resource")
        what = "without spec.duration this fault never expires when the run is killed"
        yield source.problem(where, what, hint="duration: 20s")


def _past_us(name: str, place: Path, source: Source) -> Problem:
    if name in REFUSED:
        return _refused(name, {}, "a function", (*place, "module"), source)
    does = "look" if ".probes." in name else "act"
    what = f"{name} is called without proof" if does == "act" else f"{name} is asked past the cluster that is meant"
    return source.problem((*place, "module"), what, hint=f"module: {KUBERNETES}, func: {does}")


def _probe(given: Mapping[str, Any], place: Path, source: Source) -> Iterator[Problem]:
    name = given.get("probe")
    if not isinstance(name, str):
        return
    if name not in PROBES:
        yield _refused(name, PROBES, "a probe", (*place, "probe"), source)
        return
    yield from _needed(PROBES[name], given, place, source)


def _taken_back(call: Call, back: str, source: Source) -> Iterator[Problem]:
    given, place = call.arguments.get("back"), (*call.path, "back")
    if not back:
        if given:
            what = f"{call.arguments['action']} is taken back by controllers alone"
            yield source.problem(place, what, hint="leave back: out", key=True)
        return
    if not given:
        yield source.problem(
            call.path, f"nothing takes {call.arguments['action']} back", hint=f"back: {{action: {back}}}"
        )
    elif given["action"] != back:
        what = f"{given['action']} does not take {call.arguments['action']} back"
        yield source.problem((*place, "action"), what, hint=back)
    else:
        yield from _needed(BACKS[back], given, place, source)
        yield from _elsewhere(call.arguments.get("arguments", {}), given.get("arguments", {}), place, source)


def _elsewhere(struck: Mapping[str, Any], back: Mapping[str, Any], place: Path, source: Source) -> Iterator[Problem]:
    for name in elsewhere(struck, back):
        what = f"it takes back {name} {back.get(name)!r}, and {struck.get(name)!r} is struck"
        yield source.problem((*place, "arguments", *([name] if name in back else [])), what)


def _needed(needs: tuple[str, ...], given: Mapping[str, Any], place: Path, source: Source) -> Iterator[Problem]:
    for need in lacking(needs, given.get("arguments")):
        words = need.replace("|", " or ")
        what = f"without {words} nobody knows what it would hit" if "|" not in need else f"it needs one of {words}"
        yield source.problem(
            (*place, "arguments") if "arguments" in given else place, what, hint=f"{need.split('|')[0]}: …"
        )


def _refused(name: str, known: Mapping[str, object], kind: str, place: Path, source: Source) -> Problem:
    if name in REFUSED:
        why, instead = REFUSED[name]
        return source.problem(place, f"{name} is refused: {why}", hint=f"use {instead}" if instead else "")
    return source.problem(place, f"{name} is not {kind} that can be aimed and proved", hint=did_you_mean(name, known))


def _duration(resource: object) -> bool:
    spec = resource.get("spec") if isinstance(resource, dict) else None
    return isinstance(spec, dict) and bool(spec.get("duration"))
