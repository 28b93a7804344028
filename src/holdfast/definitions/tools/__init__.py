"""The tools, one file each; a tool is found by its file's name."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from holdfast.errors import UsageError
from holdfast.spec.source import did_you_mean

if TYPE_CHECKING:
    from holdfast.definitions.base import Tool

OURS = "holdfast"


def names() -> tuple[str, ...]:
    """Every known tool, ours first, then sorted."""
    return tuple(sorted((module.name for module in iter_modules(__path__)), key=lambda name: (name != OURS, name)))


def find(name: str) -> Tool:
    """The tool of that name; `-` and `_` are the same. Raises UsageError with the closest known one."""
    wanted = name.replace("-", "_")
    if wanted not in names():
        raise UsageError(f"no definitions of {name!r}", hint=did_you_mean(wanted, names()))
    tool: Tool = import_module(f"{__name__}.{wanted}").TOOL
    return tool
