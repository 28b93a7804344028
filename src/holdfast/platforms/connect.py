"""Which platform is meant: the one place that knows all drivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from holdfast.model.platform import Driver


def connect(state: Path) -> Driver:
    """The running platform whose state lies in this folder. Raises PlatformError when there is none."""
    from holdfast.platforms.embedded import EmbeddedPlatform  # noqa: PLC0415 - a driver is imported when it is meant

    return EmbeddedPlatform.load(state)
