"""Programs from Debian's and Ubuntu's own packages, without root: apt downloads, dpkg unpacks, nothing is installed.

apt gets a state folder of its own and this machine's sources and keys. Packages are never configured, so no
package's daemon starts. Each package is unpacked beside its place and moved there by one rename: a fetch
that is killed half-way leaves no half a program.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from holdfast.errors import HoldfastError, InfrastructureError, UsageError
from holdfast.platforms.needs import NEEDS, REQUIRED, Need, System, how_to_get, need_named, show_version, this_system
from holdfast.platforms.tools import cache_folder, choose, tools_folder, unpacked

Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]
Say = Callable[[str], None]

PATIENCE: Final = 1200.0  # seconds for one apt or dpkg command; a slow line takes minutes for the package lists

# The last lines matter: a machine's own apt hooks would touch folders outside ours (and fail without root).
_CONFIGURATION: Final = """\
Dir::State "{home}/state";
Dir::State::lists "{home}/state/lists";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "{home}/cache";
Debug::NoLocking "true";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons-small::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons::DefaultEnabled "false";
Acquire::IndexTargets::deb::CNF::DefaultEnabled "false";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Update::Post-Invoke-Stats;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear AptCli::Hooks;
"""

_CAUSES: Final = (
    (
        r"No space left|enough free space|Disk quota",
        "the disk is full: a fetch needs about 600 MB for a while; free some, then run again",
    ),
    (
        r"resolving|resolve|Could not connect|Cannot initiate|[Cc]onnection (?:failed|timed out|refused)|unreachable",
        "apt's servers cannot be reached: see that `apt-get update` works on this machine, then run again",
    ),
    (
        r"Unable to locate package|no installation candidate",
        "this machine's apt sources do not have it: they need Debian's main, or Ubuntu's main and universe",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Apt:
    """apt-get with a state folder of its own in `home`; `said` is what it said while it read the package lists."""

    home: Path
    run: Run
    said: str

    def unpack(self, packages: Sequence[str], into: Path) -> tuple[int, int]:
        """Download `packages` with all they need that this machine lacks, and unpack them into a new folder.

        Returns the number of packages and their size in bytes. Raises InfrastructureError with the cause.
        """
        archives = Path(f"{into}.debs")
        (archives / "partial").mkdir(parents=True)
        options = ("--download-only", "--no-install-recommends", "-y", "-o", f"Dir::Cache::archives={archives}")
        # --reinstall, because a package that dpkg has recorded here may be hidden from PATH
        answer = _must(self.run, _apt_get(self.home, "install", "--reinstall", *options, *packages), before=self.said)
        files = sorted(archives.glob("*.deb"))
        if not files:
            raise InfrastructureError(f"apt downloaded nothing for {' '.join(packages)}:\n{answer.stdout.strip()}")
        into.mkdir(parents=True)
        for file in files:
            _must(self.run, ("dpkg", "-x", str(file), str(into)))
        size = sum(file.stat().st_size for file in files)
        shutil.rmtree(archives)
        return len(files), size


def open_apt(home: Path, run: Run) -> Apt:
    """Make the state folder and read the package lists of this machine's sources.

    A source that cannot be reached is no error yet: others may have what is wanted. apt itself thinks so too.
    """
    (home / "state" / "lists" / "partial").mkdir(parents=True)
    (home / "cache" / "archives" / "partial").mkdir(parents=True)
    (home / "apt.conf").write_text(_CONFIGURATION.format(home=home), encoding="utf-8")
    answer = run(_apt_get(home, "update"))
    return Apt(home=home, run=run, said=answer.stderr)


def fetch(
    names: Iterable[str], *, cache: Path, run: Run | None = None, say: Say = print, system: System | None = None
) -> None:
    """Bring each named tool into the cache, whole or not at all; what is there and works is left alone.

    Raises:
        UsageError: a name is not known, or this system has no apt; the hint says what to install and how.
        InfrastructureError: no network, no such package, disk full, or the package is older than needed.
    """
    here = system or this_system()
    needs = tuple(map(need_named, names))
    if not here.has_apt:
        missing = ", ".join(map(str, needs))
        raise UsageError(
            f"{here.name} has no apt, so these must be installed by hand: {missing}", hint=how_to_get(needs, here)
        )
    tools = tools_folder(cache, here)
    with _alone(tools, say) as workplace:
        packages = dict.fromkeys(need.debian for need in needs if not _works(need, tools / need.debian[0]))
        if packages:
            say(f"getting {' '.join(name for names in packages for name in names)} by apt into {tools}")
            apt = open_apt(workplace / "apt", run or run_command)
            for package in packages:
                _bring(apt, package, workplace, tools, say)


def _bring(apt: Apt, packages: tuple[str, ...], workplace: Path, tools: Path, say: Say) -> None:
    """Unpack beside, prove that every tool of these packages works, and only then move into place."""
    fresh, final = workplace / packages[0], tools / packages[0]
    count, size = apt.unpack(packages, fresh)
    for need in NEEDS.values():
        if need.debian == packages:
            _prove(need, fresh)
    if final.exists():
        final.rename(workplace / f"{packages[0]}.old")
    fresh.rename(final)
    say(f"  {packages[0]}: {count} package{'s' if count != 1 else ''}, {size / 1e6:.1f} MB downloaded")


def _prove(need: Need, folder: Path) -> None:
    found = next(iter(unpacked(need, folder, os.defpath)), None)
    if found is None:
        raise InfrastructureError(f"{need.debian[0]} was unpacked, but holds no {need.name} that starts")
    if found.version < need.least:
        raise InfrastructureError(
            f"this system's {need.debian[0]} is {show_version(found.version)}, and {need} is needed",
            hint=f"put a newer {need.name} (its project's own release) on PATH, or use a newer release of this system",
        )


def _works(need: Need, folder: Path) -> bool:
    return any(found.version >= need.least for found in unpacked(need, folder, os.defpath))


@contextmanager
def _alone(tools: Path, say: Say) -> Iterator[Path]:
    """A temporary folder beside `tools`' own, held by one process at a time; sweeps up after those that were killed."""
    tools.mkdir(parents=True, exist_ok=True)
    with (tools / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another set-up is filling {tools}; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for abandoned in tools.glob(".fetch-*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=tools, ignore_cleanup_errors=True) as workplace:
            yield Path(workplace)


def run_command(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run one command in English, with no questions asked. Raises InfrastructureError when it cannot start or hangs."""
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        return subprocess.run(
            words,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except FileNotFoundError as error:
        raise InfrastructureError(f"{words[0]} is not on PATH, though this is a system of Debian's family") from error
    except subprocess.TimeoutExpired as error:
        raise InfrastructureError(f"{' '.join(words)}: no end after {PATIENCE:g} s") from error


def cause(said: str) -> str:
    """What to do about what apt or dpkg said, or nothing when it is not a known trouble."""
    return next((advice for pattern, advice in _CAUSES if re.search(pattern, said)), "")


def _apt_get(home: Path, *words: str) -> tuple[str, ...]:
    return ("apt-get", "-c", str(home / "apt.conf"), "-q", *words)


def _must(run: Run, words: Sequence[str], *, before: str = "") -> subprocess.CompletedProcess[str]:
    answer = run(words)
    if answer.returncode:
        said = before + answer.stderr
        complaints = [line for line in said.splitlines() if line.startswith(("E:", "W:", "dpkg"))] or said.splitlines()[
            -3:
        ]
        shown = "\n  ".join(dict.fromkeys(complaints))
        raise InfrastructureError(f"{words[0]} failed ({answer.returncode}):\n  {shown}", hint=cause(said))
    return answer


def missing_tools(*, path: str, cache: Path, system: System) -> tuple[str, ...]:
    """Required tools that neither `path` nor the cache has new enough."""
    tools = tools_folder(cache, system)
    return tuple(name for name in REQUIRED if choose(NEEDS[name], path=path, tools=tools)[0] is None)


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """`fetch [NAME...]` gets what is missing, `unpack PACKAGE --into FOLDER` any package. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m holdfast.platforms.apt", description=main.__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("fetch", help="tools of `holdfast doctor`; all required ones without a name").add_argument(
        "names", nargs="*"
    )
    unpacking = verbs.add_parser("unpack", help="one package with all it needs, for set-up itself")
    unpacking.add_argument("package")
    unpacking.add_argument("--into", type=Path, required=True)
    given = parser.parse_args(arguments)
    try:
        if given.verb == "fetch":
            _fetch_missing(tuple(given.names), environ)
        else:
            _unpack_one(given.package, given.into)
    except HoldfastError as error:
        print(f"error: {error}", *filter(None, [error.hint]), sep="\n", file=sys.stderr)
        return error.exit_code
    return 0


def _fetch_missing(names: tuple[str, ...], environ: Mapping[str, str]) -> None:
    cache, here = cache_folder(environ), this_system()
    wanted = names or missing_tools(path=environ.get("PATH", os.defpath), cache=cache, system=here)
    if wanted:
        fetch(wanted, cache=cache, system=here)


def _unpack_one(package: str, into: Path) -> None:
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpack-", dir=into.parent, ignore_cleanup_errors=True) as workplace:
        apt = open_apt(Path(workplace) / "apt", run_command)
        fresh = Path(workplace) / "fresh"
        apt.unpack([package], fresh)
        fresh.rename(into)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], os.environ))
