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

import json
from collections import Counter
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from math import inf
from typing import TYPE_CHECKING, Final

from refplatform.engine.places import Member, Place, members
from refplatform.engine.scheduler import BLOCK_TOKENS, Limits

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator
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

LONGEST_LINE: Final = 160
"""Characters of a line that is shown with a problem in it."""

_NEVER_NEGATIVE: Final = (
    *("max_num_queued_reqs", "max_num_queued_tokens", "long_prefill_token_threshold", "flat_tokens"),
    *("memory_bytes", "gpu_memory_utilization", "weight_bytes", "other_bytes", "kv_bytes_per_token"),
    *("c_step", "c_prefill", "c_attention", "c_kv", "c_seq", "c_prompt", "c_request", "c_beside"),
)


class AbsurdError(ValueError):
    """Numbers with which no engine could work: (name, what is wrong) of each."""

    def __init__(self, flaws: tuple[tuple[str, str], ...]) -> None:
        super().__init__("; ".join(f"{name} {said}" for name, said in flaws))
        self.flaws = flaws


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
        if flaws := tuple((key, said) for wrong, key, said in self._flaws() if wrong):
            raise AbsurdError(flaws)

    def _flaws(self) -> Iterator[tuple[bool, str, str]]:
        """What may be wrong: whether it is, with which number, and how that is said."""
        yield self.max_num_seqs < 1, "max_num_seqs", "must be at least 1"
        yield self.max_model_len < 2, "max_model_len", "must be at least 2"  # noqa: PLR2004
        yield (
            self.max_num_batched_tokens <= self.max_num_seqs,
            "max_num_batched_tokens",
            "must exceed max_num_seqs: each running request gets its token",
        )
        for key in _NEVER_NEGATIVE:
            yield not 0 <= (getattr(self, key) or 0) < inf, key, "must not be negative, nor infinite"
        yield not 0 < self.c0 < inf, "c0", "must be positive and finite"
        yield (
            not 0 <= self.noise < 1 / MOST_NOISE_DEVIATIONS,
            "noise",
            f"is a share of the step's time, from 0 to {1 / MOST_NOISE_DEVIATIONS:.2f}",
        )
        given = self.kv_cache_tokens is not None
        if not given and not min(self.memory_bytes, self.kv_bytes_per_token) > 0:
            yield True, "kv_cache_tokens", "is not given: give it, or memory_bytes and kv_bytes_per_token"
            return
        held = self.kv_blocks * BLOCK_TOKENS
        yield (
            held < self.max_model_len,
            "kv_cache_tokens" if given else "memory_bytes",
            f"leaves a KV cache of {held} tokens, and at least one request of max_model_len must fit in it",
        )

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


_TYPES: Final = {field.name: str(field.type) for field in fields(Calibration)}
_REQUIRED: Final = tuple(field.name for field in fields(Calibration) if field.default is MISSING)


def pace(calibration: Calibration, source: random.Random) -> Callable[[Step], float]:
    """The duration of each step that is asked for, with the calibration's noise."""
    if not calibration.noise:
        return calibration.step_seconds

    def seconds(step: Step) -> float:
        deviations = max(-MOST_NOISE_DEVIATIONS, min(MOST_NOISE_DEVIATIONS, source.gauss(0.0, 1.0)))
        return calibration.step_seconds(step) * (1.0 + calibration.noise * deviations)

    return seconds


def read_calibration(path: Path) -> Calibration:
    """The calibration in a JSON file. Raises OSError, and ValueError with all problems, each with its place."""
    text = path.read_bytes().decode("utf-8", "replace")
    try:
        found = members(text)
    except json.JSONDecodeError as error:
        raise ValueError(_shown(path, text, Place(error.lineno, error.colno), error.msg)) from error
    except (TypeError, RecursionError) as error:
        raise ValueError(_shown(path, text, Place(1, 1), str(error))) from error
    places = {member.key: member.place for member in found}
    problems = [(member.place, said) for member in found if (said := _misread(member))]
    counted = Counter(member.key for member in found)
    problems += [(places[key], f"{key} is there {times} times") for key, times in counted.items() if times > 1]
    problems += [(Place(1, 1), f"{key} is missing") for key in _REQUIRED if key not in places]
    if not problems:
        try:
            return Calibration(**{member.key: member.value for member in found})
        except AbsurdError as error:
            problems = [(places.get(key, Place(1, 1)), f"{key} {said}") for key, said in error.flaws]
    raise ValueError("\n".join(_shown(path, text, *problem) for problem in sorted(problems)))


def _misread(member: Member) -> str | None:
    """What is wrong with a key and the type of its value; None is nothing."""
    if member.key not in _TYPES:
        close = get_close_matches(member.key, _TYPES, n=1)
        return f"unknown key {member.key}" + (f", did you mean {close[0]}?" if close else "")
    if type(member.value) not in _JSON_TYPES[_TYPES[member.key]]:
        return f"{member.key} must be {_TYPES[member.key]}, got {member.value!r:.40}"
    return None


def _shown(path: Path, text: str, place: Place, said: str) -> str:
    """One problem: where, what, and the line with a caret, unless that is too long to be read."""
    lines = text.splitlines()
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    caret = f"\n  {line}\n  {' ' * (place.column - 1)}^" if 0 < len(line) <= LONGEST_LINE else ""
    return f"{path}:{place}: {said}{caret}"
