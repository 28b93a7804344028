"""Two versions of SLO files, from disk or from Git, and what still uses what the new one no longer makes."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from holdfast.errors import Problem, SpecError, UsageError
from holdfast.slo.diff.fields import Kind
from holdfast.slo.diff.slos import Change, diff, ordered
from holdfast.slo.diff.uses import still_used
from holdfast.slo.files.read import read_slos
from holdfast.spec.source import read_all

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from holdfast.errors import Location
    from holdfast.model.slo import Slo
    from holdfast.slo.diff.slos import Diff
    from holdfast.spec.source import Path as TreePath
    from holdfast.spec.source import Source

_SUFFIXES: Final = (".yaml", ".yml")
_USING: Final = (*_SUFFIXES, ".json")
_OURS: Final = "# Made by `holdfast slo generate`"
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "objective": ("objective", "target", "targetPercent"),
    "bound": ("bound",),
    "sli": ("sli",),
    "labels": ("labels",),
    "period": ("period", "calendar", "timeWindow"),
    "budgeting": ("budgeting", "budgetingMethod"),
    "error query": ("error_query", "errorQuery", "bad", "good"),
    "total query": ("total_query", "totalQuery", "total"),
    "error ratio": ("error_ratio_query", "errorRatioQuery"),
    "exclusion added": ("exclude",),
    "dead-after": ("dead-after",),
    "least-bad": ("least-bad",),
    "tiers": ("tiers",),
    "page alert": ("page_alert", "pageAlert"),
    "ticket alert": ("ticket_alert", "ticketAlert"),
    "description": ("description",),
    "loosened": ("loosened",),
}
"""Under which key of which format a reader finds what changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One version: its files by name, and the SLOs in them."""

    files: Mapping[str, str]
    slos: tuple[Slo, ...]


def diff_of(old: str, new: str, *, here: Path, uses: Iterable[Path] = (), retired: Collection[str] = ()) -> Diff:
    """What became of the SLOs of `old` in `new`: each a file, a folder of files, or a Git revision `REV:PATH`.

    `uses` are files and folders that may still name what is gone; `retired` are ids whose removal is announced.
    Raises UsageError where a side or a use is not there, SpecError with every problem of both sides.
    """
    texts = _texts(old, here), _texts(new, here)
    before, after = _sides(*texts)
    found = diff(before.slos, after.slos, retired)
    read = {name: text for path in uses for name, text in _using(path, here).items() if name not in after.files}
    changes = [*found.changes, *still_used(before.slos, after.slos, read)]
    places = {**{name: _sources(name, text) for name, text in before.files.items()}}
    places |= {name: _sources(name, text) for name, text in after.files.items()}
    return replace(found, changes=ordered(_placed(one, places) for one in changes))


def _sides(*texts: Mapping[str, str]) -> list[Side]:
    problems: list[Problem] = []
    sides = [_side(files, problems) for files in texts]
    if problems:
        raise SpecError(tuple(problems))
    return sides


def _side(files: Mapping[str, str], problems: list[Problem]) -> Side:
    slos: dict[str, Slo] = {}
    for name, text in files.items():
        try:
            found, wrong = read_slos(text, name)
        except SpecError as error:
            problems += error.problems
            continue
        problems += wrong
        for slo in found:
            if slo.id in slos:
                problems.append(Problem(where=slo.where, what=f"SLO {slo.id} stands in {slos[slo.id].where} too"))
            slos[slo.id] = slo
    return Side(files=files, slos=tuple(slos.values()))


def _texts(place: str, here: Path) -> dict[str, str]:
    """The files of one side by name. Raises UsageError when there is no such file, folder or revision."""
    path = here / place
    if path.exists():
        return _folder(place, path) if path.is_dir() else {place: _text(path)}
    revision, colon, inside = place.partition(":")
    if not colon or place.startswith("-"):
        raise UsageError(f"no such file or folder: {place}", hint="or a Git revision: HEAD~1:slos")
    return _revision(revision, inside, here)


def _folder(name: str, folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES and path.is_file())
    return {str(PurePosixPath(name) / path.name): _text(path) for path in files}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def _revision(revision: str, inside: str, here: Path) -> dict[str, str]:
    place = f"{revision}:{inside}"
    if _git(here, "cat-file", "-t", place).strip() == "blob":
        return {place: _git(here, "show", place)}
    names = _git(here, "ls-tree", "--name-only", "-z", place).split("\0")
    folder = inside.rstrip("/")
    kept = [f"{folder}/{name}" if folder else name for name in names if name.endswith(_SUFFIXES)]
    return {f"{revision}:{name}": _git(here, "show", f"{revision}:{name}") for name in kept}


def _git(here: Path, *words: str) -> str:
    """What Git says. Raises UsageError with its own words."""
    try:
        done = subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=False)
    except OSError as error:
        raise UsageError(f"git cannot be started: {error}") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise UsageError(f"git: {said[0] if said else 'no answer'}", hint="a revision is written HEAD~1:slos")
    return done.stdout


def _using(path: Path, here: Path) -> dict[str, str]:
    """Files that may name an SLO; rules that we made ourselves follow the SLOs and are not looked at."""
    place = here / path
    if not place.exists():
        raise UsageError(f"no such file or folder: {path}")
    files = [place] if place.is_file() else sorted(one for one in place.rglob("*") if one.suffix in _USING)
    texts = {str(path if place.is_file() else path / one.relative_to(place)): _text(one) for one in files}
    return {name: text for name, text in texts.items() if not text.startswith(_OURS)}


def _sources(name: str, text: str) -> Sequence[Source]:
    return read_all(text, name, [])


def _placed(change: Change, places: Mapping[str, Sequence[Source]]) -> Change:
    """With the line of the key that changed instead of the SLO's first line, where that key is written."""
    if change.kind is Kind.IN_USE or change.what not in _KEYS:
        return change
    for source in places.get(change.where.file, ()):
        where = _key(source, change.where, _KEYS[change.what])
        if where:
            return replace(change, where=where)
    return change


def _key(source: Source, slo: Location, words: tuple[str, ...]) -> Location | None:
    paths = list(_paths(source.tree, ()))
    at = next((path for path in paths if path and source.location(path) == slo), None)
    below = [path for path in paths if at is not None and path[: len(at)] == at and path[-1] in words]
    return source.location(min(below, key=len), key=True) if below else None


def _paths(tree: Any, here: TreePath) -> Iterator[TreePath]:
    yield here
    inside = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for step, child in inside:
        yield from _paths(child, (*here, step))
