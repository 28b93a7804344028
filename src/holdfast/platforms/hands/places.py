"""Ports and data folder of a replica, from the platform's document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.errors import TargetError

if TYPE_CHECKING:
    from holdfast.model.platform import Identity
    from holdfast.platforms.document import Member
    from holdfast.platforms.embedded import EmbeddedPlatform


@dataclass(frozen=True, slots=True)
class Places:
    """Implements `model.hands.Places`."""

    platform: EmbeddedPlatform

    def ports(self, identity: Identity) -> tuple[int, ...]:
        """The port that it shares or has alone, and its admin port."""
        member = self._member(identity)
        return tuple(port for port in (member.port, member.admin) if port)

    def folder(self, identity: Identity) -> str:
        """Its data folder, which need not exist."""
        return str(self.platform.where.data / self._member(identity).name)

    def _member(self, identity: Identity) -> Member:
        found = next((one for one in self.platform.record.processes if one.name == identity.name), None)
        if found is None or found.role not in self.platform.allowed:
            raise TargetError(f"{identity.name} is not on the list of what faults may touch")
        return found


HAND = Places
