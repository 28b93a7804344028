"""A load profile is Locust's own config file: its options, named once for all, and a reader that tells all problems."""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from holdfast import units
from holdfast.errors import Location, Problem, SpecError
from holdfast.model.load import ARRIVALS, LoadProfile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of the load engine: a line `key = value` in a profile, `--key value` on Locust's command line.

    `read` turns its text into a value or raises ValueError; `field` is its name in LoadProfile, None for what belongs
    to one run and not to the profile.
    """

    key: str
    read: Callable[[str], Any]
    default: str | None
    help: str
    field: str | None = None
    in_file: bool = True


def _number(text: str, *, least: float, kind: Callable[[str], float] = float) -> float:
    what = "a whole number" if kind is int else "a number"
    try:
        value = kind(text)
    except ValueError:
        raise ValueError(f"expected {what}, got {text!r}") from None
    if not math.isfinite(value) or value < least:
        raise ValueError(f"expected {what} of at least {least:g}, got {text!r}")
    return value


def _positive(text: str) -> float:
    value = _number(text, least=0)
    if value == 0:
        raise ValueError(f"expected more than zero, got {text!r}")
    return value


def _count(text: str) -> int:
    return int(_number(text, least=1, kind=int))


def _whole(text: str) -> int:
    return int(_number(text, least=-math.inf, kind=int))


def _not_negative(text: str) -> float:
    return _number(text, least=0)


def _rate(text: str) -> float:
    return _positive(str(units.rate(text)) if "/" in text else text)


def _duration(text: str) -> float:
    return _positive(str(units.duration(text)))


def _arrivals(text: str) -> str:
    if text not in ARRIVALS:
        raise ValueError(f"expected {', '.join(ARRIVALS[:-1])} or {ARRIVALS[-1]}, got {text!r}")
    return text


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("expected a value, got nothing")
    return text


OPTIONS: Final = (
    Option(key="arrivals", read=_arrivals, default="poisson", help="constant, poisson or trace", field="arrivals"),
    Option(key="rate", read=_rate, default="1", help="requests per second, as 12 or 12/s or 90/m", field="rate"),
    Option(key="prompt-tokens", read=_count, default="250", help="median prompt, tokens", field="prompt_tokens"),
    Option(key="answer-tokens", read=_count, default="50", help="median answer, tokens", field="answer_tokens"),
    Option(key="spread", read=_not_negative, default="0", help="sigma of the lognormal lengths", field="spread"),
    Option(key="trace", read=_text, default=None, help="trace to replay, Azure 2023 format", field="trace"),
    Option(
        key="trace-start", read=units.duration, default="0s", help="skip this much of the trace", field="trace_start"
    ),
    Option(key="speed", read=_positive, default="1", help="2 replays a trace in half its time", field="speed"),
    Option(key="max-in-flight", read=_count, default="1024", help="drop arrivals above this", field="max_in_flight"),
    Option(key="request-timeout", read=_duration, default="30s", help="give up a request after this", field="timeout"),
    Option(key="model", read=_text, default="sim", help="the model asked for", field="model"),
    Option(key="seed", read=_whole, default="1", help="same seed, same schedule and prompts"),
    Option(key="length", read=_duration, default="60s", help="length of the schedule, such as 75s"),
    Option(key="records", read=_text, default=None, help="new NDJSON file to write, one line per request"),
    Option(
        key="epoch",
        read=_not_negative,
        default=None,
        help="time zero of the schedule, seconds of CLOCK_MONOTONIC; default half a second from now",
        in_file=False,
    ),
    Option(key="api-key", read=_text, default=None, help="bearer token; prefer HOLDFAST_API_KEY", in_file=False),
)
LOCUST_KEYS: Final = (
    *("users", "spawn-rate", "headless", "locustfile", "host", "run-time"),
    *("only-summary", "loglevel", "autostart", "autoquit"),
)
_LINE: Final = re.compile(r"(?P<key>[^:=;#\s]+)\s*=\s*(?P<value>.*?)\s*(?:\s[;#].*)?")
_BY_KEY: Final = {option.key: option for option in OPTIONS}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    key: str
    value: str
    source: str
    where: Location
    value_column: int

    def key_problem(self, what: str, hint: str = "") -> Problem:
        return Problem(where=self.where, what=what, source=self.source, width=len(self.key), hint=hint)

    def value_problem(self, what: str) -> Problem:
        where = Location(file=self.where.file, line=self.where.line, column=self.value_column)
        hint = f"{self.key}: {_BY_KEY[self.key].help}"
        return Problem(where=where, what=what, source=self.source, width=max(1, len(self.value)), hint=hint)


def read_profile(text: str, file: str) -> LoadProfile:
    """The profile in a Locust config file of lines `key = value`; its name is the file's, without the suffix.

    Absent keys take the engine's defaults. Raises SpecError with every problem, unknown keys among them.
    """
    problems: list[Problem] = []
    entries = _entries(text, file, problems)
    values = dict(_values(entries, problems))
    arrivals = entries.get("arrivals")
    if arrivals and arrivals.value == "trace" and "trace" not in entries:
        problems.append(
            arrivals.key_problem("a trace profile names no trace", "add: trace = loadtests/traces/NAME.csv")
        )
    if problems:
        raise SpecError(tuple(problems))
    return make_profile(PurePath(file).stem, values)


def make_profile(name: str, values: Mapping[str, Any]) -> LoadProfile:
    """A profile from values by option key, defaults for the rest. Raises ValueError when they do not go together."""
    chosen = {
        option.field: values.get(option.key, option.read(option.default) if option.default else None)
        for option in OPTIONS
        if option.field
    }
    return LoadProfile(name=name, **chosen)


def _entries(text: str, file: str, problems: list[Problem]) -> dict[str, _Entry]:
    entries: dict[str, _Entry] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped[0] in "#;[":
            continue
        column = line.index(stripped) + 1
        where = Location(file=file, line=number, column=column)
        found = _LINE.fullmatch(stripped)
        if not found:
            hint = "write key = value"
            problems.append(Problem(where=where, what="not a setting", source=line, width=len(stripped), hint=hint))
            continue
        value = _unquoted(found["value"])
        entry = _Entry(
            key=found["key"], value=value, source=line, where=where, value_column=column + found.start("value")
        )
        if entry.key in entries:
            first = entries[entry.key].where.line
            problems.append(entry.key_problem(f"{entry.key} is set twice", f"first set in line {first}"))
        entries[entry.key] = entry
    return entries


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value


def _values(entries: Mapping[str, _Entry], problems: list[Problem]) -> Iterator[tuple[str, Any]]:
    for key, entry in entries.items():
        option = _BY_KEY.get(key)
        if option is None:
            if key not in LOCUST_KEYS:
                problems.append(entry.key_problem(f"unknown setting {key}", _did_you_mean(key)))
        elif not option.in_file:
            problems.append(entry.key_problem(f"{key} does not belong in a file", f"{key}: {option.help}"))
        else:
            try:
                yield key, option.read(entry.value)
            except ValueError as error:
                problems.append(entry.value_problem(str(error)))


def _did_you_mean(key: str) -> str:
    known = [*(option.key for option in OPTIONS if option.in_file), *LOCUST_KEYS]
    close = difflib.get_close_matches(key.replace("_", "-").lower(), known, n=1)
    return f"did you mean {close[0]}?" if close else f"settings are {', '.join(sorted(known))}"
