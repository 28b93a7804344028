"""A fault as a value: which one, on which incarnation, with which options; and what was seen of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.model.platform import Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One fault on one target. All that a stranger needs to take it back, for it is written down before it happens.

    `id` is unique on this platform and made of letters and digits: what a fault makes (a table, a group, a file) bears
    it in its name, so that undoing finds all of it and nothing else. `lease` is in seconds: a mechanism that can end by
    itself (a kernel's timeout, a door's lease) is to end that long after `apply` or the last `renew`.
    """

    id: str
    fault: str
    target: Identity
    options: Mapping[str, Any] = field(default_factory=dict)
    lease: float = 20.0


class Sight(NamedTuple):
    """What was looked for, whether it was seen, and in words what was seen: "state T (stopped), 3 processes"."""

    seen: bool
    detail: str = ""


class Words(NamedTuple):
    """The four parts of a fault in words, with `{target}` and its options as places: for plans, dry runs, documents."""

    apply: str
    bites: str
    undo: str
    gone: str
