"""Where each process of an embedded platform tells its metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.errors import TargetError

if TYPE_CHECKING:
    from holdfast.model.platform import Identity
    from holdfast.platforms.embedded import EmbeddedPlatform


@dataclass(frozen=True, slots=True)
class Scrapes:
    """Implements `model.hands.Scrapes`."""

    platform: EmbeddedPlatform

    def metrics(self, identity: Identity) -> str:
        """Raises TargetError for a process without metrics."""
        found = next((one for one in self.platform.record.processes if one.name == identity.name), None)
        if found is None or not found.metrics:
            raise TargetError(f"{identity.name} tells no metrics")
        return found.metrics


HAND = Scrapes
