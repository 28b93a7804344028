"""The toxics, one file each with `TOXIC`; a toxic is found by its file's name."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.proxy.toxics.base import Toxic


def names() -> tuple[str, ...]:
    """Every known toxic, sorted."""
    return tuple(sorted(module.name for module in iter_modules(__path__) if module.name != "base"))


def find(name: str) -> type[Toxic] | None:
    """The toxic of that name; None when there is none."""
    if name not in names():
        return None
    found: type[Toxic] = import_module(f"{__name__}.{name}").TOXIC
    return found
