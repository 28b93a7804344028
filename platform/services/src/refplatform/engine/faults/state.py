"""What all active faults together make of the engine: computed anew each time, so that nothing is left behind."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a fault bends the engine: which fault, how many seconds after its begin, and its end as a unix second."""

    fault: str
    elapsed: float
    until: float


@dataclass(slots=True, kw_only=True)
class State:
    """The engine as it must be now. A fault only adds to it; the end of a fault is a state without it."""

    step_factor: float = 1.0
    halted: bool = False
    reserved_share: float = 0.0
    """Of the KV blocks, 0 to 1."""
    prefix_cache: bool = True
    hung: bool = False
    dead: str = ""
    """Why the engine's core is known to be dead; empty while it is not."""
    killed: str = ""
    """Why the process ends by SIGKILL; empty while it lives."""
    clocks: dict[int, float] = field(default_factory=dict)
    """Share of its clock at which each device runs, by its place."""
    xids: dict[tuple[str, int], int] = field(default_factory=dict)
    """Codes by fault and place of the device; each is reported once."""
    memory_errors: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    """Errors so far by fault, place of the device, and `sbe` or `dbe`."""
    load_seconds: float = 0.0
    """By so much the next load takes longer."""
    load_fails: bool = False
    load_until: float = 0.0
    """Unix second after which the next load is not touched."""
