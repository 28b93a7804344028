"""Processes and shapes as people write them: a name, then its settings, `mmpp high=5 share=20% run=100`."""

from __future__ import annotations

import math
from dataclasses import MISSING, field, fields
from difflib import get_close_matches
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Final, TypeVar

from holdfast import units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Kind = TypeVar("Kind")
_READ: Final = "read"


class WordError(ValueError):
    """A text that is no process or shape: which fragment of it is wrong, and what to write instead."""

    def __init__(self, what: str, *, fragment: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.fragment, self.hint = fragment, hint


def setting(read: Callable[[str], float], default: float | None = None) -> Any:
    """A field of a process or shape that stands in its text; without `default` it must be there."""
    metadata = {_READ: read}
    return field(metadata=metadata) if default is None else field(default=default, metadata=metadata)


def factor(text: str) -> float:
    """A number of at least zero: a multiple of the mean rate. Raises ValueError."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise ValueError(f"expected a number of at least 0, got {text!r}")
    return value


def more_than_zero(text: str) -> float:
    """A number above zero. Raises ValueError."""
    value = factor(text)
    if value == 0:
        raise ValueError(f"expected more than zero, got {text!r}")
    return value


def lasting(text: str) -> float:
    """Seconds, more than zero, in "30s". Raises ValueError."""
    value = units.duration(text)
    if value == 0:
        raise ValueError(f"expected more than zero, got {text!r}")
    return value


def pairs(words: Iterable[str]) -> list[tuple[str, str]]:
    """(key, value) of words like `over=60s`, in their order. Raises WordError for any other word."""
    found = []
    for word in words:
        key, equals, value = word.partition("=")
        if not (key and equals and value):
            raise WordError(f"expected KEY=VALUE, got {word!r}", fragment=word)
        found.append((key, value))
    return found


def filled(kind: type[Kind], words: Iterable[str]) -> Kind:
    """An instance of the dataclass `kind` with its settings read from words. Raises WordError naming the bad one."""
    known: dict[str, Any] = {one.name.rstrip("_"): one for one in fields(kind) if _READ in one.metadata}  # type: ignore[arg-type]
    found: dict[str, float] = {}
    for key, value in pairs(words):
        if key not in known:
            raise WordError(f"unknown setting {key!r}", fragment=key, hint=_known(known))
        if known[key].name in found:
            raise WordError(f"{key} is set twice", fragment=f"{key}={value}")
        try:
            found[known[key].name] = known[key].metadata[_READ](value)
        except ValueError as error:
            raise WordError(f"{key}: {error}", fragment=f"{key}={value}") from error
    missing = [key for key, one in known.items() if one.default is MISSING and one.name not in found]
    if missing:
        raise WordError(f"{' and '.join(missing)} must be set", hint=_known(known))
    return kind(**found)


def _known(known: Mapping[str, Any]) -> str:
    return f"settings are {', '.join(known)}" if known else "it has no settings"


def names(path: Iterable[str]) -> tuple[str, ...]:
    """The modules of a package, sorted: what can be named."""
    return tuple(sorted(module.name for module in iter_modules(path)))


def find(package: str, path: Iterable[str], name: str, noun: str, nouns: str) -> Any:
    """The module of that name. Raises WordError with the closest known name."""
    known = names(path)
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"{nouns} are {', '.join(known)}"
        raise WordError(f"no {noun} {name!r}", fragment=name, hint=hint)
    return import_module(f"{package}.{name}")
