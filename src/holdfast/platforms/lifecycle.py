"""`up`, `down`, `status` and where the logs are: the life of one embedded platform in one state folder."""

from __future__ import annotations

import dataclasses
import os
import secrets
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING

from holdfast.errors import InfrastructureError, PlatformError, UsageError
from holdfast.platforms import document, ending, layout, pids, preparing, readiness, supervisor, tools
from holdfast.platforms.document import Document, Overseer
from holdfast.platforms.embedded import EmbeddedPlatform
from holdfast.platforms.ports import ceiling
from holdfast.platforms.preparing import Wanted
from holdfast.platforms.readiness import Progress
from holdfast.platforms.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from holdfast.platforms.ending import Leftovers
    from holdfast.platforms.layout import Layout
    from holdfast.platforms.preparing import Prepared

HOME = Path("platform/local")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of `holdfast status`."""

    name: str
    role: str
    state: str
    """ready, starting (runs, not ready), a word of supervisord's (backoff, stopped, …), or dead with the supervisor."""
    pid: int
    port: int
    admin: int
    """Port of its own metrics or of its faults; 0 without one."""
    uptime: float
    """Seconds since this incarnation started."""
    detail: str


def _silent(_: Progress) -> None:
    """Report to nobody."""


def up(
    state: Path,
    *,
    profile: str = "sim",
    options: Mapping[str, str] | None = None,
    ports: Mapping[str, int] | None = None,
    rules: Mapping[str, str] | None = None,
    programs: Mapping[str, str] | None = None,
    report: Callable[[Progress], None] = _silent,
    wait: float | None = None,
    home: Path = HOME,
    environ: Mapping[str, str] = os.environ,
) -> EmbeddedPlatform:
    """Start the platform and wait, at most `wait` seconds, until every process is ready; or start nothing at all.

    A platform that is up already is returned as it is. One whose supervisor died is cleared away first. `rules` are
    texts of Prometheus rule files by file name; `ports` fixes ports by name, as in {"gateway": 8080}; `programs` are
    paths by name, of what the user keeps. Without `wait` the profile says how long.

    Raises:
        UsageError: no such profile, option or port name; or up already with other options.
        InfrastructureError: a program is missing.
        PlatformError: a port is taken, the disk is full, a process ended or was late; nothing is left running.
    """
    wanted = Wanted(
        profile=profile, home=home, options=options or {}, ports=ports or {}, rules=rules or {}, programs=programs or {}
    )
    where = layout.layout(state)
    with layout.locked(where):
        if running := _running(where, wanted):
            report(Progress(name="platform", state="up already", seconds=0))
            return running
        ending.end(where)
        layout.require_room(where.state)
        return _start(wanted, where, report, wait, environ)


def _running(where: Layout, wanted: Wanted) -> EmbeddedPlatform | None:
    try:
        running = EmbeddedPlatform.load(where.state)
    except PlatformError:
        return None
    record = running.record
    asked = {"profile": wanted.profile, **wanted.options, **{f"port {key}": str(n) for key, n in wanted.ports.items()}}
    has = {"profile": record.profile, **record.options}
    has |= {f"port {key}": str(n) for one in record.processes for key, n in _ports_of(one)}
    if other := [f"{name}={has.get(name, '?')}" for name, value in asked.items() if has.get(name) != value]:
        raise UsageError(f"the platform in {where.state} is up with {', '.join(other)}", hint="holdfast down first")
    return running


def _ports_of(one: document.Member) -> tuple[tuple[str, int], ...]:
    return ((one.name, one.port), (one.role, one.port), (f"{one.name}.admin", one.admin))


def _start(
    wanted: Wanted, where: Layout, report: Callable[[Progress], None], wait: float | None, environ: Mapping[str, str]
) -> EmbeddedPlatform:
    began = time.monotonic()
    path, cache = environ.get("PATH", os.defpath), tools.cache_folder(environ)
    prepared = preparing.prepare(
        wanted, where, python=sys.executable, path=path, cache=cache, random=SystemRandom(), ephemeral=ceiling()
    )
    setpriv = _setpriv(path, cache)
    with layout.naming(where.state):
        socket = _socket(where)
    record = _record(wanted, prepared, where, socket)
    try:
        _save(record, where)
        key = f"hf-{secrets.token_urlsafe(24)}"
        token = secrets.token_urlsafe(24)
        file = preparing.write(prepared, where, socket=socket, setpriv=setpriv, api_key=key, fault_token=token)
        return _bring_up(record, where, file, began, report=report, wait=wait or prepared.wait, environ=environ)
    except BaseException as error:  # Ctrl-C too: whatever the cause, nothing stays half up
        _undo(where, socket, error)
        raise


def _bring_up(
    record: Document,
    where: Layout,
    file: Path,
    began: float,
    *,
    report: Callable[[Progress], None],
    wait: float,
    environ: Mapping[str, str],
) -> EmbeddedPlatform:
    offsets = {one.name: _size(Path(one.log)) for one in record.processes}
    for one in record.processes:
        report(Progress(name=one.name, state="starting", seconds=time.monotonic() - began))
    socket = record.supervisor.socket
    with layout.naming(where.state):
        supervisor.launch(
            file, output=where.logs / "supervisord.out", environment={**environ, **dict([where.mark.split("=", 1)])}
        )
    who = supervisor.identify(socket, seconds=wait)
    record = dataclasses.replace(record, supervisor=Overseer(pid=who.pid, ticks=who.ticks, socket=socket))
    _save(record, where)
    overseer = Supervisor(socket)
    readiness.wait_ready(record.processes, overseer, seconds=wait, began=began, offsets=offsets, report=report)
    remembered = tuple(str(one.who) for one in overseer.states().values() if one.who)
    record = dataclasses.replace(record, phase="up", remembered=remembered)
    _save(record, where)
    return EmbeddedPlatform(where, record)


def _undo(where: Layout, socket: Path, error: BaseException) -> None:
    """End whatever runs. Raises PlatformError instead of `error` when a full disk explains it."""
    full = not layout.has_room(where.state)
    try:
        ending.end(where)
    except PlatformError as trouble:
        error.add_note(f"and then: {trouble}")
    ending.forget_socket(socket)
    if full and isinstance(error, PlatformError):
        raise PlatformError(f"no space left for the state folder {where.state}; then: {error}") from error


def _setpriv(path: str, cache: Path) -> str:
    """Path of util-linux's setpriv; "" without it: then the next `up` or `down` sweeps in the kernel's place."""
    try:
        return str(tools.locate(["setpriv"], path=path, cache=cache)["setpriv"].path)
    except InfrastructureError:
        return ""


def _socket(where: Layout) -> Path:
    """Where the supervisor listens: in the state folder, or in one of its own when that path would be too long."""
    socket = where.state / "run" / "supervisor.sock"
    if len(os.fsencode(socket)) > layout.LONGEST_SOCKET:
        return Path(tempfile.mkdtemp(prefix="holdfast-")) / "supervisor.sock"
    socket.parent.mkdir(mode=0o700, exist_ok=True)
    return socket


def _record(wanted: Wanted, prepared: Prepared, where: Layout, socket: Path) -> Document:
    return Document(
        version=document.VERSION,
        phase="starting",
        profile=wanted.profile,
        options=dict(prepared.options),
        started=time.time(),
        fingerprint=secrets.token_hex(8),
        supervisor=Overseer(pid=0, ticks=0, socket=str(socket)),
        endpoints=dict(prepared.endpoints),
        processes=tuple(document.member(one, where.log(one.name)) for one in prepared.processes),
    )


def _save(record: Document, where: Layout) -> None:
    with layout.naming(where.state):
        layout.write(where.document, record.text())


def _size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def down(state: Path, *, report: Callable[[Progress], None] = _silent) -> Leftovers | None:
    """Stop the platform, whole, half up or dead; None when nothing had to be killed, or nothing was up at all.

    Logs and data stay. Raises PlatformError when something could not be ended.
    """
    where = layout.layout(state)
    if not where.state.is_dir():
        return None
    began = time.monotonic()
    with layout.locked(where):
        leftovers = ending.end(where)
    report(Progress(name="platform", state="down", seconds=time.monotonic() - began))
    return leftovers


def status(state: Path) -> tuple[Row, ...]:
    """Every process now; empty when nothing is up, all "dead" when the supervisor is. Raises PlatformError."""
    where = layout.layout(state)
    record = document.load(where.document)
    if record is None:
        return ()
    if not pids.exists(record.supervisor.who):
        return tuple(_dead(one) for one in record.processes)
    states = Supervisor(record.supervisor.socket).states()
    return tuple(_row(one, states[one.name]) for one in record.processes)


def _dead(one: document.Member) -> Row:
    return Row(
        name=one.name,
        role=one.role,
        state="dead",
        pid=0,
        port=one.port,
        admin=one.admin,
        uptime=0,
        detail="no supervisor",
    )


def _row(one: document.Member, known: supervisor.State) -> Row:
    answer = readiness.probe(one.ready) if known.who else known.detail
    word = ("starting" if answer else "ready") if known.who else known.state.lower()
    return Row(
        name=one.name,
        role=one.role,
        state=word,
        pid=known.who.pid if known.who else 0,
        port=one.port,
        admin=one.admin,
        uptime=known.uptime,
        detail=answer,
    )


def log_path(state: Path, name: str) -> Path:
    """The log of one process, or of "supervisord"; it outlives the platform.

    Raises UsageError, with the names there are, when there is no such log.
    """
    where = layout.layout(state)
    path = where.log(name)
    known = sorted(found.stem for found in where.logs.glob("*.log"))
    if name not in known:
        raise UsageError(f"there is no log {name!r} in {where.logs}", hint=f"logs: {', '.join(known) or 'none'}")
    return path
