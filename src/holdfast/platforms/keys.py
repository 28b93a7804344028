"""The key file of an embedded platform: who may ask its gateway, and as whom."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from holdfast.platforms.layout import Layout

TENANT: Final = "harness"
"""As whom the harness asks."""
NEIGHBOUR: Final = "neighbour"
"""A tenant beside it, for faults that come as load."""


def aside(where: Layout) -> Iterator[Path]:
    """Every copy that a fault has kept of the file, as KEYS.NAME beside it."""
    return where.state.glob(f"{where.keys.name}.*")


def text(api_key: str) -> str:
    """The file, {"key": "tenant"}, with a new key for the neighbour."""
    return json.dumps({api_key: TENANT, f"hf-{secrets.token_urlsafe(24)}": NEIGHBOUR}) + "\n"
