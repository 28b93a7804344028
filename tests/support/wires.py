"""A network of one's own for a test, streams in it, and the hand that gives it to faults: nothing leaks from it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.errors import TargetError
from holdfast.model.hands import Address
from holdfast.platforms import packets, pids
from targets import Targets

if TYPE_CHECKING:
    from collections.abc import Iterator

ENOUGH = 8
"""Numbers after which a stream is said to flow."""
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET of sched.h; os.unshare came with Python 3.12


@contextlib.contextmanager
def own_network() -> Iterator[None]:
    """This thread, and all that it starts, sees an empty network with a loopback device; ends with the last of them."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(_NEW_NETWORK):
            raise OSError(ctypes.get_errno(), "no network namespace could be made")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield
    finally:
        libc.setns(before, _NEW_NETWORK)
        os.close(before)


@dataclass
class Wires:
    """Implements `model.hands.Network` for replicas with these ports; two of one port share it."""

    ports: dict[str, int] = field(default_factory=dict)
    links: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    """Every command, in order."""

    def addresses(self, identity):
        port = self.ports[identity.name]
        if list(self.ports.values()).count(port) > 1:
            raise TargetError(f"{identity.name} shares port {port}")
        return (Address("127.0.0.1", port),)

    def ways(self, identity):
        return (Address("127.0.0.1", self.links[identity.name]),)

    def connections(self, identity):
        who = pids.parse(identity.unit)
        held = [one.pid for one in pids.group(who)] if who else []
        return packets.connections(held, {self.ports[identity.name]})

    def device(self, identity):
        return "lo"

    def command(self, identity, words, text=""):
        self.asked.append(tuple(words))
        return packets.command(words, text)

    def knock(self, address, seconds, times=1):
        return packets.knock(address, seconds, times)


class Stream:
    """A client of `streamer`: reads numbers, and says which came."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=2)
        self._rest = b""

    def numbers(self, seconds: float = 0.3) -> list[int]:
        """What comes until so many seconds were silent, or enough came. Raises ConnectionResetError, EOFError."""
        self._socket.settimeout(seconds)
        found: list[int] = []
        while len(found) < ENOUGH:
            try:
                came = self._socket.recv(65536)
            except TimeoutError:
                return found
            if not came:
                raise EOFError("the stream ended")
            *lines, self._rest = (self._rest + came).split(b"\n")
            found += map(int, lines)
        return found

    def to_its_end(self) -> None:
        """Raises how it ended: ConnectionResetError, EOFError; fails when it does not."""
        for _ in range(50):
            self.numbers()
        raise AssertionError("the stream goes on")

    def flows(self) -> bool:
        """Whether numbers come one after the other."""
        return len(self.numbers()) >= ENOUGH

    def until(self, end: float) -> list[int]:
        """What comes until that second of the monotonic clock."""
        found: list[int] = []
        while (left := end - time.monotonic()) > 0:
            found += self.numbers(min(0.3, left))
        return found

    def say(self, text: str) -> None:
        """Send it."""
        self._socket.sendall(text.encode())

    def close(self) -> None:
        """Be gone."""
        self._socket.close()


STREAMER = Path(__file__).with_name("streamer.py")
PORTS = {"engine-1": 8001, "engine-2": 8002}


@contextlib.contextmanager
def streamers(folder: Path, ports: dict[str, int] = PORTS, *, width: int = 1) -> Iterator[Targets]:
    """Replicas that count, 100 lines a second of so many bytes, behind these ports."""
    targets = Targets(folder, hands={"network": Wires(ports)})
    try:
        for name, port in ports.items():
            words = (sys.executable, "-S", "-E", str(STREAMER), str(port), str(width))
            targets.start(name, *words, stdout=subprocess.PIPE, text=True)
        assert all(one.stdout.readline() == "listening\n" for one in targets.running.values())
        yield targets
    finally:
        targets.close()


@contextlib.contextmanager
def streams(ports: dict[str, int] = PORTS) -> Iterator[dict[str, Stream]]:
    """One live stream to each of them, that has begun."""
    found = {name: Stream(port) for name, port in ports.items()}
    try:
        assert all(one.numbers() for one in found.values())
        yield found
    finally:
        for one in found.values():
            one.close()
