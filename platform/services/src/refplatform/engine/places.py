"""Where in a file of one flat JSON object each key stands, for whoever has to say what is wrong with it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

_SPACE: Final = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Line and column, from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        """As editors take it."""
        return f"{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Member:
    """A key with the place of its value, and the value."""

    key: str
    place: Place
    value: Any


def members(text: str) -> list[Member]:
    """The members of the object, in order and each as often as it is there.

    Raises json.JSONDecodeError for what is no JSON, TypeError for JSON that is no object.
    """
    decode = json.JSONDecoder(parse_constant=_no_number).raw_decode
    if not isinstance(json.loads(text, parse_constant=_no_number), dict):
        raise TypeError("expected a JSON object")
    found, at = [], _after(text, _after(text, 0) + 1)
    while text[at] != "}":
        key, end = decode(text, at)
        at = _after(text, _after(text, end) + 1)
        value, end = decode(text, at)
        found.append(Member(key, place(text, at), value))
        at = _after(text, end)
        if text[at] == ",":
            at = _after(text, at + 1)
    return found


def place(text: str, at: int) -> Place:
    """Of the character with this index."""
    return Place(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))


def _after(text: str, at: int) -> int:
    """The next character that is no space."""
    space = _SPACE.match(text, at)
    return at if space is None else space.end()


def _no_number(name: str) -> Any:
    raise TypeError(f"{name} is no number of JSON")
