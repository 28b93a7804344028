"""What Chaos Toolkit documents call: `strike` and `hold` in the method, `restore` in the rollbacks, `ready` as a probe.

The platform is found by the document's configuration (`holdfast_state`) or by HOLDFAST_STATE, `.holdfast` by default,
so the same file runs inside a scenario and under plain `chaos run`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from holdfast.chaos import ledger
from holdfast.chaos.guard import watch_of
from holdfast.chaos.lease import LENGTH
from holdfast.chaos.strike import LetGoError, Striker, Wanted
from holdfast.clock import SystemClock
from holdfast.platforms.connect import connect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.model.platform import Driver

_POLL: Final = 0.05


def strike(
    *,
    fault: str,
    role: str,
    count: int | None = None,
    percent: float | None = None,
    names: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    within: float | None = None,
    configuration: Mapping[str, Any] | None = None,
) -> list[dict[str, str]]:
    """Apply `fault` to ready replicas of `role`: to `count` of them (1), to `percent`, or to those with `names`.

    Returns what was struck; a fault that is not seen to bite within `within` seconds (else the fault's own limit) is
    written down as unseen.
    """
    wanted = Wanted(
        fault=fault,
        role=role,
        count=1 if count is None and percent is None and not names else count,
        percent=percent,
        names=tuple(names),
        options=dict(options or {}),
        within=within,
    )
    struck = _striker(configuration or {}).strike(wanted)
    return [{"target": entry.name, "unit": entry.unit, "step": entry.step} for entry in struck]


def hold(seconds: float, configuration: Mapping[str, Any] | None = None) -> str:
    """Leave things as they are for so long; ends at once, with LetGoError, when the run is asked to let go."""
    return held(_striker(configuration or {}), seconds)


def held(striker: Striker, seconds: float) -> str:
    """Wait so long in the name of a run, unless there is nothing to wait for: every strike was refused.

    Raises LetGoError as soon as it is asked to let go.
    """
    if {entry.step for entry in striker.ledger.entries() if entry.run == striker.run} == {"refused"}:
        return "not held: every strike was refused"
    deadline = striker.clock.monotonic() + seconds
    while (left := deadline - striker.clock.monotonic()) > 0:
        if striker.let_go():
            raise LetGoError(f"let go with {left:.1f} s to go")
        striker.clock.sleep(min(_POLL, left))
    return f"held for {seconds:g} s"


def restore(
    fault: str,
    role: str,
    within: float | None = None,
    configuration: Mapping[str, Any] | None = None,
) -> list[dict[str, str]]:
    """Undo every open `fault` on `role` of this run and see each gone within `within` seconds; safe to call twice."""
    striker = _striker(configuration or {})
    mine = [one for one in striker.ledger.open_faults(striker.run) if (one.fault, one.role) == (fault, role)]
    return [{"target": entry.name, "step": striker.restore(entry, within).step} for entry in mine]


def ready(role: str, configuration: Mapping[str, Any] | None = None) -> int:
    """How many replicas of `role` are ready: a probe for steady states."""
    driver = connect(state_of(configuration or {}))
    return sum(replica.ready for replica in driver.replicas(role))


def state_of(configuration: Mapping[str, Any]) -> Path:
    """Folder of the platform's state, as a document's configuration or the environment names it."""
    return Path(configuration.get("holdfast_state") or os.environ.get("HOLDFAST_STATE", ".holdfast")).absolute()


def _striker(configuration: Mapping[str, Any]) -> Striker:
    return striker_on(connect(state_of(configuration)), configuration)


def striker_on(driver: Driver, configuration: Mapping[str, Any]) -> Striker:
    """Strikes on this platform in the name of the run that a document's configuration tells."""
    clock = SystemClock()
    book = ledger.of(driver, clock, float(configuration.get("holdfast_lease", LENGTH)))
    run = str(configuration.get("holdfast_run", f"chaos-run-{os.getpid()}"))
    return Striker(
        driver=driver,
        ledger=book,
        clock=clock,
        run=run,
        seed=int(configuration.get("holdfast_seed", 0)),
        guard=watch_of(driver, book, run),
        fingerprint=str(configuration.get("holdfast_fingerprint", "")),
    )
