"""The tenants in the key file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.errors import TargetError

if TYPE_CHECKING:
    from holdfast.platforms.embedded import EmbeddedPlatform


@dataclass(frozen=True, slots=True)
class Tenants:
    """Implements `model.hands.Tenants`."""

    platform: EmbeddedPlatform

    def key(self, tenant: str) -> str:
        """The first one in the file. Raises TargetError when there is none, or no key file."""
        try:
            known = json.loads(self.platform.where.keys.read_bytes())
        except (OSError, ValueError) as error:
            raise TargetError(f"the key file cannot be read: {error}") from error
        found = next((key for key, whose in known.items() if whose == tenant), None)
        if found is None:
            names = ", ".join(sorted(set(known.values())))
            raise TargetError(f"there is no tenant {tenant!r}", hint=f"tenants: {names}")
        return str(found)


HAND = Tenants
