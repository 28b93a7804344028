"""A run's load in the words of every tool: read its record, and compute what each would have printed for it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from holdfast.definitions.summary import NO_BOUNDS, summarize_all
from holdfast.definitions.tools import find, names
from holdfast.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from holdfast.definitions.base import Bounds
    from holdfast.definitions.summary import Summary
    from holdfast.model.stream import Stream

ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What the record of a run says, tool by tool. `trouble` is why it says nothing, in words; empty when it does."""

    run: str
    outcomes: Mapping[str, int]
    """How many requests ended how, `ok` first: failures are told apart, never only counted."""
    summaries: tuple[Summary, ...] = ()
    trouble: str = ""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Phase that is not judged, as a warmup -> requests due in it, which nothing here counts."""


def report(folder: Path, tools: Sequence[str], bounds: Bounds = NO_BOUNDS) -> Reported:
    """Summaries of one run folder by these tools, or by all: of the requests that are judged, as everywhere.

    Raises UsageError for a tool that is not known, and for a folder whose load record is not there or cannot be read.
    """
    chosen = {name.replace("-", "_"): find(name) for name in (names() if ALL in tools else tools)}
    seen = Seen()
    summaries = summarize_all(chosen, judged_in(folder, seen), bounds)
    return Reported(
        run=folder.name,
        outcomes=dict(sorted(seen.outcomes.items(), key=lambda item: (item[0] != "ok", item[0]))),
        summaries=() if seen.trouble() else summaries,
        trouble=seen.trouble(),
        left_out=dict(seen.left_out),
    )


@dataclass(slots=True)
class Seen:
    """Looks at streams as they pass."""

    outcomes: Counter[str] = field(default_factory=Counter)
    pieces: bool = False
    left_out: Counter[str] = field(default_factory=Counter)

    def look(self, stream: Stream) -> None:
        """Take note of one."""
        self.outcomes[stream.outcome] += 1
        self.pieces = self.pieces or bool(stream.pieces)

    def trouble(self) -> str:
        """Why nothing can be said of what has passed; empty when something can."""
        if not self.outcomes:
            return "the record has no request"
        if self.pieces:
            return ""
        if self.outcomes["ok"]:
            return "the record has no pieces of its answers, only their first and last token: play the run again"
        return "no request got as far as an answer"


def judged_in(folder: Path, seen: Seen) -> Iterator[Stream]:
    """The requests of a run folder that were due in a judged phase; all of them where it keeps no scenario.

    Raises UsageError as `streams_in`, SpecError when the scenario that the folder keeps is broken.
    """
    from holdfast.store.reading import read_phases  # noqa: PLC0415 - as below

    phases = read_phases(folder)
    for stream in streams_in(folder, Seen()):
        phase = next((one for one in phases if one.start <= stream.due < one.end), None)
        if phase is None and phases:
            seen.left_out["no phase"] += 1
        elif phase is not None and not phase.judged:
            seen.left_out[phase.name] += 1
        else:
            seen.look(stream)
            yield stream


def streams_in(folder: Path, seen: Seen) -> Iterator[Stream]:
    """Every request of a run folder. Raises UsageError when its load record is not there or cannot be read."""
    from holdfast.store.streams import read_streams  # noqa: PLC0415 - pyarrow need not be imported for `--help`

    try:
        for stream in read_streams(folder):
            seen.look(stream)
            yield stream
    except FileNotFoundError as error:
        raise UsageError(f"{folder} has no load record", hint="a run folder, as `holdfast run` writes it") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"the load record of {folder} cannot be read: {error}") from error
