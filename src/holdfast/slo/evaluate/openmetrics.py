"""OpenMetrics text with timestamps, as Prometheus dumps and backfills it: millions of samples in seconds.

Format: OpenMetrics 1.0. A line is looked at only far enough to tell its series; numbers are read a series at a time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from holdfast.errors import Location, Problem, SpecError
from holdfast.slo.evaluate.vectors import NAME, Track, key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.slo.evaluate.vectors import Key, Numbers

_MOST: Final = 20
_NUMBER: Final = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|[Ii]nf(?:inity)?|NaN|nan)"
_SERIES: Final = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?", re.DOTALL)
_LABEL: Final = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"\s*(?:,|$)', re.DOTALL)
_NAMED: Final = re.compile(r'[a-zA-Z_:][a-zA-Z0-9_:]*(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?')
_PAIR: Final = re.compile(rf" +({_NUMBER}) +({_NUMBER}) *", re.ASCII)
_SPACE, _NEWLINE = 32, 10
_PATTERN: Final = np.array([_SPACE, _NEWLINE], dtype=np.uint8)
_LATEST: Final = 1e11
_ESCAPES: Final = {"n": "\n", "\\": "\\", '"': '"'}
_COMMENTS: Final = ("# HELP ", "# TYPE ", "# UNIT ")
_END: Final = "# EOF"
_HINT: Final = 'http_requests_total{code="200"} 1027 1767225600'


@dataclass(slots=True)
class _Reading:
    """What was read so far: numbers by series as written, and what is wrong."""

    file: str
    parts: dict[str, list[Numbers]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, line: int, text: str, what: str, hint: str = "", column: int = 1) -> None:
        """Note a problem, up to a number that someone may read."""
        if len(self.problems) < _MOST:
            where = Location(file=self.file, line=line, column=column)
            self.problems.append(Problem(where=where, what=what, source=text[:200].rstrip("\n"), hint=hint))


def read_openmetrics(lines: Iterable[str], file: str) -> tuple[Track, ...]:
    """Every series of the text, its samples in order of time.

    Raises SpecError for lines that cannot be read, samples without a timestamp (seconds), two values of a series at
    one time, and a text that does not end in `# EOF`, for it may have been cut off.
    """
    reading = _Reading(file)
    _read(lines, reading)
    tracks = _tracks(reading)
    if reading.problems:
        raise SpecError(tuple(reading.problems))
    return tracks


def _read(lines: Iterable[str], reading: _Reading) -> None:
    """Gather the lines of one series while they follow one another."""
    current, first, rests = "", 1, list[str]()
    number, ended = 0, 0
    for number, line in enumerate(lines, 1):
        if current and line.startswith(current) and "#" not in line:
            rests.append(line[len(current) :])
            continue
        _store(reading, current, rests, first)
        current, rests = "", []
        if ended:
            reading.wrong(number, line, f"text after {_END}")
        elif line.startswith("#"):
            ended = number if line.rstrip("\n") == _END else 0
            if not ended and not line.startswith(_COMMENTS):
                reading.wrong(number, line, "a comment that OpenMetrics does not know", "# HELP, # TYPE, # UNIT, # EOF")
        else:
            current, rests, first = *_first(line, number, reading), number
    _store(reading, current, rests, first)
    if not ended:
        reading.wrong(max(1, number), "", f"the text does not end in {_END}: was it cut off?")


def _first(line: str, number: int, reading: _Reading) -> tuple[str, list[str]]:
    """The series as written, with the space behind it, and the rest of its first line without an exemplar."""
    named = _NAMED.match(line)
    if not named or line[named.end() : named.end() + 1] != " ":
        reading.wrong(number, line, "expected a series, its value and a timestamp", _HINT)
        return "", []
    rest = line[named.end() :].partition(" # ")[0]
    return named[0] + " ", [rest.lstrip(" ").rstrip("\n") + "\n"]


def _store(reading: _Reading, series: str, rests: list[str], first: int) -> None:
    if not series:
        return
    numbers = _numbers(rests)
    if numbers is None:
        _complain(reading, series, rests, first)
    else:
        reading.parts.setdefault(series, []).append(numbers)


def _numbers(rests: list[str]) -> Numbers | None:
    """Pairs of value and time, or None where a line has not just these two."""
    text = "".join(rests)
    letters = np.frombuffer(text.encode("utf-8", "replace"), dtype=np.uint8)
    gaps = letters[(letters == _SPACE) | (letters == _NEWLINE)]
    try:
        if np.array_equal(gaps, np.tile(_PATTERN, len(rests))):
            found = np.fromstring(text, dtype=np.float64, sep=" ")
            return found.reshape(-1, 2) if len(found) == 2 * len(rests) else None
    except ValueError:
        return None
    return _slowly(rests)


def _slowly(rests: list[str]) -> Numbers | None:
    found = [_PAIR.fullmatch(f" {one.rstrip()}") for one in rests]
    pairs = [(float(one[1]), float(one[2])) for one in found if one]
    return np.array(pairs).reshape(-1, 2) if len(pairs) == len(rests) else None


def _complain(reading: _Reading, series: str, rests: list[str], first: int) -> None:
    for place, rest in enumerate(rests):
        if not _PAIR.fullmatch(f" {rest.rstrip()}"):
            alone = re.fullmatch(rf" *{_NUMBER} *", rest.rstrip(), re.ASCII)
            what = "a sample without a timestamp" if alone else "expected a value and a timestamp in seconds"
            reading.wrong(first + place, series + rest, what, _HINT, column=len(series) + 1)


def _tracks(reading: _Reading) -> tuple[Track, ...]:
    merged: dict[Key, tuple[dict[str, str], list[Numbers]]] = {}
    for series, parts in reading.parts.items():
        labels = _labels(series.strip())
        if labels is None:
            reading.wrong(0, series, "labels that cannot be read", _HINT)
        else:
            merged.setdefault(key(labels), (labels, []))[1].extend(parts)
    return tuple(_track(reading, labels, parts) for labels, parts in merged.values())


def _labels(series: str) -> dict[str, str] | None:
    found = _SERIES.fullmatch(series)
    if not found:
        return None
    labels, rest = {NAME: found[1]}, found[2] or ""
    while rest.strip():
        one = _LABEL.match(rest)
        if not one or one[1] in labels:
            return None
        labels[one[1]] = re.sub(r"\\(.)", lambda part: _ESCAPES.get(part[1], part[0]), one[2])
        rest = rest[one.end() :]
    return {name: value for name, value in labels.items() if value}


def _track(reading: _Reading, labels: dict[str, str], parts: list[Numbers]) -> Track:
    pairs = np.concatenate(parts)
    times = np.round(pairs[:, 1], 3)
    order = np.argsort(times, kind="stable")
    times, values = times[order], pairs[order, 0]
    again = np.concatenate(([False], times[1:] == times[:-1]))
    differ = again[1:] & (values[1:] != values[:-1]) & ~(np.isnan(values[1:]) & np.isnan(values[:-1]))
    if differ.any():
        at = times[1:][differ][0]
        reading.wrong(0, "", f"two values of {_shown(labels)} at {at:.15g}", "two targets with the same labels?")
    if not (np.abs(times) < _LATEST).all():
        reading.wrong(0, "", f"{_shown(labels)} has a timestamp beyond all time", "OpenMetrics counts in seconds")
    return Track(labels=labels, times=times[~again], values=values[~again])


def _shown(labels: dict[str, str]) -> str:
    inside = ",".join(f'{name}="{value}"' for name, value in labels.items() if name != NAME)
    return f"{labels[NAME]}{{{inside}}}"
