"""The programs Holdfast runs but does not ship, as data: how new, what for, and what each system calls them."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from holdfast.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A program, the oldest version that will do, and what each system calls it."""

    name: str
    commands: tuple[str, ...]  # upstream's name first, then other spellings
    least: Version
    asks: tuple[str, ...] = ("--version",)
    debian: tuple[str, ...]
    fedora: str
    macos: str
    for_what: str
    optional: bool = False
    package: str = ""
    """The Python package that brings the command; its own Python knows the version at once."""
    variable: str = ""
    """The environment variable that names the command; for what no system's packages have."""

    def __str__(self) -> str:
        """Name and bound: "prometheus ≥ 2.40"."""
        return f"{self.name} ≥ {show_version(self.least)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The operating system as /etc/os-release names it; `family` is its id and those it says it is like."""

    name: str
    family: tuple[str, ...]
    version: str

    @property
    def slug(self) -> str:
        """Folder name for programs built for this release: "debian-12"."""
        return f"{self.family[0]}-{self.version}"

    @property
    def has_apt(self) -> bool:
        """Whether packages come as .deb files from apt's sources."""
        return not {"debian", "ubuntu"}.isdisjoint(self.family)


_TABLE: Final = (
    Need(
        name="prometheus",
        commands=("prometheus",),
        least=(2, 40),
        debian=("prometheus",),
        fedora="/usr/bin/prometheus",
        macos="brew install prometheus",
        for_what="the platform's own witness: metrics, SLO rules, alerts",
    ),
    Need(
        name="promtool",
        commands=("promtool",),
        least=(2, 40),
        debian=("prometheus",),
        fedora="/usr/bin/promtool",
        macos="brew install prometheus",
        for_what="checks and unit tests of generated rules",
    ),
    Need(
        name="alertmanager",
        commands=("alertmanager", "prometheus-alertmanager"),
        least=(0, 24),
        debian=("prometheus-alertmanager",),
        fedora="/usr/bin/alertmanager",
        macos="brew install alertmanager",
        for_what="alert expectations: which page fires, and when it clears",
    ),
    Need(
        name="redis-server",
        commands=("redis-server", "valkey-server"),
        least=(6,),
        debian=("redis-server",),
        fedora="/usr/bin/redis-server",
        macos="brew install redis",
        for_what="the gateway's rate limits and usage ledger",
    ),
    Need(
        name="setpriv",
        commands=("setpriv",),
        least=(2, 33),
        debian=("util-linux",),
        fedora="/usr/bin/setpriv",
        macos="",
        for_what="no process of the platform outlives its supervisor",
    ),
    Need(
        name="openssl",
        commands=("openssl",),
        least=(1, 1),
        asks=("version",),
        debian=("openssl",),
        fedora="/usr/bin/openssl",
        macos="brew install openssl",
        for_what="holdfast up --set tls=on: certificates of the platform's own",
        optional=True,
    ),
    Need(
        name="chromium",
        commands=("chromium", "chromium-browser"),
        least=(100,),
        debian=("chromium",),
        fedora="/usr/bin/chromium-browser",
        macos="brew install --cask chromium",
        for_what="tests marked browser",
        optional=True,
    ),
    Need(
        name="vllm",
        commands=("vllm",),
        least=(0, 30),
        debian=(),
        fedora="",
        macos="",
        for_what="the profile vllm: real engines",
        optional=True,
        package="vllm",
        variable="HOLDFAST_VLLM",
    ),
)
NEEDS: Final[Mapping[str, Need]] = {need.name: need for need in _TABLE}
REQUIRED: Final = tuple(need.name for need in _TABLE if not need.optional)


def show_version(version: Version) -> str:
    """Dotted numbers: (2, 40) -> "2.40"."""
    return ".".join(map(str, version))


def need_named(name: str) -> Need:
    """The need of that name. Raises UsageError with the known names."""
    if name not in NEEDS:
        raise UsageError(f"no such tool: {name}", hint=f"known tools: {', '.join(NEEDS)}")
    return NEEDS[name]


def named(environ: Mapping[str, str], kept: Mapping[str, str]) -> dict[str, str]:
    """Where the user says that programs are, by name: in the environment, else in what the project keeps."""
    said = {need.name: environ.get(need.variable) or kept.get(need.name, "") for need in _TABLE if need.variable}
    return {name: path for name, path in said.items() if path}


def system_from(text: str) -> System:
    """The system that the text of an os-release file describes; rolling releases are versioned by their code name."""
    pairs = dict(word.split("=", 1) for word in shlex.split(text, comments=True) if "=" in word)
    family = (pairs.get("ID", "linux"), *pairs.get("ID_LIKE", "").split())
    version = pairs.get("VERSION_ID") or pairs.get("VERSION_CODENAME") or "rolling"
    return System(name=pairs.get("PRETTY_NAME", family[0]), family=family, version=version)


def this_system(release: Path = Path("/etc/os-release")) -> System:
    """The system this runs on; macOS and others without an os-release file are named by Python's platform name."""
    if release.exists():
        return system_from(release.read_text(encoding="utf-8"))
    return System(name="macOS" if sys.platform == "darwin" else sys.platform, family=(sys.platform,), version="0")


def how_to_get(needs: Iterable[Need], system: System) -> str:
    """The exact command for this system, without root where there is a way; and how to name what nobody packages."""
    every = tuple(needs)
    named = [_how_to_name(need) for need in every if need.variable]
    wanted = tuple(need for need in every if not need.variable)
    return "\n".join([*([_packaged(wanted, system)] if wanted else []), *named])


def _how_to_name(need: Need) -> str:
    return (
        f"install {need.package} in an environment of its own and say where its command is: {need.variable}=PATH, "
        f"{need.name} in [tool.holdfast], or --set {need.name}=PATH"
    )


def _packaged(wanted: tuple[Need, ...], system: System) -> str:
    if system.has_apt:
        return (
            f"run: python -m holdfast.platforms.apt fetch {' '.join(need.name for need in wanted)}   (no root needed)"
        )
    if not {"fedora", "rhel", "centos"}.isdisjoint(system.family):
        return f"run: sudo dnf install {' '.join(dict.fromkeys(need.fedora for need in wanted))}"
    if "darwin" in system.family:
        return _on_macos(wanted)
    packages = " ".join(dict.fromkeys(package for need in wanted for package in need.debian))
    return f"install what Debian calls {packages} with your system's package manager, and have it on PATH"


def _on_macos(needs: tuple[Need, ...]) -> str:
    commands = "; ".join(dict.fromkeys(need.macos for need in needs if need.macos))
    linux = (
        "the embedded platform needs Linux, a container does: "
        'docker run --rm -it -v "$PWD":/holdfast -w /holdfast debian:12 '
        "sh -c 'apt-get update && apt-get install -y make python3 && make gate'"
    )
    return f"run: {commands}\n{linux}" if commands else linux
