"""While a gate is frozen, its scenarios are not played, and no record of them is judged: its tests say so instead."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest

from holdfast import project
from holdfast.errors import HoldfastError
from holdfast.gate import freeze_text
from holdfast.objectives.freeze import freeze_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from holdfast.app import Workplace
    from holdfast.freeze import Freeze
    from holdfast.play import Played
    from holdfast.plugin.runs import Play

OPTION: Final = "--holdfast-despite-freeze"
UNNAMED: Final = "pytest"
"""The gate of a scenario that has no label `gate`."""


class FrozenError(HoldfastError):
    """Error budgets forbid a gate, or cannot be read: FAIL, or UNKNOWN."""

    def __init__(self, gate: str, freeze: Freeze) -> None:
        super().__init__(f"gate {gate} is not open: {'; '.join(freeze_text(freeze))}", hint=f'{OPTION} "REASON"')
        self.state = freeze.state


@dataclass(slots=True, kw_only=True)
class Unfrozen:
    """Asks the error budgets once for each gate, and lets `play` have a scenario only when they allow it.

    `despite` is why a freeze is to be passed over, `token` what the policy's Prometheus may want to see. `told` are the
    words about freezes that were, in order.
    """

    play: Play
    place: Callable[[Path], Workplace]
    despite: str = ""
    token: str = ""
    told: list[str] = field(default_factory=list)
    _known: dict[tuple[Path, str], Freeze | None] = field(default_factory=dict)

    def __call__(self, path: Path) -> Played:
        """Play it, or find its record. Raises FrozenError, and what `play` and `freeze_of` raise."""
        place = self.place(project.find_root(path.parent))
        gate = project.load_scenario(path, place.root).labels.get("gate", UNNAMED)
        freeze = self._freeze(place, gate)
        if freeze and freeze.stops:
            raise FrozenError(gate, freeze)
        return self.play(path)

    def _freeze(self, place: Workplace, gate: str) -> Freeze | None:
        if (place.root, gate) not in self._known:
            freeze = freeze_of(place.root, place.state, gate, place.clock.wall(), self.despite, token=self.token)
            self._known[place.root, gate] = freeze
            self.told += [f"gate {gate}: {line}" for line in freeze_text(freeze) if self.despite]
        return self._known[place.root, gate]


def reason(given: Any) -> str:
    """Why a freeze is to be passed over; empty without the option. Raises pytest.UsageError for an empty reason."""
    if given is not None and not str(given).strip():
        raise pytest.UsageError(f'{OPTION} needs a reason: {OPTION} "fixes the outage of today"')
    return str(given or "").strip()
