"""Numbers, durations and quoted text as Go prints them: what Sloth's rules are made of.

Source: Go's strconv and fmt; Prometheus' model.Duration.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Final

_DAY: Final = 86_400_000
_UNITS: Final = (
    *(("y", 365 * _DAY, True), ("w", 7 * _DAY, True), ("d", _DAY, False)),
    *(("h", 3_600_000, False), ("m", 60_000, False), ("s", 1000, False), ("ms", 1, False)),
)
"""Milliseconds of each unit, and whether it is only used for what is a multiple of it."""
_SAFE: Final = re.compile(r"[ !#-\[\]-~]*")
_ESCAPES: Final = {"\a": "a", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", "\v": "v", '"': '"', "\\": "\\"}
_LEAST: Final = -4
_MOST: Final = 5


@lru_cache(maxsize=1024)
def number(value: float) -> str:
    """Shortest digits that read back as the same number, with an exponent below 1e-4 and from 1e6 on (%g and %v)."""
    exact = Decimal(repr(float(value))).normalize()
    if not value or _LEAST <= exact.adjusted() <= _MOST:
        return plain(value)
    head, _, power = f"{exact:e}".partition("e")
    return f"{head}e{power[0]}{power[1:]:0>2}"


@lru_cache(maxsize=1024)
def plain(value: float) -> str:
    """The same digits, never with an exponent (%f with the fewest digits)."""
    text = format(Decimal(repr(float(value))), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


@lru_cache(maxsize=1024)
def duration(seconds: float) -> str:
    """As Prometheus names it: 5m, 1d, 30d, but 1w for 7 days and 4w for 28; years and weeks only when whole."""
    text, rest = "", round(seconds * 1000)
    for unit, length, exact in _UNITS:
        count, left = divmod(rest, length)
        if count and not (exact and left):
            text, rest = f"{text}{count}{unit}", left
    return text or "0s"


@lru_cache(maxsize=1024)
def hours(seconds: float) -> float:
    """Hours as Go counts them: the whole ones, and the rest as a fraction."""
    whole, rest = divmod(round(seconds * 1000), 3_600_000)
    return whole + rest * 1e6 / 3.6e12


def quoted(text: str) -> str:
    """In double quotes, with what does not print escaped (%q)."""
    return '"' + "".join(map(_quoted, text)) + '"' if not _SAFE.fullmatch(text) else f'"{text}"'


def _quoted(character: str) -> str:
    if character in _ESCAPES:
        return "\\" + _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:  # noqa: PLR2004 - as the format has it
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - as the format has it
