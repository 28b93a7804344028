"""The kinds of expectation, one file each: its shape in YAML, its noun, its judgement, its forecast.

A kind is found by its file's name; the file offers a `Shape` whose `resolve(context)` gives the Expectation.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from holdfast.expect.base import ExpectationShape


_SHARED: Final = frozenset({"base", "proportion"})
"""Files of this folder that are no kind."""


def kinds() -> tuple[str, ...]:
    """Every known kind, sorted: the first key of an item under `expect:`."""
    return tuple(sorted(module.name for module in iter_modules(__path__) if module.name not in _SHARED))


def shape_of(kind: str) -> type[ExpectationShape]:
    """The YAML shape of a kind. Raises ModuleNotFoundError for an unknown one."""
    shape: type[ExpectationShape] = import_module(f"{__name__}.{kind}").Shape
    return shape
