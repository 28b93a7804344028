"""What documents for a cluster call: `act` and `hold` in the method, `take_back` in the rollbacks, `look` as a probe.

`act` calls a function of chaostoolkit-kubernetes, and believes it only when a probe says something that it did not say
before. The cluster is the one of KUBECONFIG and, where it is set, KUBERNETES_CONTEXT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from holdfast import faults
from holdfast.chaos.activities import held, state_of, striker_on
from holdfast.chaos.strike import Striker, Wanted
from holdfast.errors import TargetError
from holdfast.faults.ways.functions import ACTIONS, PROBES, elsewhere
from holdfast.model.fault import Strike
from holdfast.model.hands import Cluster
from holdfast.platforms.connect import meant
from holdfast.platforms.kubernetes import NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.chaos.ledger import Entry
    from holdfast.model.platform import Driver, Identity

FAULT: Final = "chaosk8s"
_ONE: Final = frozenset({"node", "new-object", "new-deployment"})
"""Aims at one thing by its name, wherever that name is written."""


def act(
    *,
    action: str,
    arguments: Mapping[str, Any],
    proof: Mapping[str, Any],
    gone: Mapping[str, Any],
    back: Mapping[str, Any] | None = None,
    configuration: Mapping[str, Any] | None = None,
) -> list[dict[str, str]]:
    """Call `action` with `arguments`, and see `proof`; `back` and `gone` are written down first, for `take_back`.

    Refused when it would hit nothing or more than it says, when what it would hit is not marked as allowed, and when
    `proof` holds or `gone` does not before anything was done. Not seen within the proof's seconds, it is `unseen`.
    """
    options = {"action": action, "arguments": dict(arguments), "proof": dict(proof), "gone": dict(gone)}
    options |= {"back": dict(back)} if back else {}
    struck = acted(_striker(configuration or {}), options)
    return [{"target": entry.name, "unit": entry.unit, "step": entry.step} for entry in struck]


def acted(striker: Striker, options: Mapping[str, Any]) -> tuple[Entry, ...]:
    """`act` in the name of a run."""
    action = str(options["action"])
    within = float(options["proof"].get("within", faults.find(FAULT).bites_within))
    wanted = Wanted(fault=FAULT, role=action, names=(action,), options=options, within=within)
    return striker.strike(wanted, lambda: ([aimed(striker.driver, options)], []))


def aimed(driver: Driver, options: Mapping[str, Any]) -> Identity:
    """What it would hit, by uid, once its probes were looked at. Raises TargetError; touches nothing."""
    action = str(options["action"])
    if action not in ACTIONS:
        raise TargetError(f"{action} is not one that may be called", hint="holdfast check says why")
    found: Any = faults.find(FAULT)
    hand = driver.hand(Cluster)
    target = hand.target(ACTIONS[action].aim, action, options["arguments"])
    _same(target, hand, options)
    found.before(driver, Strike(id="before", fault=FAULT, target=target, options=options))
    return target


def _same(target: Identity, hand: Cluster, options: Mapping[str, Any]) -> None:
    """Raises TargetError when its way back would take back something else, or leave it otherwise than it was found."""
    struck, back = options["arguments"], (options.get("back") or {}).get("arguments", {})
    wrong = [f"{name} {back.get(name)!r}" for name in elsewhere(struck, back)]
    if target.role in _ONE and back.get("name", target.name) != target.name:
        wrong = wrong or [f"name {back['name']!r}"]
    if wrong:
        raise TargetError(f"{', '.join(wrong)} would be taken back, and {target.name} is struck")
    if "replicas" in back and (now := hand.replicas(target.role, struck)) != back["replicas"]:
        told = f"{target.name} has {now} replicas, and would be taken back to {back['replicas']}"
        raise TargetError(told, hint=f"replicas: {now}")


def hold(seconds: float, configuration: Mapping[str, Any] | None = None) -> str:
    """Leave things as they are for so long; ends at once, with LetGoError, when the run is asked to let go."""
    return held(_striker(configuration or {}), seconds)


def take_back(action: str, configuration: Mapping[str, Any] | None = None) -> list[dict[str, str]]:
    """Undo what `action` of this run did, newest first, and see each gone; safe to call twice."""
    done = taken_back(_striker(configuration or {}), action)
    return [{"target": entry.name, "step": entry.step} for entry in done]


def taken_back(striker: Striker, action: str) -> list[Entry]:
    """`take_back` in the name of a run."""
    mine = [one for one in striker.ledger.open_faults(striker.run) if one.options.get("action") == action]
    return [striker.restore(one) for one in mine]


def look(probe: str, arguments: Mapping[str, Any], configuration: Mapping[str, Any] | None = None) -> Any:
    """What a probe says of the cluster: for steady states."""
    if probe not in PROBES:
        raise TargetError(f"{probe} is not one that may be asked", hint="holdfast check says why")
    return meant(state_of(configuration or {}), NAME).hand(Cluster).call(probe, arguments)


def _striker(configuration: Mapping[str, Any]) -> Striker:
    return striker_on(meant(state_of(configuration), NAME), configuration)
