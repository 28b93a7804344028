"""Everything `up` decides before it starts a process: profile, programs, ports, and the files they read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from holdfast.errors import UsageError
from holdfast.platforms import certificates, configuration, keys, layout, ports, processes, profile, relocation, tools
from holdfast.platforms.processes import Place, Process, Tool

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from holdfast.platforms.layout import Layout
    from holdfast.platforms.profile import Profile
    from holdfast.platforms.relocation import Relocation
    from holdfast.platforms.tools import Program


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the user asked `up` for."""

    profile: str
    home: Path
    """Folder with the profiles and the files beside them."""
    options: Mapping[str, str]
    ports: Mapping[str, int]
    rules: Mapping[str, str]
    programs: Mapping[str, str]
    """Where the user says that a program is, by its name; an option of that name is stronger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """All that is needed to start, as text and tuples; nothing was written or started yet."""

    options: Mapping[str, str]
    processes: tuple[Process, ...]
    endpoints: Mapping[str, str]
    config: Mapping[str, str]
    rules: Mapping[str, str]
    relocations: tuple[Relocation, ...]
    wait: float
    """Seconds that the profile itself allows."""
    openssl: str = ""
    """The program that makes certificates; "" where nobody speaks TLS."""

    @property
    def hosts(self) -> dict[str, str]:
        """The name or address by which others know each process that they speak to over TLS."""
        ways = {one.name: urlsplit(one.way) for one in self.processes}
        return {name: way.hostname or "" for name, way in ways.items() if way.scheme == "https"}


def prepare(
    wanted: Wanted, where: Layout, *, python: str, path: str, cache: Path, random: Random, ephemeral: int
) -> Prepared:
    """Decide everything; `ephemeral` is the lowest port that the kernel hands out itself.

    Raises:
        UsageError: no such profile, option, port name or placeholder.
        SpecError: the profile file is wrong.
        InfrastructureError: a program is missing.
        PlatformError: a port is taken.
    """
    file = profile.find(wanted.profile, wanted.home)
    read = profile.read(file.read_text("utf-8"), str(file))
    options = profile.with_options(read, wanted.options)
    found = processes.slots(read, options)
    names = processes.port_names(found)
    _require_known(wanted.ports, names)
    used = processes.tools_used(read)
    given = {**wanted.programs, **{name: options[name] for name in used if options.get(name)}}
    programs = tools.locate(used, path=path, cache=cache, given=given)
    moved = {name: move for name, one in programs.items() if (move := relocation.needed(one.path))}
    tooling = {name: _tool(one, moved.get(name), where) for name, one in programs.items()}
    chosen = ports.choose(names, wanted.ports, random, highest=ephemeral)
    place = Place(state=where.state, home=wanted.home.absolute(), python=python, keys=where.keys)
    known = processes.common(found, options=options, ports=chosen, tools=tooling, place=place)
    expanded = processes.expand(found, known=known, ports=chosen, tools=tooling)
    secured = any(one.way.startswith("https:") for one in expanded)
    return Prepared(
        options={name: processes.fill(value, known) for name, value in options.items()},
        processes=expanded,
        endpoints={name: processes.fill(value, known) for name, value in read.endpoints.model_dump().items()},
        config={name: processes.fill((wanted.home / name).read_text("utf-8"), known) for name in read.config},
        rules=_rules(read, wanted),
        relocations=tuple(moved.values()),
        wait=read.wait,
        openssl=str(tools.locate(["openssl"], path=path, cache=cache)["openssl"].path) if secured else "",
    )


def _require_known(fixed: Mapping[str, int], names: tuple[str, ...]) -> None:
    if unknown := sorted(set(fixed) - set(names)):
        raise UsageError(f"there is no port {', '.join(unknown)}", hint=f"ports: {', '.join(names)}")
    if wrong := [f"{name}={port}" for name, port in fixed.items() if not 1 <= port <= 65_535]:  # noqa: PLR2004
        raise UsageError(f"not a port number: {', '.join(wrong)}")
    if len(set(fixed.values())) < len(fixed):
        raise UsageError("two names were given the same port")


def _tool(found: Program, move: Relocation | None, where: Layout) -> Tool:
    return Tool(
        path=str(move.target(where.state) if move else found.path),
        version=".".join(map(str, found.version)),
        environment=tuple(sorted(found.environment.items())),
    )


def _rules(read: Profile, wanted: Wanted) -> dict[str, str]:
    own = {file.name: file.read_text("utf-8") for file in sorted((wanted.home / read.rules).glob("*.yaml"))}
    if not read.rules:
        own = {}
    if wrong := [name for name in wanted.rules if Path(name).name != name or not name.endswith(".yaml")]:
        raise UsageError(f"not a name for a rule file: {', '.join(wrong)}", hint="a plain name that ends in .yaml")
    if both := sorted(set(own) & set(wanted.rules)):
        raise UsageError(f"the platform has rule files of the same name: {', '.join(both)}")
    return {**own, **wanted.rules}


def write(prepared: Prepared, where: Layout, *, socket: Path, setpriv: str, api_key: str, fault_token: str) -> Path:
    """Write every file into the state folder and return supervisord's. Raises PlatformError naming the folder."""
    with layout.naming(where.state):
        for folder in (where.config, where.rules, where.data, where.state / relocation.FOLDER):
            layout.fresh(folder)
        where.logs.mkdir(exist_ok=True)
        for one in prepared.processes:
            (where.data / one.name).mkdir()
        for move in prepared.relocations:
            relocation.relocate(move, where.state)
        for name, text in prepared.config.items():
            layout.write(where.config / name, text)
        if prepared.openssl:
            certificates.make((where.state / processes.AUTHORITY).parent, prepared.hosts, prepared.openssl)
        (where.config / "targets").mkdir()
        for name, text in configuration.targets(prepared.processes).items():
            layout.write(where.config / "targets" / name, text)
        for name, text in prepared.rules.items():
            layout.write(where.rules / name, text)
        layout.write(where.api_key, api_key + "\n", secret=True)
        for kept in keys.aside(where):
            kept.unlink()  # of a platform that was killed: a fault that is undone later must not bring its keys back
        layout.write(where.keys, keys.text(api_key), secret=True)
        layout.write(where.fault_token, fault_token + "\n", secret=True)
        file = where.config / "supervisord.conf"
        layout.write(file, configuration.supervisord(prepared.processes, where=where, socket=socket, setpriv=setpriv))
        return file
