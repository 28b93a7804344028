"""Result files of other tools side by side, and beside a run of ours in the same tool's definitions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from holdfast.definitions import words
from holdfast.definitions.foreign import read
from holdfast.definitions.foreign.document import parse
from holdfast.errors import Location, Problem, SpecError, UsageError
from holdfast.loadtest.exchange import report

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from holdfast.definitions.foreign.document import Imported
    from holdfast.definitions.summary import Summary
    from holdfast.loadtest.exchange import Reported

SCHEMA: Final = "holdfast/load-import/v1"
_LARGEST: Final = 2**31
"""Bytes of a file that is read: the whole of it is held in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Every run of every file, then our run in the definitions of each tool that was read."""

    imported: tuple[tuple[str, Imported], ...]
    """(file, what it says)."""
    ours: Reported | None

    @property
    def summaries(self) -> tuple[Summary, ...]:
        """All of them, each with its source in its title."""
        theirs = [_titled(one.summary, file) for file, one in self.imported]
        mine = () if self.ours is None else self.ours.summaries
        return (*theirs, *(_titled(one, self.ours.run) for one in mine if self.ours is not None))


def read_files(files: Sequence[Path], beside: Path | None = None) -> Table:
    """Read result files, and one run folder of ours in the same definitions.

    Raises UsageError for a file or folder that is not there, SpecError with every problem of all files.
    """
    imported: list[tuple[str, Imported]] = []
    problems: list[Problem] = []
    for path in files:
        try:
            imported += [(path.name, one) for one in read(parse(_text(path), str(path)))]
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(tuple(problems))
    tools = tuple(dict.fromkeys(one.summary.tool for _, one in imported))
    return Table(imported=tuple(imported), ours=None if beside is None else report(beside, tools))


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise UsageError(f"{path} is larger than 2 GiB", hint="the tool's summary file says the same in less")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        where = Location(file=str(path))
        raise SpecError((Problem(where=where, what=f"not UTF-8 at byte {error.start}"),)) from error


def _titled(summary: Summary, source: str) -> Summary:
    return replace(summary, title=f"{source}: {summary.title}")


def notes(table: Table) -> list[str]:
    """What cannot be compared, and why: of each file, and between them."""
    said = [f"{file}: {note}" for file, one in table.imported for note in one.notes]
    tools = {one.summary.tool for _, one in table.imported}
    if len(tools) > 1:
        said.append(
            "figures of different tools under one name are different quantities: --beside a run of ours for each"
        )
    if table.ours is not None and table.ours.trouble:
        said.append(f"{table.ours.run}: {table.ours.trouble}")
    return said


def to_dict(table: Table) -> dict[str, Any]:
    """For machines: a list, since a file may hold several runs and tools may repeat."""
    theirs = [
        {"file": file, "exact": one.exact, "notes": list(one.notes), **words.summary_as_dict(one.summary)}
        for file, one in table.imported
    ]
    mine = () if table.ours is None else table.ours.summaries
    return {
        "schema": SCHEMA,
        "files": theirs,
        "beside": None if table.ours is None else table.ours.run,
        "ours": [words.summary_as_dict(one) for one in mine],
        "notes": notes(table),
    }
