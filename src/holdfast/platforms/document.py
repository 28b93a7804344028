"""platform.json, the one file that says what runs where: written by `up`, read by everything else. Holds no secret."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from holdfast.errors import PlatformError
from holdfast.platforms.pids import Incarnation

if TYPE_CHECKING:
    from pathlib import Path

    from holdfast.platforms.processes import Process

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Overseer:
    """The supervisor: which process, and the socket it answers on."""

    pid: int
    """0 while it is being started."""
    ticks: int
    """Start time in clock ticks since boot."""
    socket: str

    @property
    def who(self) -> Incarnation:
        """Its identity."""
        return Incarnation(pid=self.pid, ticks=self.ticks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One supervised process; its pid is the supervisor's to know, because it changes with every restart."""

    name: str
    role: str
    port: int
    admin: int
    ready: str
    metrics: str
    faults: bool
    program: str
    version: str
    log: str
    link: int = 0
    via: str = ""
    way: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The whole file."""

    version: int
    phase: Literal["starting", "up"]
    profile: str
    options: dict[str, str]
    started: float
    """Seconds since the epoch."""
    fingerprint: str
    supervisor: Overseer
    endpoints: dict[str, str]
    processes: tuple[Member, ...]
    remembered: tuple[str, ...] = ()
    """ "pid@ticks" of the processes as they were when the platform came up; what a sweep looks for after a crash."""

    def text(self) -> str:
        """As JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"


def member(process: Process, log: Path) -> Member:
    """What the document keeps of a process."""
    return Member(
        name=process.name,
        role=process.role,
        port=process.port,
        admin=process.admin,
        ready=process.ready,
        metrics=process.metrics,
        faults=process.faults,
        program=process.program,
        version=process.version,
        log=str(log),
        link=process.link,
        via=process.via,
        way=process.way,
    )


def parse(text: str, file: str) -> Document:
    """Read the document. Raises PlatformError when it is damaged or of another version."""
    try:
        raw: dict[str, Any] = json.loads(text)
        if raw["version"] != VERSION:
            raise PlatformError(f"{file} is of version {raw['version']}, expected {VERSION}", hint="holdfast down")
        overseer = raw.pop("supervisor")
        members = tuple(Member(**one) for one in raw.pop("processes"))
        remembered = tuple(raw.pop("remembered"))
        return Document(**raw, supervisor=Overseer(**overseer), processes=members, remembered=remembered)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise PlatformError(f"{file} is damaged: {error}", hint="holdfast down, then holdfast up") from error


def load(path: Path) -> Document | None:
    """The document on disk; None when there is none. Raises PlatformError when it is damaged."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return parse(text, str(path))
