"""Quantities as people write them: "250ms", "99.9%", "40/s"; parsing and printing are inverse."""

from __future__ import annotations

import re
from typing import Final

SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))+")
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_PERCENT: Final = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_RATE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(s|m|h)")


def duration(text: str) -> float:
    """Seconds in "250ms", "40s", "1m30s", "5m", "30d". Raises ValueError with what was expected."""
    if not _DURATION.fullmatch(text.strip()):
        raise ValueError(f"expected a duration such as 250ms, 40s or 5m, got {text!r}")
    return sum(float(number) * SECONDS[unit] for number, unit in _PART.findall(text))


def show_duration(seconds: float) -> str:
    """Shortest text that `duration` reads back: 0.25 -> "250ms", 90 -> "1m30s"."""
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    text, rest = "", seconds
    for unit in ("d", "h", "m"):
        whole, rest = divmod(rest, SECONDS[unit])
        text += f"{whole:g}{unit}" if whole else ""
    return text + (f"{round(rest, 3):g}s" if rest or not text else "")


def ratio(text: str) -> float:
    """A share of one from "99.9%". Raises ValueError when it is not a percentage within 0 and 100."""
    found = _PERCENT.fullmatch(text.strip())
    if not found:
        raise ValueError(f"expected a percentage such as 99.9%, got {text!r}")
    value = float(found[1])
    if value > 100:  # noqa: PLR2004
        raise ValueError(f"expected a percentage between 0% and 100%, got {text!r}")
    return value / 100


def show_ratio(value: float, digits: int = 6) -> str:
    """A share of one as a percentage with at most `digits` significant digits: 0.999 -> "99.9%"."""
    return f"{value * 100:.{digits}g}%"


def rate(text: str) -> float:
    """Events per second in "40/s" or "90/m". Raises ValueError otherwise."""
    found = _RATE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"expected a rate such as 40/s, got {text!r}")
    return float(found[1]) / SECONDS[found[2]]
