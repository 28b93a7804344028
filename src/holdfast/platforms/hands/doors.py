"""The admin door of a simulated engine: its `admin` port on this machine, and the token that `up` made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.errors import TargetError
from holdfast.model.hands import Door
from holdfast.platforms import layout

if TYPE_CHECKING:
    from holdfast.model.platform import Identity
    from holdfast.platforms.embedded import EmbeddedPlatform


@dataclass(frozen=True, slots=True)
class Doors:
    """Implements `model.hands.Doors`."""

    platform: EmbeddedPlatform

    def door(self, identity: Identity) -> Door:
        """Raises TargetError when this replica has none, or may not be touched."""
        known = (one for one in self.platform.record.processes if one.role in self.platform.allowed & {"engine"})
        member = next((one for one in known if one.name == identity.name and one.admin), None)
        if member is None:
            raise TargetError(f"{identity.name} has no door for faults")
        with layout.naming(self.platform.where.state):
            token = self.platform.where.fault_token.read_text(encoding="ascii").strip()
        return Door(url=f"http://127.0.0.1:{member.admin}", token=token)


HAND = Doors
