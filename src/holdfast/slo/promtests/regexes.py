"""Strings that a regular expression of a label matcher accepts, one for each of its alternatives."""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_LETTERS: Final = "0x5aA1-_./: "
_REPEATS: Final = re.compile(r"[*+?]\??|\{\d*,?\d*\}\??")
_SETS: Final = re.compile(r"\[[^\]]*(?:\[|--|&&|\|\||~~)")
"""Sets within sets: RE2 and Python read them differently."""
_CLOSING: Final = {"(": ")", "[": "]"}
_MOST: Final = 8


def examples(pattern: str) -> tuple[str, ...]:
    """Up to eight strings that match a whole pattern, as Prometheus asks; none when it is too clever for this."""
    if _SETS.search(pattern):
        return ()
    try:
        wanted = re.compile(pattern, re.DOTALL)
    except re.error:
        return ()
    found = dict.fromkeys(one for one in _alternatives(pattern) if wanted.fullmatch(one))
    return tuple(found)[:_MOST]


def _alternatives(pattern: str) -> list[str]:
    return [one for branch in _split(pattern) for one in _sequence(branch)][: 4 * _MOST]


def _split(pattern: str) -> list[str]:
    """The branches of a pattern between bars that stand in no bracket."""
    branches = [""]
    for atom in _atoms(pattern):
        if atom == "|":
            branches.append("")
        else:
            branches[-1] += atom
    return branches


def _atoms(pattern: str) -> Iterator[str]:
    """Escapes, brackets with what is in them, repeats, and single letters."""
    at = 0
    while at < len(pattern):
        repeat = _REPEATS.match(pattern, at)
        end = repeat.end() if repeat else _end(pattern, at)
        yield pattern[at:end]
        at = end


def _end(pattern: str, at: int) -> int:
    """Where the atom that begins here ends."""
    if pattern[at] == "\\":
        return at + 2
    if pattern[at] not in _CLOSING:
        return at + 1
    opening, closing, depth, here = pattern[at], _CLOSING[pattern[at]], 0, at
    while here < len(pattern):
        if pattern[here] == "\\":
            here += 1
        elif pattern[here] == closing and not (opening == "[" and here <= at + 1):
            depth -= 1
        elif pattern[here] == opening and (opening == "(" or here == at):
            depth += 1
        here += 1
        if depth == 0:
            break
    return here


def _sequence(branch: str) -> list[str]:
    parts: list[list[str]] = []
    for atom in _atoms(branch):
        if _REPEATS.fullmatch(atom) and parts:
            parts[-1] = [one * _times(atom) for one in parts[-1]]
        else:
            parts.append(_letters(atom))
    return ["".join(one) for _, one in zip(range(4 * _MOST), product(*parts), strict=False)]


def _times(repeat: str) -> int:
    """As often as it must, and once where it may be left out."""
    least = re.match(r"\{(\d+)", repeat)
    return max(1, int(least[1])) if least else 1


def _letters(atom: str) -> list[str]:
    if atom.startswith("("):
        return _alternatives(re.sub(r"^\?(?::|P?<\w+>|[a-zA-Z]+:)", "", atom[1:-1]))
    if atom in {"^", "$"}:
        return [""]
    if len(atom) == 1 and atom != ".":
        return [atom]
    written = [atom[1:]] if atom.startswith("\\") else [one for one in atom if one not in "[]^-"]
    for letter in (*_LETTERS, *written):
        if re.fullmatch(atom, letter):
            return [letter]
    return []
