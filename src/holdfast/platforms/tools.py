"""Where each program that Holdfast runs but does not ship is on this machine, and which version answers there.

Nothing here needs more than the standard library, because set-up runs it before anything is installed:
`python -m holdfast.platforms.apt fetch` gets what is missing (see `apt`).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from holdfast.errors import InfrastructureError, UsageError
from holdfast.platforms.needs import NEEDS, Need, System, Version, how_to_get, need_named, show_version, this_system

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ANSWERS_WITHIN: Final = 20.0  # seconds for a program to say its version; a cold disk makes a large one slow
NOTHING_GIVEN: Final[Mapping[str, str]] = {}
_NUMBERS: Final = re.compile(r"\d+(?:\.\d+)+")
# Chromium's own folder comes first: Debian's /usr/bin/chromium is a script that only knows the system's folders.
_INSIDE: Final = ("usr/lib/chromium", "usr/bin", "usr/sbin", "bin", "sbin")
_LIBRARIES: Final = ("usr/lib/*-linux-gnu*", "lib/*-linux-gnu*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program that answered, and the environment it must be started with."""

    name: str
    path: Path
    version: Version
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of `holdfast doctor`; `version` and `where` are empty when the program was not found."""

    tool: str
    version: str
    where: str
    good: bool
    optional: bool
    needed_for: str
    get: str


def version_in(text: str) -> Version | None:
    """First dotted number a program printed about itself, or None: "Redis server v=7.0.15 sha=0" -> (7, 0, 15)."""
    found = _NUMBERS.search(text)
    return tuple(map(int, found[0].split("."))) if found else None


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where downloads are kept: HOLDFAST_CACHE, else ~/.cache/holdfast."""
    given = environ.get("HOLDFAST_CACHE")
    return Path(given) if given else Path(environ.get("HOME") or Path.home()) / ".cache" / "holdfast"


def tools_folder(cache: Path, system: System) -> Path:
    """Where programs fetched for this release live, one folder for each package."""
    return cache / "tools" / system.slug


def _question(need: Need, program: Path) -> list[str]:
    """What to start to hear a version; the interpreter of a Python package answers without importing it."""
    if not need.package:
        return [str(program), *need.asks]
    with program.open("rb") as file:
        first = file.readline(1024).decode("utf-8", "replace").removeprefix("#!").split()
    if not first or not Path(first[-1]).name.startswith("python"):
        return [str(program), *need.asks]
    return [*first, "-c", f"import importlib.metadata as m; print(m.version({need.package!r}))"]


def ask(need: Need, program: Path, *, path: str, environment: Mapping[str, str]) -> Program | None:
    """Start `program` to hear its version; None when it does not start, fails, is silent or hangs."""
    surroundings = {"PATH": path, "HOME": "/", "LC_ALL": "C", **environment}
    try:
        answer = subprocess.run(
            _question(need, program),
            env=surroundings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWERS_WITHIN,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = version_in(answer.stdout + answer.stderr) if answer.returncode == 0 else None
    return Program(name=need.name, path=program, version=version, environment=environment) if version else None


def on_path(need: Need, path: str) -> Iterable[Program]:
    """Every working program of that name on `path`, in order; a too old one may hide a newer one."""
    for command in need.commands:
        for folder in filter(None, path.split(os.pathsep)):
            candidate = shutil.which(command, path=folder)
            answered = ask(need, Path(candidate), path=path, environment={}) if candidate else None
            if answered:
                yield answered


def unpacked(need: Need, folder: Path, path: str) -> Iterable[Program]:
    """Working programs of that name in an unpacked package, each with the libraries that came along."""
    libraries = [str(found) for pattern in _LIBRARIES for found in sorted(folder.glob(pattern))]
    environment = {"LD_LIBRARY_PATH": os.pathsep.join(libraries)} if libraries else {}
    for place in _INSIDE:
        for command in need.commands:
            candidate = folder / place / command
            answered = ask(need, candidate, path=path, environment=environment) if candidate.is_file() else None
            if answered:
                yield answered


def candidates(need: Need, *, path: str, tools: Path) -> Iterable[Program]:
    """PATH first, then what was fetched; whatever the version."""
    yield from on_path(need, path)
    if need.debian:
        yield from unpacked(need, tools / need.debian[0], path)


def choose(need: Need, *, path: str, tools: Path) -> tuple[Program | None, Program | None]:
    """The first program that is new enough, and the first one found at all."""
    first = None
    for program in candidates(need, path=path, tools=tools):
        first = first or program
        if program.version >= need.least:
            return program, first
    return None, first


def locate(
    names: Iterable[str],
    *,
    path: str,
    cache: Path,
    system: System | None = None,
    given: Mapping[str, str] = NOTHING_GIVEN,
) -> dict[str, Program]:
    """Where each named tool is: where `given` says, else on `path` when new enough, else in the cache.

    Raises:
        UsageError: a name is not in the table, or its user must say where it is and has not, or not rightly.
        InfrastructureError: names every tool that is missing or too old, with the command that gets it.
    """
    here = system or this_system()
    tools = tools_folder(cache, here)
    chosen = {need: _chosen(need, given, path, tools) for need in map(need_named, names)}
    missing = [need for need, (good, _) in chosen.items() if not good]
    if unnamed := [need for need in missing if need.variable]:
        raise UsageError(
            f"missing: {', '.join(_unnamed(need, chosen[need][1], given) for need in unnamed)}",
            hint=how_to_get(unnamed, here),
        )
    if missing:
        reasons = ", ".join(_reason(need, chosen[need][1]) for need in missing)
        raise InfrastructureError(f"missing: {reasons}", hint=how_to_get(missing, here))
    return {need.name: good for need, (good, _) in chosen.items() if good}


def survey(
    *, path: str, cache: Path, system: System | None = None, given: Mapping[str, str] = NOTHING_GIVEN
) -> tuple[Row, ...]:
    """Every tool of the table, found or not: what `holdfast doctor` prints."""
    here = system or this_system()
    tools = tools_folder(cache, here)
    return tuple(_row(need, _chosen(need, given, path, tools), here) for need in NEEDS.values())


def _chosen(need: Need, given: Mapping[str, str], path: str, tools: Path) -> tuple[Program | None, Program | None]:
    """As `choose`; but where somebody said which program to take, no other will do."""
    if need.name not in given:
        return choose(need, path=path, tools=tools)
    found = ask(need, Path(given[need.name]).expanduser().absolute(), path=path, environment={})
    return (found if found and found.version >= need.least else None), found


def _unnamed(need: Need, found: Program | None, given: Mapping[str, str]) -> str:
    if found or need.name not in given:
        return _reason(need, found)
    return f"{need} ({given[need.name]} does not answer)"


def _reason(need: Need, found: Program | None) -> str:
    return f"{need} ({found.path} is {show_version(found.version)})" if found else str(need)


def _row(need: Need, chosen: tuple[Program | None, Program | None], system: System) -> Row:
    good, first = chosen
    shown = good or first
    return Row(
        tool=str(need),
        version=show_version(shown.version) if shown else "",
        where=str(shown.path) if shown else "",
        good=good is not None,
        optional=need.optional,
        needed_for=need.for_what,
        get="" if good else how_to_get([need], system),
    )
