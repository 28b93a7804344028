"""Signals to a replica's process group, and the kernel's word on its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.platforms import pids

if TYPE_CHECKING:
    from signal import Signals

    from holdfast.model.platform import Identity
    from holdfast.platforms.embedded import EmbeddedPlatform


@dataclass(frozen=True, slots=True)
class Processes:
    """Implements `model.hands.Processes`."""

    platform: EmbeddedPlatform

    def signal(self, identity: Identity, number: Signals) -> None:
        """By pidfd, to the whole group. Raises TargetError when it is gone or may not be touched."""
        self.platform.send(identity, number)

    def states(self, identity: Identity) -> tuple[str, ...]:
        """State letters of the group, the leader's first; empty when it is gone."""
        who = pids.parse(identity.unit)
        return tuple(filter(None, map(pids.state, pids.group(who)))) if who else ()

    def pids(self, identity: Identity) -> tuple[int, ...]:
        """The group, the leader first; empty when it is gone."""
        who = pids.parse(identity.unit)
        return tuple(one.pid for one in pids.group(who)) if who else ()


HAND = Processes
