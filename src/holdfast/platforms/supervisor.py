"""supervisord from outside: start it apart from this terminal, ask it what runs, tell it to start and stop."""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
import sys
import time
import xmlrpc.client
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from holdfast.errors import PlatformError
from holdfast.platforms import pids

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from holdfast.platforms.pids import Incarnation

_ANSWER = 5.0
"""Seconds a supervisor may take to answer; it is one loop, and nothing it does there takes long."""
_LAUNCH = 15.0
_ALREADY_STARTED = 60
"""supervisord's fault code."""
STOPPED = frozenset({"STOPPED", "EXITED", "FATAL"})
FAILED = frozenset({"BACKOFF", "EXITED", "FATAL"})


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the supervisor knows of one process; `name` as in the configuration, `state` a word of supervisord's."""

    name: str
    state: str
    who: Incarnation | None
    uptime: float
    """Seconds since this incarnation started; 0 when it does not run."""
    detail: str


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_ANSWER)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Transport(xmlrpc.client.Transport):
    """XML-RPC over a unix socket with a time limit, which supervisor's own transport does not have."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: tuple[str, dict[str, str]] | str) -> http.client.HTTPConnection:  # noqa: ARG002
        return _Connection(self._path)


@dataclass(frozen=True, slots=True)
class Supervisor:
    """A running supervisord behind its socket. Every method raises PlatformError when it does not answer."""

    socket: str

    @contextlib.contextmanager
    def _ask(self) -> Iterator[Any]:
        with xmlrpc.client.ServerProxy("http://localhost", transport=_Transport(self.socket)) as proxy:
            try:
                yield proxy.supervisor
            except xmlrpc.client.Fault as fault:
                raise PlatformError(f"the supervisor refuses: {fault.faultString}") from fault
            except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
                raise PlatformError(f"the supervisor does not answer at {self.socket}: {error}") from error

    def states(self) -> dict[str, State]:
        """Every process by name."""
        with self._ask() as supervisor:
            return {one["name"]: _state(one) for one in supervisor.getAllProcessInfo()}

    def pid(self) -> int:
        """Its own process."""
        with self._ask() as supervisor:
            return int(supervisor.getPID())

    def start(self, name: str) -> None:
        """Ask for one process to run; returns at once, and does nothing when it runs already."""
        with self._ask() as supervisor:
            try:
                supervisor.startProcess(name, False)
            except xmlrpc.client.Fault as fault:
                if fault.faultCode != _ALREADY_STARTED:
                    raise

    def stop(self, name: str, *, wait: bool = True) -> None:
        """End one process and keep it down until `start`; returns when it has ended, or at once without `wait`."""
        with self._ask() as supervisor:
            supervisor.stopProcess(name, wait)

    def stop_all(self) -> None:
        """Send every process its stop signal at once; returns before they have ended."""
        with self._ask() as supervisor:
            supervisor.stopAllProcesses(False)

    def shutdown(self) -> None:
        """Let the supervisor end; it first ends whatever still runs, one process after another."""
        with self._ask() as supervisor:
            supervisor.shutdown()


def _state(raw: Mapping[str, Any]) -> State:
    who = pids.incarnation(int(raw["pid"])) if raw["pid"] else None
    detail = str(raw["spawnerr"] or raw["description"])
    return State(name=raw["name"], state=raw["statename"], who=who, uptime=pids.age(who) if who else 0.0, detail=detail)


def launch(configuration: Path, *, output: Path, environment: Mapping[str, str]) -> None:
    """Start supervisord, which leaves this terminal and session by itself once its socket is bound.

    Raises PlatformError with its last words when it does not.
    """
    command = [sys.executable, "-m", "supervisor.supervisord", "--configuration", str(configuration)]
    with output.open("wb") as log:
        try:
            status = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                start_new_session=True,  # Ctrl-C before it has left is `up`'s to handle
                timeout=_LAUNCH,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired as error:
            raise PlatformError(f"supervisord did not start within {_LAUNCH:g} s") from error
    if status:
        said = output.read_text("utf-8", "replace").strip()
        raise PlatformError(f"supervisord did not start (exit {status}): {said[-2000:] or 'it said nothing'}")


def identify(path: str, *, seconds: float) -> Incarnation:
    """Which process answers at the socket, waiting for it. Raises PlatformError when none does in time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = pids.incarnation(Supervisor(path).pid())
        except PlatformError:
            found = None
            if time.monotonic() > deadline:
                raise
        if found:
            return found
        time.sleep(0.02)
