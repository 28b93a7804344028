"""How fast a simulated engine is and how much it holds: the numbers, and the time of one step computed from them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from pathlib import Path

    from refplatform.engine.scheduler import Step

_JSON_TYPES: Final[dict[str, tuple[type, ...]]] = {"int": (int,), "float": (int, float), "str": (str,)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Limits in vLLM's own terms and the coefficients of the step time, in seconds; raises ValueError when absurd."""

    name: str
    max_num_seqs: int
    max_num_batched_tokens: int
    max_num_queued_reqs: int
    max_model_len: int
    kv_cache_tokens: int
    c0: float
    c_prefill: float
    c_seq: float
    c_kv: float
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse numbers with which the scheduler's promises could not be kept."""
        if self.max_num_seqs < 1 or self.max_num_queued_reqs < 0 or self.max_model_len < 2:  # noqa: PLR2004
            raise ValueError("max_num_seqs must be at least 1, max_num_queued_reqs 0, max_model_len 2")
        if self.max_num_batched_tokens <= self.max_num_seqs:
            raise ValueError("max_num_batched_tokens must exceed max_num_seqs: each running request gets its token")
        if self.kv_cache_tokens < self.max_model_len:
            raise ValueError("kv_cache_tokens must hold at least one request of max_model_len")
        if self.c0 <= 0 or min(self.c_prefill, self.c_seq, self.c_kv) < 0:
            raise ValueError("c0 must be positive and the other coefficients not negative")

    def step_seconds(self, step: Step) -> float:
        """Duration of a step: c0 + c_prefill per prompt token + c_seq per sequence + c_kv per token of context."""
        return self.c0 + self.c_prefill * step.prefill_tokens + self.c_seq * len(step.chunks) + self.c_kv * step.context


def read_calibration(path: Path) -> Calibration:
    """The calibration in a JSON file. Raises OSError, or ValueError that names what is missing, unknown or wrong."""
    raw = orjson.loads(path.read_bytes())
    if not isinstance(raw, dict):
        raise ValueError("expected a JSON object")  # noqa: TRY004
    known = {field.name: field.type for field in fields(Calibration)}
    unknown, missing = raw.keys() - known, known.keys() - raw.keys() - {"note"}
    if unknown or missing:
        raise ValueError(f"unknown keys {sorted(unknown)}, missing keys {sorted(missing)}")
    wrong = [name for name, value in raw.items() if not isinstance(value, _JSON_TYPES[str(known[name])])]
    if wrong:
        raise ValueError(", ".join(f"{name} must be {known[name]}, got {raw[name]!r}" for name in wrong))
    return Calibration(**raw)
