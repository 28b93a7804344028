"""What a check of trust is made of, and which kinds of expectation rest on what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdfast.model.verdict import Check, State

if TYPE_CHECKING:
    from collections.abc import Iterable

NUMBERS: Final = frozenset({"slo", "latency", "compare", "recovery", "budget", "invariant"})
"""Kinds of expectation that rest on request counts."""
WITNESSED: Final = NUMBERS | {"metric"}
"""Those, and what rests on Prometheus under the load that was planned."""


def check_of(
    name: str,
    trouble: str,
    *,
    seen: str,
    limit: str,
    reason: str,
    spoils: Iterable[str] = (),
    bad: State = State.UNKNOWN,
) -> Check:
    """A check that passed, with what was `seen`, or that did not, with its `trouble`."""
    state, text = (bad, trouble) if trouble else (State.PASS, seen)
    return Check(name=name, state=state, seen=text, limit=limit, reason=reason, spoils=frozenset(spoils))
