"""Drives an engine over cells, one load process each, and keeps every cell as a line the moment it is known."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from holdfast.calibration.cells import Cell, Seen, from_dict, to_line
from holdfast.errors import UsageError
from holdfast.load import process
from holdfast.store.folder import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from holdfast.engines.probe import Engine
    from holdfast.run import Stop

_LOOK: Final = 0.05
_POLITE: Final = 2.0
_STARTS: Final = 30.0
"""Seconds for the load process to start, and to sum up, beside its load."""
HEADER: Final = "holdfast/cells/v1"
DATE: Final = "date"
"""When the first cell was measured; whoever goes on another day still measures the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long each cell is looked at: seconds and requests at least, seconds at most; `patience` for one answer."""

    seconds: float = 5.0
    least: int = 12
    most: float = 60.0
    patience: float = 120.0

    @property
    def limit(self) -> float:
        """After so long, a load process is given up."""
        return _STARTS + 2 * self.patience + self.most


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The file of raw cells: what is measured in the first line, a cell in each of the others."""

    path: Path
    about: dict[str, Any]

    def open(self) -> tuple[tuple[int, Seen], ...]:
        """Begin the file, or go on with it: what it has already, as (repeat, cell); a torn last line is forgotten.

        Raises UsageError when it is the file of another engine, or no such file at all.
        """
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(header(self.about), encoding="utf-8")
            return ()
        about, found = read(self.path)
        other = [name for name, value in self.about.items() if name != DATE and about.get(name) != value]
        if other:
            told = ", ".join(f"{name} {about.get(name)!r}, now {self.about[name]!r}" for name in other)
            raise UsageError(f"{self.path} has cells of something else: {told}", hint="choose another with --cells")
        # Whole lines only: the next one must not be glued to the torn end of the last.
        lines = [to_line(seen, repeat=repeat) for repeat, seen in found]
        write_whole(self.path, header(about) + "".join(lines))
        return found

    def add(self, repeat: int, seen: Seen) -> None:
        """Append one cell."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(to_line(seen, repeat=repeat))
            file.flush()


def header(about: dict[str, Any]) -> str:
    """The first line of a file of cells."""
    return json.dumps({"schema": HEADER, **about}) + "\n"


def read(path: Path) -> tuple[dict[str, Any], tuple[tuple[int, Seen], ...]]:
    """The first line of a file of cells, and its cells. Raises UsageError for what is none; OSError as `open`."""
    first, *lines = path.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    try:
        about = json.loads(first)
        known = about.pop("schema") == HEADER
    except (ValueError, KeyError, AttributeError, TypeError):
        known = False
    if not known:
        raise UsageError(
            f"{path} is no file of measured cells: it begins {first[:60]!r}", hint="choose another --cells"
        )
    return about, tuple(_cells(path, lines))


def _cells(path: Path, lines: Sequence[str]) -> Iterator[tuple[int, Seen]]:
    for number, line in enumerate(lines, start=2):
        try:
            raw = json.loads(line)
            yield int(raw["repeat"]), from_dict(raw)
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines) + 1:
                return  # written when the machine, or somebody, stopped us
            raise UsageError(f"{path}:{number}: {error}") from error


def measure(
    engine: Engine, wanted: Sequence[tuple[int, Cell]], pace: Pace, *, stop: Stop
) -> Iterator[tuple[int, Seen]]:
    """Each (repeat, cell) as soon as it is known; ends early when it is asked to stop, without the cell under way."""
    with TemporaryDirectory(prefix="holdfast-cells-") as folder:
        for repeat, cell in wanted:
            seen = _one(engine, cell, pace, Path(folder), stop)
            if stop.signal:
                return
            yield repeat, seen


def _one(engine: Engine, cell: Cell, pace: Pace, folder: Path, stop: Stop) -> Seen:
    job, out = folder / "job.json", folder / "seen.json"
    out.unlink(missing_ok=True)
    # Prompts that nobody asked before, not even an earlier run of this: a prefix cache would know them.
    told = {"url": engine.url, "model": engine.model, "alphabet": engine.alphabet, "salt": token_hex(8)}
    job.write_text(json.dumps({**told, "cell": asdict(cell), **asdict(pace)}), encoding="utf-8")
    words = [sys.executable, "-m", "holdfast.load.cell", str(job), str(out)]
    running = process.start(words, cwd=folder, environment=os.environ, log=folder / "cell.log")
    _wait(running, pace.limit, stop)
    if stop.signal or not out.is_file():
        return Seen(cell=cell, trouble=f"the load process gave no result: {running.last_words()}"[:300])
    return from_dict(json.loads(out.read_text(encoding="utf-8")))


def _wait(running: process.LoadProcess, seconds: float, stop: Stop) -> None:
    end = time.monotonic() + seconds
    try:
        while running.alive() and time.monotonic() < end and not stop.signal:
            time.sleep(_LOOK)
    finally:
        running.stop(_POLITE)


def order(cells: Sequence[Cell], repeats: int, known: Callable[[int, Cell], bool]) -> tuple[tuple[int, Cell], ...]:
    """What is still to be measured: the whole grid, then the whole grid again, so that drift shows between repeats."""
    return tuple((repeat, cell) for repeat in range(repeats) for cell in cells if not known(repeat, cell))
