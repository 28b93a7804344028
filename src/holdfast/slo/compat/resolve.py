"""Which unquoted words Go's yaml.v2 takes for something other than text: numbers, dates, `yes`, `~`.

Source: YAML 1.1 as yaml.v2 resolves it (resolve.go), measured against it.
"""

from __future__ import annotations

import re
from calendar import monthrange
from math import isfinite
from typing import Final

_WORDS: Final = frozenset(
    [
        *("", "~", "null", "Null", "NULL", "y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "NO"),
        *("true", "True", "TRUE", "false", "False", "FALSE", "on", "On", "ON", "off", "Off", "OFF"),
        *(sign + name for sign in ("", "+", "-") for name in (".inf", ".Inf", ".INF")),
        *(".nan", ".NaN", ".NAN"),
    ]
)
_LIKELY: Final = re.compile(r"[-+.\dyYnNtTfFoO~]|\Z", re.ASCII)
_DECIMAL: Final = re.compile(r"[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?", re.ASCII)
_FRACTION: Final = re.compile(r"\.\d+(?:_\d+)*(?:[eE][-+]?\d+(?:_\d+)*)?", re.ASCII)
_BASED: Final = re.compile(r"([-+]?)(?:0[xX]([\da-fA-F]+)|0[oO]?([0-7]+)|0[bB]([01]+))", re.ASCII)
_BINARY: Final = re.compile(r"0b([-+][01]+)", re.ASCII)
_BASE_60: Final = re.compile(r"[-+]?\d[\d_]*(?::[0-5]?\d)+(?:\.[\d_]*)?", re.ASCII)
_TIME: Final = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:(?:[Tt]|\x20)(\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,]\d+)?(Z|[-+]\d\d:\d\d)?)?",
    re.ASCII,
)


def is_text(word: str) -> bool:
    """Whether yaml.v2 reads this word, unquoted, as text (and so writes it without quotes)."""
    if not _LIKELY.match(word):
        return True
    return word not in _WORDS and not _number(word) and not _time(word) and not _BASE_60.fullmatch(word)


def _number(word: str) -> bool:
    if word[0] == ".":
        return bool(_FRACTION.fullmatch(word)) and isfinite(float(word))
    plain = word.replace("_", "")
    based = _BASED.fullmatch(plain)
    if based and not _DECIMAL.fullmatch(plain):
        return _fits(based)
    return bool(_BINARY.fullmatch(plain) or (_DECIMAL.fullmatch(plain) and isfinite(float(plain))))


def _fits(based: re.Match[str]) -> bool:
    """Whether it is within 64 bits; Go takes only an unsigned number beyond 63."""
    sign, *digits = based.groups()
    value = next(int(text, base) for text, base in zip(digits, (16, 8, 2), strict=True) if text)
    return value < 1 << 64 if not sign else value < (1 << 63) + (sign == "-")


def _time(word: str) -> bool:
    found = _TIME.fullmatch(word)
    if not found:
        return False
    year, month, day = (int(text) for text in found.groups()[:3])
    clock = [int(text or 0) for text in found.groups()[3:6]]
    # A leap year four centuries on: Python's calendar begins with year 1.
    real_day = 1 <= month <= 12 and 1 <= day <= monthrange(year + 400, month)[1]  # noqa: PLR2004 - as the format has it
    real_time = clock[0] < 24 and clock[1] < 60 and clock[2] < 60  # noqa: PLR2004 - as the format has it
    return real_day and real_time and _zoned(word, found[4], found[7])


def _zoned(word: str, hour: str | None, zone: str | None) -> bool:
    """A zone is required after T and not allowed after a space."""
    if hour is None:
        return True
    if "T" not in word and "t" not in word:
        return zone is None
    if zone is None or zone == "Z":
        return zone == "Z"
    return int(zone[1:3]) <= 24 and int(zone[4:]) < 60  # noqa: PLR2004 - as the format has it
