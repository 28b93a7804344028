"""From a profile to processes: replicas counted, ports named, every {placeholder} filled. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from holdfast.errors import UsageError
from holdfast.platforms.profile import Http

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from holdfast.platforms.profile import Definition, Profile, Tcp

AUTHORITY = "config/tls/ca.pem"
"""In the state folder: whom those who connect by TLS are to trust."""
OFF = ("", "off")

_PLACEHOLDER = re.compile(r"\{([a-z][a-z-]*)(?::([a-z0-9.-]+))?\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One replica, ready to be written into a supervisor's configuration."""

    name: str
    role: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    port: int
    """The port it serves on; 0 when it has none."""
    admin: int
    ready: str
    """http://… to be answered with 200, or tcp://… to accept a connection."""
    metrics: str
    """http://… or "" when it has none."""
    faults: bool
    program: str
    """The executable."""
    version: str
    link: int = 0
    """The port by which others reach it through a fault proxy; 0 when they reach it straight."""
    via: str = ""
    """The process that is this proxy."""
    way: str = ""
    """URL by which others reach it, with the name or the address that they know it by; "" without HTTP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A program from outside that commands refer to as {tool:NAME}."""

    path: str
    version: str = ""
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the processes will live."""

    state: Path
    home: Path
    python: str
    keys: Path

    def folder(self, name: str) -> Path:
        """The replica's own data folder."""
        return self.state / "data" / name


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One replica before it has ports."""

    name: str
    definition: Definition
    index: int

    def key(self, which: str) -> str:
        """Name of one of its ports: the replica's, the role's when shared, with ".admin" for the admin port."""
        if which == "admin":
            return f"{self.name}.admin"
        return self.definition.name if self.definition.address == "shared" else self.name


def slots(profile: Profile, options: Mapping[str, str]) -> tuple[Slot, ...]:
    """Every replica in the profile's order. Raises UsageError when a count is not a whole number from 1 to 100."""
    wanted = (one for one in profile.processes if fill(one.when, dict(options)) != "off")
    return tuple(slot for definition in wanted for slot in _replicas(definition, options))


def _replicas(definition: Definition, options: Mapping[str, str]) -> list[Slot]:
    if not definition.replicas:
        return [Slot(name=definition.name, definition=definition, index=0)]
    text = fill(definition.replicas, dict(options))
    if not text.isdigit() or not 1 <= int(text) <= 100:  # noqa: PLR2004  more is a mistyped number on one machine
        raise UsageError(f"{definition.name}: expected 1 to 100 replicas, got {text!r}")
    return [
        Slot(name=f"{definition.name}-{number}", definition=definition, index=number - 1)
        for number in range(1, int(text) + 1)
    ]


def port_names(found: Sequence[Slot]) -> tuple[str, ...]:
    """Names of all ports to choose, once each, in order; what `--port NAME=N` may fix."""
    names = [slot.key(which) for slot in found for which in ("port", "admin") if _uses(slot.definition, which)]
    return tuple(dict.fromkeys([*names, *(_link(slot) for slot in found if _carrier(slot, found))]))


def _link(slot: Slot) -> str:
    return f"link.{slot.name}"


def _carrier(slot: Slot, found: Sequence[Slot]) -> str:
    """The process through which others speak to this one; "" when they speak to it straight."""
    carrier = _carried_by(slot, found)
    return carrier.name if carrier else ""


def _carried_by(slot: Slot, found: Sequence[Slot]) -> Slot | None:
    return next((one for one in found if slot.definition.name in one.definition.carries), None)


def _uses(definition: Definition, which: str) -> bool:
    return any(f"{{{which}}}" in word for word in definition.command)


def tools_used(profile: Profile) -> tuple[str, ...]:
    """Names in {tool:NAME}, sorted."""
    words = [word for definition in profile.processes for word in definition.command]
    return tuple(sorted({found[2] for word in words for found in _PLACEHOLDER.finditer(word) if found[1] == "tool"}))


def fill(template: str, known: Mapping[str, str]) -> str:
    """Replace {name} and {name:of}; braces around anything else, such as Go templates, stay.

    Raises UsageError for a placeholder that is not known.
    """

    def value(found: re.Match[str]) -> str:
        key = found[0][1:-1]
        if key not in known:
            raise UsageError(
                f"{found[0]} in {template!r} means nothing here", hint=f"known: {', '.join(sorted(known))}"
            )
        return known[key]

    return _PLACEHOLDER.sub(value, template)


def common(
    found: Sequence[Slot],
    *,
    options: Mapping[str, str],
    ports: Mapping[str, int],
    tools: Mapping[str, Tool],
    place: Place,
) -> dict[str, str]:
    """What every placeholder means that is not a replica's own."""
    known = {name: str(getattr(place, name)) for name in ("state", "home", "python", "keys")}
    known |= {name: fill(value, known) for name, value in options.items()}
    known |= {f"port:{name}": str(port) for name, port in ports.items()}
    known |= {f"tool:{name}": tool.path for name, tool in tools.items()}
    for slot in found:
        known[f"dir:{slot.name}"] = str(place.folder(slot.name))
        if slot.key("port") in ports:
            _known_by(slot, ports, known, _carried_by(slot, found))
    return known


def _known_by(slot: Slot, ports: Mapping[str, int], known: dict[str, str], carrier: Slot | None) -> None:
    """Where others find it: straight, through its link, and what its carrier is told."""
    port = ports[slot.key("port")]
    link = ports.get(_link(slot), port)
    way = _way(slot, link, carrier, known)
    route = f"{slot.name}=127.0.0.1:{link}=127.0.0.1:{port}" + ("=tls" if way.startswith("https") else "")
    role = slot.definition.name
    lists = {f"urls:{role}": f"http://127.0.0.1:{port}", f"links:{role}": way}
    lists |= {f"routes:{carrier.name}": route} if carrier else {}
    for key, one in lists.items():
        known[key] = ",".join(filter(None, (known.get(key), one)))
    known[f"link:{slot.name}"] = str(link)
    named = carrier is not None and way.split("/")[2] != f"127.0.0.1:{link}"
    known[f"resolver:{role}"] = f"127.0.0.1:{ports[carrier.name]}" if carrier and named else ""
    known[f"authority:{role}"] = f"{known['state']}/{AUTHORITY}" if way.startswith("https") else ""


def _way(slot: Slot, link: int, carrier: Slot | None, known: Mapping[str, str]) -> str:
    """The URL by which others reach it."""
    if carrier is None or not isinstance(slot.definition.ready, Http):
        return f"http://127.0.0.1:{link}"
    domain = fill(carrier.definition.domain, known)
    scheme = "https" if fill(carrier.definition.secured, known) == "on" else "http"
    return f"{scheme}://{f'{slot.name}.{domain}' if domain not in OFF else '127.0.0.1'}:{link}"


def expand(
    found: Sequence[Slot], *, known: Mapping[str, str], ports: Mapping[str, int], tools: Mapping[str, Tool]
) -> tuple[Process, ...]:
    """Every replica with its command, ports and checks. Raises UsageError for unknown placeholders."""
    return tuple(_reached(_process(slot, known, ports, tools), slot, found, known, ports) for slot in found)


def _reached(
    process: Process, slot: Slot, found: Sequence[Slot], known: Mapping[str, str], ports: Mapping[str, int]
) -> Process:
    """With how others come to it, where they come through a proxy."""
    carrier = _carried_by(slot, found)
    if carrier is None:
        return process
    link = ports[_link(slot)]
    way = _way(slot, link, carrier, known) if isinstance(slot.definition.ready, Http) else ""
    return replace(process, link=link, via=carrier.name, way=way)


def _process(slot: Slot, known: Mapping[str, str], ports: Mapping[str, int], tools: Mapping[str, Tool]) -> Process:
    definition = slot.definition
    own = {which: ports.get(slot.key(which), 0) for which in ("port", "admin")}
    words = {which: str(port) for which, port in own.items()}
    words |= {"name": slot.name, "index": str(slot.index), "dir": known[f"dir:{slot.name}"]}
    everything = {**known, **words}
    command = tuple(fill(word, everything) for word in definition.command)
    used = [tools[name] for name in tools if f"{{tool:{name}}}" in " ".join(definition.command)]
    environment = dict(pair for tool in used for pair in tool.environment)
    environment |= {name: fill(value, everything) for name, value in definition.environment.items()}
    return Process(
        name=slot.name,
        role=definition.name,
        command=command,
        environment=tuple(sorted(environment.items())),
        port=own["port"],
        admin=own["admin"],
        ready=_check(definition.ready, own),
        metrics=_check(definition.metrics, own) if definition.metrics else "",
        faults=definition.faults,
        program=command[0],
        version=used[0].version if used else "",
    )


def _check(check: Http | Tcp, own: Mapping[str, int]) -> str:
    if isinstance(check, Http):
        return f"http://127.0.0.1:{own[check.port]}{check.http}"
    return f"tcp://127.0.0.1:{own[check.tcp]}"
