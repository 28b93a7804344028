"""Where the rules of each SLO file go, and writing them: all of them whole, or none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.errors import SpecError, UsageError
from holdfast.objectives.shares import each
from holdfast.store.folder import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from holdfast.errors import Problem

_SUFFIXES: Final = frozenset({".yaml", ".yml"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A file of SLOs, and the file for its rules; None is standard output."""

    source: Path
    target: Path | None


def places(inputs: Sequence[Path], out: Path | None) -> list[Place]:
    """Every file named, and every YAML file below a folder named, with where its rules go.

    Raises UsageError where a file would be written twice, over an SLO file, or nowhere.
    """
    sources = [(source, top) for top in inputs for source in _below(top, out)]
    if not sources:
        raise UsageError("no SLO file there", hint="name files, or folders of files that end in .yaml or .yml")
    folder = len(inputs) > 1 or inputs[0].is_dir() or (out is not None and out.is_dir())
    if folder and out is None:
        raise UsageError("the rules of several files need a folder", hint="add -o FOLDER")
    found = [Place(source=source, target=_target(source, top, out, folder=folder)) for source, top in sources]
    _refuse_clashes(found)
    return found


def _below(top: Path, out: Path | None) -> Iterator[Path]:
    if not top.exists():
        raise UsageError(f"no such file or folder: {top}")
    if top.is_file():
        yield top
        return
    for path in sorted(top.rglob("*")):
        if path.suffix.lower() in _SUFFIXES and path.is_file() and not (out and path.is_relative_to(out)):
            yield path


def _target(source: Path, top: Path, out: Path | None, *, folder: bool) -> Path | None:
    if out is None or not folder:
        return out
    if out.is_file():
        raise UsageError(f"not a folder: {out}", hint="the rules of several files need a folder: -o FOLDER")
    return out / (source.relative_to(top) if top.is_dir() else source.name)


def _refuse_clashes(found: Iterable[Place]) -> None:
    taken: dict[Path, Path] = {}
    sources = {place.source.absolute() for place in found}
    for place in found:
        if place.target is None:
            continue
        target = place.target.absolute()
        if target in sources:
            raise UsageError(f"the rules would be written over SLOs: {place.target}", hint="choose another -o")
        if target in taken:
            raise UsageError(f"{taken[target]} and {place.source} would both be written to {place.target}")
        taken[target] = place.source


def all_read(found: Iterable[Place], reader: Callable[[str, str], tuple[str, list[Problem]]]) -> dict[Path | None, str]:
    """The rules of every file by where they go, from a reader of (text, file name).

    Raises SpecError with the problems of all files at once, and UsageError where a file gives no rules.
    """
    places = list(found)
    answers = each(lambda place: _read(place, reader), places)
    problems = [problem for _, wrong in answers for problem in wrong]
    if problems:
        raise SpecError(tuple(problems))
    return {place.target: text for place, (text, _) in zip(places, answers, strict=True)}


def _read(place: Place, reader: Callable[[str, str], tuple[str, list[Problem]]]) -> tuple[str, Sequence[Problem]]:
    try:
        text, problems = reader(_text(place.source), str(place.source))
    except SpecError as error:
        return "", error.problems
    if not text and not problems:
        raise UsageError(f"{place.source} gives no rules", hint="are all of its alerts and recordings left out?")
    return text, problems


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error


def stale(texts: Mapping[Path | None, str]) -> list[Path]:
    """The files that are not there, or say something else."""
    return [path for path, text in texts.items() if path and not _is(path, text)]


def _is(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode()
    except FileNotFoundError:
        return False


def write(texts: Mapping[Path | None, str], changed: Iterable[Path]) -> None:
    """Write the files that changed, each whole."""
    for path in changed:
        write_whole(path, texts[path])
