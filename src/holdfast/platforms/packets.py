"""This machine's kernel on TCP: who is connected to whom, what a knock brings, and its programs nft and tc."""

from __future__ import annotations

import errno
import select
import socket
import subprocess
import time
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from holdfast.errors import InfrastructureError
from holdfast.model.hands import Address, Connection

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

_ESTABLISHED: Final = "01"
_LOCAL, _REMOTE, _STATE, _RESENT, _INODE = 1, 2, 3, 6, 9
"""Columns of /proc/PID/net/tcp (proc(5)); addresses are the kernel's words in the machine's byte order, in hex."""
_PATIENCE: Final = 10.0


def command(words: Sequence[str], text: str = "") -> str:
    """Run it with `text` as its input; what it printed. Raises InfrastructureError with what it said."""
    try:
        done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InfrastructureError(f"{words[0]} could not be run: {error}", hint="holdfast doctor") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise InfrastructureError(f"{' '.join(words)} failed: {said}", hint="faults in the network need root")
    return done.stdout


class _Row(NamedTuple):
    near: Address
    far: Address
    state: str
    resent: int
    inode: str


def connections(pids: Sequence[int], ports: Collection[int]) -> tuple[Connection, ...]:
    """Established connections that any of these processes holds at one of these ports of its own."""
    held = {inode for pid in pids for inode in _sockets(pid)}
    rows = [row for pid in pids[:1] for row in _rows(pid)]
    return tuple(
        Connection(near=row.near, far=row.far, resent=row.resent)
        for row in rows
        if row.state == _ESTABLISHED and row.near.port in ports and row.inode in held
    )


def _sockets(pid: int) -> Iterator[str]:
    """Inodes of the sockets that a process has open; none when it is gone."""
    try:
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            target = _link(handle)
            if target.startswith("socket:["):
                yield target[len("socket:[") : -1]
    except FileNotFoundError:
        return


def _link(handle: Path) -> str:
    try:
        return str(handle.readlink())
    except FileNotFoundError:
        return ""  # closed meanwhile


def _rows(pid: int) -> Iterator[_Row]:
    """The TCP table of the network that a process lives in."""
    try:
        lines = Path(f"/proc/{pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    except (FileNotFoundError, OSError):
        return
    for columns in map(str.split, lines):
        yield _Row(
            _address(columns[_LOCAL]),
            _address(columns[_REMOTE]),
            columns[_STATE],
            int(columns[_RESENT], 16),
            columns[_INODE],
        )


def _address(text: str) -> Address:
    host, port = text.split(":")
    return Address(str(IPv4Address(socket.htonl(int(host, 16)))), int(port, 16))


def knock(address: Address, seconds: float, times: int = 1) -> tuple[str, ...]:
    """Begin `times` connections at once; of each, whether it is open, refused or silent after so many seconds."""
    doors = [_begin(address) for _ in range(times)]
    try:
        waiting = {door.fileno(): index for index, door in enumerate(doors)}
        found = ["silent"] * times
        poll = select.poll()
        for handle in waiting:
            poll.register(handle, select.POLLOUT)
        deadline = time.monotonic() + seconds
        while waiting and (left := deadline - time.monotonic()) > 0:
            for handle, _ in poll.poll(left * 1000):
                index = waiting.pop(handle)
                poll.unregister(handle)
                found[index] = _answer(doors[index])
        return tuple(found)
    finally:
        for door in doors:
            door.close()


def _begin(address: Address) -> socket.socket:
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    door.setblocking(False)
    door.connect_ex(address)
    return door


def _answer(door: socket.socket) -> str:
    number = door.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return {0: "open", errno.ETIMEDOUT: "silent"}.get(number, "refused")
