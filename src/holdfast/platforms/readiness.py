"""Whether a process is ready: one probe, and the wait for all of them that reports each step."""

from __future__ import annotations

import http.client
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from holdfast.errors import PlatformError
from holdfast.platforms.supervisor import FAILED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from holdfast.platforms.document import Member
    from holdfast.platforms.pids import Incarnation
    from holdfast.platforms.supervisor import State, Supervisor

READY = 200
_POLL = 0.1
_LINES = 12
_SILENCE = 15.0
"""Seconds after which somebody who waits wants to know that it goes on."""
_SHOWN = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One step of `up` or `down`: a process's name, its new state, seconds since the command began."""

    name: str
    state: str
    seconds: float


def probe(check: str, seconds: float = 0.5) -> str:
    """What came instead of readiness; empty when the check holds. Never raises."""
    url = urlsplit(check)
    port = url.port or 0
    try:
        if url.scheme == "tcp":
            socket.create_connection((url.hostname or "", port), timeout=seconds).close()
            return ""
        connection = http.client.HTTPConnection(url.hostname or "", port, timeout=seconds)
        try:
            connection.request("GET", url.path or "/")
            status = connection.getresponse().status
        finally:
            connection.close()
    except ConnectionRefusedError:
        return f"nothing listens on port {port}"
    except (OSError, http.client.HTTPException) as error:
        return f"{check}: {error or type(error).__name__}"
    return "" if status == READY else f"{check} answered {status}"


def wait_ready(
    members: Sequence[Member],
    supervisor: Supervisor,
    *,
    seconds: float,
    began: float,
    offsets: Mapping[str, int],
    report: Callable[[Progress], None],
) -> None:
    """Poll until every member is ready; `began` is monotonic seconds, `offsets` where each log began this time.

    Raises:
        PlatformError: a process ended, or one was not ready in time; with the last lines of its log.
    """
    waiting = {one.name: one for one in members}
    first: dict[str, Incarnation] = {}
    latest: dict[str, str] = {}
    told = began
    while True:
        states = supervisor.states()
        for one in members:
            _fail_if_ended(one, states[one.name], first, offsets)
        if not waiting:
            return
        for one in tuple(waiting.values()):
            latest[one.name] = probe(one.ready)
            # A stranger on its port could answer in its stead, so the supervisor must say that it runs, too.
            if not latest[one.name] and states[one.name].who:
                del waiting[one.name]
                report(Progress(name=one.name, state="ready", seconds=time.monotonic() - began))
        if waiting and time.monotonic() - began > seconds:
            late = next(iter(waiting.values()))
            reason = f"{', '.join(waiting)} not ready after {seconds:g} s; {late.name}: {latest[late.name]}"
            raise PlatformError(_with_log(reason, late, offsets), hint="allow more time with --wait")
        if waiting and time.monotonic() - told > _SILENCE:
            told = time.monotonic()
            for one in waiting.values():
                report(Progress(name=one.name, state=_still(one, offsets), seconds=told - began))
        if waiting:
            time.sleep(_POLL)


def _still(one: Member, offsets: Mapping[str, int]) -> str:
    said = last_lines(Path(one.log), 1, since=offsets.get(one.name, 0))
    return " ".join(["still starting", *(line[:_SHOWN] for line in said)])


def _fail_if_ended(one: Member, state: State, first: dict[str, Incarnation], offsets: Mapping[str, int]) -> None:
    """An end shows as the supervisor's word, or as another incarnation when it was quick to start the next."""
    changed = state.who is not None and first.setdefault(one.name, state.who) != state.who
    if changed or state.state in FAILED:
        raise PlatformError(_with_log(f"{one.name} ended while starting: {state.detail}", one, offsets))


def _with_log(message: str, one: Member, offsets: Mapping[str, int]) -> str:
    lines = last_lines(Path(one.log), _LINES, since=offsets.get(one.name, 0))
    return "\n".join([message, f"last lines of {one.log}:", *(f"  {line}" for line in lines)] if lines else [message])


def last_lines(log: Path, count: int, *, since: int = 0) -> list[str]:
    """The last lines written after byte `since`; none when there is no such file."""
    try:
        with log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(since if since <= end else 0, end - 16_384))
            return file.read().decode("utf-8", "replace").splitlines()[-count:]
    except FileNotFoundError:
        return []
