"""What the embedded platform can do beyond a driver's verbs, one kind of `model.hands` a file, found by its file."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, cast

from holdfast.errors import TargetError

if TYPE_CHECKING:
    from holdfast.model.platform import Hand
    from holdfast.platforms.embedded import EmbeddedPlatform


def find(kind: type[Hand], platform: EmbeddedPlatform) -> Hand:
    """The hand of that kind. Raises TargetError when processes on one machine cannot do that."""
    name = kind.__name__.lower()
    if name not in {module.name for module in iter_modules(__path__)}:
        raise TargetError(f"the embedded platform has no {name}")
    return cast("Hand", import_module(f"{__name__}.{name}").HAND(platform))
