"""Where the Redis of an embedded platform listens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.errors import TargetError

if TYPE_CHECKING:
    from holdfast.model.platform import Identity
    from holdfast.platforms.embedded import EmbeddedPlatform


@dataclass(frozen=True, slots=True)
class Stores:
    """Implements `model.hands.Stores`."""

    platform: EmbeddedPlatform

    def store(self, identity: Identity) -> tuple[str, int]:
        """Its port on this machine. Raises TargetError for anything but a Redis that faults may touch."""
        known = (one for one in self.platform.record.processes if one.role in self.platform.allowed & {"redis"})
        found = next((one for one in known if one.name == identity.name), None)
        if found is None:
            raise TargetError(f"{identity.name} is no store that faults may touch")
        return "127.0.0.1", found.port


HAND = Stores
