"""What Chaos Toolkit documents call: `strike` in the method, `restore` in the rollbacks.

The platform is found by the document's configuration (`holdfast_state`) or by HOLDFAST_STATE, `.holdfast` by default,
so the same file runs inside a scenario and under plain `chaos run`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.chaos.ledger import Ledger
from holdfast.chaos.strike import Striker
from holdfast.clock import SystemClock
from holdfast.platforms.connect import connect

if TYPE_CHECKING:
    from collections.abc import Mapping


def strike(
    fault: str,
    role: str,
    count: int = 1,
    within: float = 5.0,
    configuration: Mapping[str, Any] | None = None,
) -> list[dict[str, str]]:
    """Apply `fault` to `count` ready replicas of `role`; true only when it was seen to bite within `within` seconds."""
    struck = _striker(configuration or {}).strike(fault, role, count, within)
    return [{"target": entry.name, "unit": entry.unit, "step": entry.step} for entry in struck]


def restore(
    fault: str,
    role: str,
    within: float = 30.0,
    configuration: Mapping[str, Any] | None = None,
) -> list[dict[str, str]]:
    """Undo every open `fault` on `role` of this run and see each gone within `within` seconds; safe to call twice."""
    striker = _striker(configuration or {})
    mine = [one for one in striker.ledger.open_faults(striker.run) if (one.fault, one.role) == (fault, role)]
    return [{"target": entry.name, "step": striker.restore(entry, within).step} for entry in mine]


def _striker(configuration: Mapping[str, Any]) -> Striker:
    state = configuration.get("holdfast_state") or os.environ.get("HOLDFAST_STATE", ".holdfast")
    driver, clock = connect(Path(state)), SystemClock()
    return Striker(
        driver=driver,
        ledger=Ledger(driver.ledger(), clock),
        clock=clock,
        run=str(configuration.get("holdfast_run", "chaos-run")),
        seed=int(configuration.get("holdfast_seed", 0)),
    )
