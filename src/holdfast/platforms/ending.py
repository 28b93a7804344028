"""The end of a platform, whole or half up: stop, wait, kill what is left, and prove that nothing is."""

from __future__ import annotations

import contextlib
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.errors import PlatformError
from holdfast.platforms import document, keys, pids, ports
from holdfast.platforms.configuration import STOP_SECONDS
from holdfast.platforms.supervisor import STOPPED, Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.platforms.document import Document
    from holdfast.platforms.layout import Layout
    from holdfast.platforms.pids import Incarnation

_GONE_WITHIN = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """What did not end when told to, and was killed."""

    killed: tuple[Incarnation, ...]


def end(where: Layout) -> Leftovers | None:
    """Leave no process, port or socket of this state folder; None when nothing had to be killed by hand.

    Raises:
        PlatformError: something is still there, named.
    """
    try:
        record = document.load(where.document)
    except PlatformError:
        record = None  # a damaged document cannot stop the sweep: processes are found by their mark as well
    ran = record is not None and pids.exists(record.supervisor.who)
    if ran and record:
        _stop_politely(Supervisor(record.supervisor.socket), record.supervisor.who)
    killed = _sweep(where, record)
    _forget(where, record)
    # Ports of a platform that was dead already may long be somebody else's.
    if ran and record:
        _require_free(record)
    return Leftovers(killed=killed) if killed else None


def _stop_politely(supervisor: Supervisor, who: Incarnation) -> None:
    """Stop all at once, since supervisord's own shutdown goes one by one, a second each."""
    # A supervisor that is stopped or stuck does not answer; the sweep takes it.
    with contextlib.suppress(PlatformError):
        supervisor.stop_all()
        deadline = time.monotonic() + STOP_SECONDS + 2
        while time.monotonic() < deadline and any(one.state not in STOPPED for one in supervisor.states().values()):
            time.sleep(0.05)
        supervisor.shutdown()
        pids.wait_gone([who], _GONE_WITHIN)


def strays(where: Layout, record: Document | None) -> tuple[Incarnation, ...]:
    """Every process of this platform that runs now: by its mark, its session, and what the document remembers."""
    remembered = [pids.parse(text) for text in record.remembered] if record else []
    if record:
        remembered.append(record.supervisor.who)
    found = {who for who in remembered if who and pids.exists(who)}
    kept = set(pids.in_session(record.supervisor.who, where.data)) if record and record.supervisor.pid else set()
    return tuple(sorted(found | kept | set(pids.marked(where.mark))))


def _sweep(where: Layout, record: Document | None) -> tuple[Incarnation, ...]:
    """SIGKILL until none is left; the supervisor first, or it would start what was killed again."""
    killed: list[Incarnation] = []
    supervisor = record.supervisor.who if record else None
    for _ in range(5):
        found = sorted(strays(where, record), key=lambda who: who != supervisor)
        if not found:
            return tuple(killed)
        killed += [who for who in found if who not in killed]
        _kill(found)
        pids.wait_gone(found, _GONE_WITHIN)
    raise PlatformError(f"cannot end {', '.join(map(str, strays(where, record)))} of {where.state}")


def _kill(whom: Iterable[Incarnation]) -> None:
    for who in whom:
        try:
            pids.send(who, signal.SIGKILL)
        except PermissionError as error:
            raise PlatformError(f"not allowed to end process {who.pid}") from error


def _require_free(record: Document) -> None:
    """The kernel closes a dead process's sockets with it, so a listener means another process."""
    held = {port: one.name for one in record.processes for port in (one.port, one.admin) if port}
    for port, name in held.items():
        if ports.listening(port):
            by = ports.holder(port)
            raise PlatformError(f"port {port} of {name} is still listened on" + (f" by {by}" if by else ""))


def _forget(where: Layout, record: Document | None) -> None:
    """Remove what says that a platform is up, and its secrets."""
    if record:
        forget_socket(Path(record.supervisor.socket))
    for file in (where.document, where.api_key, where.keys, where.fault_token, *keys.aside(where)):
        file.unlink(missing_ok=True)


def forget_socket(path: Path) -> None:
    """Remove the supervisor's socket and the folder made for it alone."""
    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not empty, or gone with an earlier try
        path.parent.rmdir()
