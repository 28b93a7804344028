"""The calibration as the simulator reads it: the engine's limits, the fitted numbers, and where they come from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from holdfast.calibration.errors import NUMBERS, Knee, Pair, summary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.calibration.fit import Fitted

DIGITS: Final = 4
"""Of a coefficient; a measurement has no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What bounds the engine, by vLLM's names; tokens and requests."""

    max_num_seqs: int
    max_num_batched_tokens: int
    max_model_len: int
    kv_cache_tokens: int


def document(name: str, note: str, limits: Limits, fitted: Fitted, measured: dict[str, Any]) -> dict[str, Any]:
    """What `refplatform.engine.calibration.read_calibration` reads; `measured` says of what, with what, and when."""
    numbers = {key: _rounded(value) for key, value in asdict(fitted.coefficients).items()}
    return {
        "name": name,
        "note": note,
        **asdict(limits),
        **numbers,
        "noise": _rounded(fitted.noise),
        "measured": measured,
    }


def _rounded(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.{DIGITS}g}")


def checked(found: Sequence[Pair], knees: Sequence[tuple[Knee, Knee]]) -> dict[str, Any]:
    """The errors, as shares, for the file: of cells that the fit saw, and of those that it never saw."""
    told: dict[str, Any] = {}
    for title, held in (("held_out", True), ("seen", False)):
        mine = [one for one in found if one.held is held]
        told[title] = {number: asdict(summary(mine, number)) for number in NUMBERS}
    errors = [said.throughput / truth.throughput - 1 for truth, said in knees if truth.reached]
    told["knee"] = {"shapes": len(errors), "largest": max(map(abs, errors), default=None)}
    return told
