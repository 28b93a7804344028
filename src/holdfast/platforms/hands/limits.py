"""Limits of single processes: prlimit(2) on each process of a replica, told apart by pid and start time."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from signal import Signals
from typing import TYPE_CHECKING, Final

from holdfast.errors import TargetError
from holdfast.platforms import pids

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from holdfast.model.platform import Identity
    from holdfast.platforms.embedded import EmbeddedPlatform
    from holdfast.platforms.pids import Incarnation

KINDS: Final = {"files": resource.RLIMIT_NOFILE, "size": resource.RLIMIT_FSIZE}


@dataclass(frozen=True, slots=True)
class Limits:
    """Implements `model.hands.Limits`; names are "pid@ticks"."""

    platform: EmbeddedPlatform

    def limits(self, identity: Identity, kind: str) -> Mapping[str, int]:
        """The soft limit of each of its processes; -1 is none at all."""
        found = {str(one): _soft(one, kind) for one in _group(identity)}
        return {name: soft for name, soft in found.items() if soft is not None}

    def set_limits(self, identity: Identity, kind: str, limits: Mapping[str, int]) -> None:
        """Raises TargetError when it may not be touched, or we may not."""
        if identity.role not in self.platform.allowed:
            raise TargetError(f"{identity.name} is not on the list of what faults may touch")
        for name, soft in limits.items():
            who = pids.parse(name)
            if who is not None and pids.exists(who):
                _set(who, kind, soft)

    def free_number(self, identity: Identity) -> Mapping[str, int]:
        """From /proc/PID/fd."""
        return {str(one): _lowest_free(one) for one in _group(identity)}

    def bears_size(self, identity: Identity) -> bool:
        """From the ignored signals of /proc/PID/status."""
        group = tuple(_group(identity))
        return bool(group) and all(_ignores(one, Signals.SIGXFSZ) for one in group)


def _group(identity: Identity) -> Iterator[Incarnation]:
    who = pids.parse(identity.unit)
    yield from pids.group(who) if who else ()


def _soft(who: Incarnation, kind: str) -> int | None:
    try:
        return resource.prlimit(who.pid, KINDS[kind])[0]
    except ProcessLookupError:
        return None
    except PermissionError as error:
        raise TargetError(f"the limits of process {who} are not ours to read") from error


def _set(who: Incarnation, kind: str, soft: int) -> None:
    try:
        hard = resource.prlimit(who.pid, KINDS[kind])[1]
        resource.prlimit(who.pid, KINDS[kind], (soft, hard))
    except ProcessLookupError:
        return
    except (PermissionError, ValueError) as error:
        raise TargetError(f"the limits of process {who} are not ours to set: {error}") from error


def _lowest_free(who: Incarnation) -> int:
    try:
        used = {int(one.name) for one in Path(f"/proc/{who.pid}/fd").iterdir()}
    except FileNotFoundError:
        used = set()
    except PermissionError as error:
        raise TargetError(f"the open files of process {who} are not ours to see") from error
    return next(number for number in count() if number not in used)


def _ignores(who: Incarnation, number: Signals) -> bool:
    try:
        lines = Path(f"/proc/{who.pid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    masks = [int(line.split()[1], 16) for line in lines if line.startswith("SigIgn:")]
    return any(mask >> (number - 1) & 1 for mask in masks)


HAND = Limits
