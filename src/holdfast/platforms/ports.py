"""Free TCP ports on the loopback address, and who holds the taken ones.

Chosen below the kernel's ephemeral range: a port from inside it can be handed to an outgoing connection while its owner
is being restarted, and then the owner never comes back.
"""

from __future__ import annotations

import errno
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.errors import PlatformError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from random import Random

LOWEST = 10_240
"""Below stand the ports of well-known servers."""
HOST = "127.0.0.1"


def free(port: int) -> bool:
    """Whether nobody listens on this loopback port. Raises PermissionError for a port that is not ours to take."""
    # SO_REUSEADDR passes over connections in TIME_WAIT, as the servers themselves do; a listener still refuses.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
        return True


def listening(port: int) -> bool:
    """Whether somebody listens on this loopback port; connections that linger in TIME_WAIT are nobody."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except ConnectionRefusedError:
        return False
    except OSError:
        return True  # a full backlog, or a listener too busy to answer, is still a listener
    return True


def holder(port: int) -> str:
    """Who listens there, as "name (pid 123)"; "" when the kernel does not say."""
    import psutil  # noqa: PLC0415  imported for a message only

    for found in psutil.net_connections(kind="tcp"):
        if found.laddr and found.laddr.port == port and found.status == psutil.CONN_LISTEN and found.pid:
            try:
                return f"{psutil.Process(found.pid).name()} (pid {found.pid})"
            except psutil.Error:
                return f"pid {found.pid}"
    return ""


def ceiling() -> int:
    """First port of the kernel's ephemeral range (net.ipv4.ip_local_port_range)."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except OSError:
        return 32_768


def choose(names: Iterable[str], fixed: Mapping[str, int], random: Random, *, highest: int) -> dict[str, int]:
    """A port for every name, `fixed` where given, else free and in [LOWEST, highest).

    Raises:
        PlatformError: a fixed port is taken or forbidden, or no free port was found.
    """
    taken = set(fixed.values())
    chosen = {}
    for name in names:
        if name in fixed:
            chosen[name] = _checked(name, fixed[name])
            continue
        chosen[name] = _search(taken, random, highest)
        taken.add(chosen[name])
    return chosen


def _checked(name: str, port: int) -> int:
    try:
        if free(port):
            return port
    except PermissionError as error:
        raise PlatformError(f"port {port} for {name} is not allowed: {error.strerror}") from error
    by = holder(port)
    raise PlatformError(
        f"port {port} for {name} is taken" + (f" by {by}" if by else ""),
        hint=f"choose another with --port {name}=N, or leave it out for a free one",
    )


def _search(taken: set[int], random: Random, highest: int) -> int:
    for _ in range(1000):
        port = random.randrange(LOWEST, max(highest, LOWEST + 1000))
        if port not in taken and free(port):
            return port
    raise PlatformError(f"no free port between {LOWEST} and {highest}")
