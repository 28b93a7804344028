"""A load profile is Locust's own config file; it is read with all its problems told at once."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import PurePath
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from holdfast.errors import Location, Problem, SpecError
from holdfast.model.load import LoadProfile
from holdfast.model.load.profile import clashes
from holdfast.spec.options import LOCUST_KEYS, OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from holdfast.model.load import ProfileError

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

    def value_problem(self, error: ValueError) -> Problem:
        """The caret stands under the fragment that the error names, else under the whole value."""
        fragment = getattr(error, "fragment", "") or self.value
        column = self.value_column + max(0, self.value.find(fragment))
        where = Location(file=self.where.file, line=self.where.line, column=column)
        hint = getattr(error, "hint", "") or f"{self.key}: {_BY_KEY[self.key].help}"
        return Problem(where=where, what=str(error), source=self.source, width=max(1, len(fragment)), hint=hint)


def read_profile(text: str, file: str) -> LoadProfile:
    """The profile in a Locust config file of lines `key = value`; its name is the file's, without the suffix.

    Absent keys take the engine's defaults. Raises SpecError with every problem, unknown keys among them.
    """
    problems: list[Problem] = []
    entries = _entries(text, file, problems)
    values = dict(_values(entries, problems))
    problems += [_clash(error, entries, file) for error in clashes(_draft(values))]
    if problems:
        raise SpecError(tuple(problems))
    return make_profile(PurePath(file).stem, values)


def _clash(error: ProfileError, entries: Mapping[str, _Entry], file: str) -> Problem:
    """Settings that do not go together, told at the line of the one to look at; it may be one that is not there."""
    key = next(option.key for option in OPTIONS if option.field == error.field)
    if key in entries:
        return entries[key].key_problem(str(error), error.hint)
    return Problem(where=Location(file=file), what=str(error), hint=error.hint)


def make_profile(name: str, values: Mapping[str, Any]) -> LoadProfile:
    """A profile from values by option key, defaults for the rest. Raises ValueError when they do not go together."""
    return LoadProfile(name=name, **_fields(values))


def _fields(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        option.field: values.get(option.key, option.read(option.default) if option.default else None)
        for option in OPTIONS
        if option.field
    }


def _draft(values: Mapping[str, Any]) -> Any:
    """What will be a profile, if nothing is wrong with it."""
    return SimpleNamespace(**_fields(values))


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
                problems.append(entry.value_problem(error))


def _did_you_mean(key: str) -> str:
    known = [*(option.key for option in OPTIONS if option.in_file), *LOCUST_KEYS]
    close = difflib.get_close_matches(key.replace("_", "-").lower(), known, n=1)
    return f"did you mean {close[0]}?" if close else f"settings are {', '.join(sorted(known))}"
