"""Finds the faults: each file of `kinds` is one, and is called as the file, with hyphens."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import TYPE_CHECKING

from refplatform.engine.faults import kinds
from refplatform.engine.faults.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping


def known() -> Mapping[str, type[Fault]]:
    """Every fault by its name, sorted."""
    names = sorted(found.name for found in pkgutil.iter_modules(kinds.__path__))
    return {name.replace("_", "-"): _only(f"{kinds.__name__}.{name}") for name in names}


def _only(module: str) -> type[Fault]:
    """The one fault of a file. Raises TypeError when it has none or several."""
    found = [
        one
        for one in vars(importlib.import_module(module)).values()
        if inspect.isclass(one) and issubclass(one, Fault) and one.__module__ == module
    ]
    if len(found) != 1:
        raise TypeError(f"{module} must define one fault, it defines {len(found)}")
    return found[0]
