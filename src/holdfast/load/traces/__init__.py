"""Formats of production traces, one file each; a trace is read by the format that knows its first line."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.load.traces.base import Format


def formats() -> tuple[Format, ...]:
    """Every known format, in the order of their names."""
    names = sorted(module.name for module in iter_modules(__path__) if module.name != "base")
    return tuple(import_module(f"{__name__}.{name}").FORMAT for name in names)
