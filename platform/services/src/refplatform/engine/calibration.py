"""How fast a simulated engine is and how much it holds: the numbers, and the time of one step computed from them.

    t = c_step                                       launch, scheduling: what is not the model
      + c0 + c_prefill * max(0, tokens - flat_tokens)  the linear layers: weights read once, then multiplied
      + c_attention * attention + c_kv * context     attention of chunks, and of those who answer
      + c_seq * sequences                            sampling and the like
      + c_prompt * chunks of prompts                 taking a request in

Up to about a hundred tokens, reading the weights takes longer than multiplying by them, so these tokens cost nothing
more: `flat_tokens`. Beyond, every token costs `c_prefill`, whether it belongs to a prompt or to an answer.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Final

import orjson

from refplatform.engine.scheduler import BLOCK_TOKENS, Limits

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from refplatform.engine.scheduler import Step

_JSON_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "int": (int,),
    "int | None": (int, type(None)),
    "float": (int, float),
    "str": (str,),
    "dict[str, object] | None": (dict, type(None)),
}

MOST_NOISE_DEVIATIONS: Final = 3.0
"""A step's noise is cut here, so that no step takes no time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Limits in vLLM's own terms, coefficients in seconds (a token, a sequence, a step), memory in bytes.

    The KV cache is `kv_cache_tokens` if given, and otherwise follows from the memory: what `gpu_memory_utilization`
    leaves of `memory_bytes` beside `weight_bytes` and `other_bytes` (activations, graphs), at `kv_bytes_per_token`.
    `c_request` is what a request costs before its first step, beyond what the simulator itself takes for it, and
    `c_beside` how much longer that takes for each request that is running. `noise` is the standard deviation of a
    step's time as a share of it. `measured` says where the numbers come from. Raises ValueError when absurd.
    """

    name: str
    note: str = ""
    max_num_seqs: int
    max_num_batched_tokens: int
    max_num_queued_reqs: int | None = None
    max_num_queued_tokens: int | None = None
    long_prefill_token_threshold: int = 0
    max_model_len: int
    kv_cache_tokens: int | None = None
    memory_bytes: int = 0
    gpu_memory_utilization: float = 0.92
    weight_bytes: int = 0
    other_bytes: int = 0
    kv_bytes_per_token: int = 0
    c_step: float = 0.0
    c0: float
    flat_tokens: int = 0
    c_prefill: float
    c_attention: float = 0.0
    c_kv: float
    c_seq: float
    c_prompt: float = 0.0
    c_request: float = 0.0
    c_beside: float = 0.0
    noise: float = 0.0
    measured: dict[str, object] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Refuse numbers with which the scheduler's promises could not be kept."""
        if self.max_num_seqs < 1 or self.max_model_len < 2:  # noqa: PLR2004
            raise ValueError("max_num_seqs must be at least 1, max_model_len 2")
        if min(self.max_num_queued_reqs or 0, self.max_num_queued_tokens or 0, self.flat_tokens) < 0:
            raise ValueError("max_num_queued_reqs, max_num_queued_tokens and flat_tokens must not be negative")
        if self.max_num_batched_tokens <= self.max_num_seqs:
            raise ValueError("max_num_batched_tokens must exceed max_num_seqs: each running request gets its token")
        if self.kv_cache_tokens is None and not min(self.memory_bytes, self.kv_bytes_per_token) > 0:
            raise ValueError("give kv_cache_tokens, or memory_bytes and kv_bytes_per_token")
        if self.kv_blocks * BLOCK_TOKENS < self.max_model_len:
            raise ValueError("the KV cache must hold at least one request of max_model_len")
        steps = (self.c_step, self.c_prefill, self.c_attention, self.c_kv, self.c_seq, self.c_prompt)
        if not self.c0 > 0 or not min(*steps, self.c_request, self.c_beside) >= 0:
            raise ValueError("c0 must be positive and the other coefficients not negative")
        if not 0 <= self.noise < 1 / MOST_NOISE_DEVIATIONS:
            raise ValueError(f"noise is a share of the step's time, from 0 to {1 / MOST_NOISE_DEVIATIONS:.2f}")

    @property
    def limits(self) -> Limits:
        """What bounds the scheduler."""
        return Limits(
            max_num_seqs=self.max_num_seqs,
            max_num_batched_tokens=self.max_num_batched_tokens,
            max_num_queued_reqs=self.max_num_queued_reqs,
            max_num_queued_tokens=self.max_num_queued_tokens,
            long_prefill_token_threshold=self.long_prefill_token_threshold,
        )

    @property
    def kv_blocks(self) -> int:
        """Blocks of the KV cache, rounded to what holds `kv_cache_tokens`, or to what fits into the memory."""
        if self.kv_cache_tokens is not None:
            return -(-self.kv_cache_tokens // BLOCK_TOKENS)
        left = self.memory_bytes * self.gpu_memory_utilization - self.weight_bytes - self.other_bytes
        return int(left / self.kv_bytes_per_token) // BLOCK_TOKENS

    def linear_seconds(self, tokens: int) -> float:
        """Time of the linear layers and what goes with them, for so many tokens in a step."""
        return self.c0 + self.c_prefill * max(0, tokens - self.flat_tokens)

    def step_seconds(self, step: Step) -> float:
        """Duration of a step, without noise."""
        return (
            self.c_step
            + self.linear_seconds(step.tokens)
            + self.c_attention * step.attention
            + self.c_kv * step.context
            + self.c_seq * step.sequences
            + self.c_prompt * len(step.prefills)
        )


def pace(calibration: Calibration, source: random.Random) -> Callable[[Step], float]:
    """The duration of each step that is asked for, with the calibration's noise."""
    if not calibration.noise:
        return calibration.step_seconds

    def seconds(step: Step) -> float:
        deviations = max(-MOST_NOISE_DEVIATIONS, min(MOST_NOISE_DEVIATIONS, source.gauss(0.0, 1.0)))
        return calibration.step_seconds(step) * (1.0 + calibration.noise * deviations)

    return seconds


def read_calibration(path: Path) -> Calibration:
    """The calibration in a JSON file. Raises OSError, or ValueError that names what is missing, unknown or wrong."""
    raw = orjson.loads(path.read_bytes())
    if not isinstance(raw, dict):
        raise ValueError("expected a JSON object")  # noqa: TRY004
    known = {field.name: str(field.type) for field in fields(Calibration)}
    required = {field.name for field in fields(Calibration) if field.default is MISSING}
    unknown, missing = raw.keys() - known, required - raw.keys()
    if unknown or missing:
        raise ValueError(f"unknown keys {sorted(unknown)}, missing keys {sorted(missing)}")
    wrong = [name for name, value in raw.items() if type(value) not in _JSON_TYPES[known[name]]]
    if wrong:
        raise ValueError(", ".join(f"{name} must be {known[name]}, got {raw[name]!r}" for name in wrong))
    return Calibration(**raw)
