"""The faults, one file each; a fault is found by its file's name and knows no platform, only the driver's verbs."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from holdfast.errors import UsageError
from holdfast.spec.source import did_you_mean

if TYPE_CHECKING:
    from holdfast.faults.base import Fault


def names() -> tuple[str, ...]:
    """Every known fault, sorted. What faults share lies in a package below, so that each file here but one is one."""
    return tuple(sorted(module.name for module in iter_modules(__path__) if module.name != "base" and not module.ispkg))


def find(name: str) -> Fault:
    """The fault of that name. Raises UsageError with the closest known one."""
    if name not in names():
        raise UsageError(f"no fault named {name!r}", hint=did_you_mean(name, names()))
    fault: Fault = import_module(f"{__name__}.{name}").FAULT
    return fault
