"""A dry run: whom an experiment would strike on this very platform, with what, and how it would be taken back.

It asks the platform who is there and what may be touched, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from holdfast import faults
from holdfast.chaos import kubernetes
from holdfast.chaos.lease import LENGTH
from holdfast.chaos.strike import Wanted, targets
from holdfast.errors import HoldfastError
from holdfast.faults.base import missing
from holdfast.faults.ways.functions import ACTIONS
from holdfast.model.fault import Strike, Words
from holdfast.model.hands import MARK
from holdfast.spec.experiment import calls

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from holdfast.faults.base import Fault
    from holdfast.model.platform import Driver, Identity
    from holdfast.model.scenario import Experiment
    from holdfast.spec.experiment import Call

KUBERNETES: Final = "kubernetes"
"""The family of what is allowed by a label, not by its role."""
NAME: Final = "dryrun"
"""Stands where the name of a strike would be, in commands and files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One target: what would be done to it, in words and, where the fault has some, in commands."""

    target: Identity
    words: Words
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One strike of the method. `refused` says why it would not happen; then it has no hits."""

    name: str
    fault: str
    family: str
    role: str
    bound: str
    """How many it may strike, as it says: "count 1"."""
    options: Mapping[str, Any]
    hits: tuple[Hit, ...]
    spared: tuple[Identity, ...]
    needs: tuple[str, ...]
    lacks: tuple[str, ...]
    lease: float
    bites_within: float
    gone_within: float
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """The whole experiment, aimed. Seconds: `held` is what its holds take, `most` all that may come on top."""

    experiment: str
    file: str
    title: str
    platform: str
    fingerprint: str
    allowed: tuple[str, ...]
    hypothesis: str
    shots: tuple[Shot, ...]
    others: tuple[str, ...]
    """Actions that are no strike, hold or restore of ours: what they touch is not known here."""
    rollbacks: tuple[str, ...]
    held: float
    most: float

    @property
    def refused(self) -> bool:
        """Whether a real run would be refused here."""
        return any(one.refused or one.lacks for one in self.shots)


def aim(experiment: Experiment, driver: Driver, seed: int, lacks: Callable[[Fault], tuple[str, ...]] = missing) -> Aim:
    """What playing it on this platform with this seed would do; `lacks` says what this machine has not got.

    A strike that would be refused is told, not raised.
    """
    found = calls(experiment.document)
    method = [call for call in found if call.section == "method"]
    shots = tuple(_SHOTS[call.func](call, driver, seed, lacks) for call in method if call.func in _SHOTS)
    state = experiment.document.get("steady-state-hypothesis")
    return Aim(
        experiment=experiment.name,
        file=experiment.where.file,
        title=experiment.title,
        platform=str(driver.describe().get("platform", driver.name)),
        fingerprint=driver.fingerprint(),
        allowed=tuple(sorted(driver.allowed)),
        hypothesis=str(state.get("title", "")) if isinstance(state, dict) else "",
        shots=shots,
        others=tuple(call.name for call in found if not call.func),
        rollbacks=tuple(_restored(call) for call in found if call.section == "rollbacks" and call.func in _BACKS),
        held=sum(call.arguments["seconds"] for call in method if call.func == "hold"),
        most=sum(one.bites_within + one.gone_within for one in shots),
    )


def _restored(call: Call) -> str:
    given = call.arguments
    return f"{given['fault']} of {given['role']}" if call.func == "restore" else str(given["action"])


def _shot(call: Call, driver: Driver, seed: int, lacks: Callable[[Fault], tuple[str, ...]]) -> Shot:
    given = call.arguments
    found, within = faults.find(given["fault"]), given.get("within")
    wanted = Wanted(
        fault=given["fault"],
        role=given["role"],
        count=given.get("count"),
        percent=given.get("percent"),
        names=tuple(given.get("names", ())),
        options=given.get("options", {}),
    )
    hits, spared, refused = _hits(found, wanted, driver, seed)
    return Shot(
        name=call.name,
        fault=wanted.fault,
        family=found.family,
        role=wanted.role,
        bound=bound(given),
        options=dict(wanted.options),
        hits=hits,
        spared=spared,
        needs=found.needs,
        lacks=lacks(found),
        lease=LENGTH,
        bites_within=found.bites_within if within is None else within,
        gone_within=found.gone_within,
        refused=refused,
    )


def _act(call: Call, driver: Driver, _: int, lacks: Callable[[Fault], tuple[str, ...]]) -> Shot:
    """What an `act` would hit; its probes are asked, as they would be before it."""
    found, given = faults.find(kubernetes.FAULT), call.arguments
    hits, refused = _acted(found, given, driver)
    return Shot(
        name=call.name,
        fault=found.title,
        family=found.family,
        role=ACTIONS[given["action"]].aim,
        bound="as its arguments say",
        options={},
        hits=hits,
        spared=(),
        needs=found.needs,
        lacks=lacks(found),
        lease=LENGTH,
        bites_within=float(given["proof"].get("within", found.bites_within)),
        gone_within=found.patience(given),
        refused=refused,
    )


def _acted(found: Fault, given: Mapping[str, Any], driver: Driver) -> tuple[tuple[Hit, ...], str]:
    try:
        target = kubernetes.aimed(driver, given)
    except HoldfastError as error:
        return (), str(error)
    strike = Strike(id=NAME, fault=kubernetes.FAULT, target=target, options=given)
    return (Hit(target=target, words=in_words(found, target.name, given), commands=found.commands(driver, strike)),), ""


_SHOTS: Final[Mapping[str, Callable[..., Shot]]] = {"strike": _shot, "act": _act}
_BACKS: Final = frozenset({"restore", "take_back"})


def _hits(found: Fault, wanted: Wanted, driver: Driver, seed: int) -> tuple[tuple[Hit, ...], tuple[Identity, ...], str]:
    """(hits, who is spared, why it would be refused)."""
    try:
        chosen, spared = targets(driver, wanted, seed)
        return tuple(_hit(found, wanted, driver, target) for target in chosen), tuple(spared), ""
    except HoldfastError as error:
        return (), (), str(error)


def _hit(found: Fault, wanted: Wanted, driver: Driver, target: Identity) -> Hit:
    strike = Strike(id=NAME, fault=wanted.fault, target=target, options=wanted.options)
    found.reach(driver, strike)
    return Hit(
        target=target,
        words=in_words(found, target.name, wanted.options),
        commands=found.commands(driver, strike),
    )


def in_words(found: Fault, target: str, options: Mapping[str, Any]) -> Words:
    """The fault's four parts with target and options in their places. Raises TargetError for wrong options."""
    places = {"target": target, **found.places(options)}
    return Words(*(one.format(**places) for one in found.words))


def bound(given: Mapping[str, Any]) -> str:
    """What bounds a strike, as its arguments say it."""
    if given.get("names"):
        return f"names {', '.join(given['names'])}"
    if given.get("percent") is not None:
        return f"{given['percent']:g} percent"
    return f"count {given.get('count', 1)}"


def aim_text(found: Aim) -> str:
    """For a person."""
    lines = [
        f"{found.title} ({found.experiment}, {found.file})",
        f"dry run on {found.platform} {found.fingerprint}: nothing is touched",
        *([f"first, and again after the method: {found.hypothesis}"] if found.hypothesis else []),
        *(line for number, one in enumerate(found.shots, 1) for line in _shot_lines(number, one)),
        *(f"also {name}: no strike of ours, what it touches is not known here" for name in found.others),
        f"then held for {found.held:g}s" if found.held else "then nothing is held",
        f"rollbacks, always played: {', '.join(found.rollbacks)}",
        f"lasts {found.held:g}s, and at most {found.most:g}s more to see it bite and gone",
    ]
    return "\n".join(lines)


def _shot_lines(number: int, one: Shot) -> list[str]:
    options = ", ".join(f"{name}: {value}" for name, value in one.options.items())
    head = f"{number}. {one.name}: {one.fault} ({one.family}), {one.bound} of role {one.role}"
    allowed = f"role {one.role} on the platform's allow-list"
    needs = ", ".join([*one.needs, f"the label {MARK}" if one.family == KUBERNETES else allowed])
    rows = [("options", options), ("refused", one.refused), ("lacks", ", ".join(one.lacks))]
    for hit in one.hits:
        rows += [("target", f"{hit.target.name} {hit.target.unit}"), ("apply", hit.words.apply)]
        rows += [("", command) for command in hit.commands]
        rows += [("proof", f"{hit.words.bites}; within {one.bites_within:g}s"), ("undo", hit.words.undo)]
        rows += [("gone", f"{hit.words.gone}; within {one.gone_within:g}s")]
    rows += [("spared", ", ".join(other.name for other in one.spared))]
    rows += [("needs", needs), ("lease", f"{one.lease:g}s, renewed while the run lives")]
    return [head, *(f"   {name:<9}{line}" for name, text in rows if text for line in text.splitlines())]
