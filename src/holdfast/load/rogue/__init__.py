"""Clients that behave badly, as a process of their own: how it is started, asked, and told to end, from anywhere.

It answers at an abstract socket that bears its name: whoever knows the name finds it, the kernel removes the name with
the process, and nothing is left to sweep up. It ends when it is told to, and by itself when its lease is over.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from holdfast.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Mapping

_STARTS: Final = 20.0
_ANSWERS: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Who comes: `manner` is a function of `manners`, `options` what it takes; `lease` in seconds."""

    name: str
    manner: str
    url: str
    """Of the gateway, without a trailing slash."""
    key: str = field(repr=False)
    lease: float
    options: Mapping[str, Any] = field(default_factory=dict)


def start(crowd: Crowd) -> None:
    """Start it and return once it answers; nothing happens when one of that name does. Raises InfrastructureError."""
    # By stdin: a key on a command line could be read by everybody.
    words = [sys.executable, "-m", __name__]
    try:
        done = subprocess.run(
            words, input=json.dumps(asdict(crowd)), capture_output=True, text=True, timeout=_STARTS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise InfrastructureError(f"the clients of {crowd.name} did not start within {_STARTS:g} s") from error
    if done.returncode:
        raise InfrastructureError(f"the clients of {crowd.name} did not start: {done.stderr.strip()[-500:]}")


def tell(name: str, word: str = "") -> Mapping[str, float] | None:
    """Say "end", "renew SECONDS" or nothing to the one of that name; what it counted, or None when there is none.

    Raises InfrastructureError when there is one, and it does not answer.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_ANSWERS)
        try:
            connection.connect(address(name))
            connection.sendall(word.encode() + b"\n")
            with connection.makefile("rb") as stream:
                line = stream.readline()
        except (ConnectionRefusedError, ConnectionResetError, BrokenPipeError):
            return None  # never there, or ended while we asked: nothing else closes its door
        except OSError as error:
            raise InfrastructureError(f"the clients of {name} do not answer: {error}") from error
    return dict(json.loads(line)) if line else None


def address(name: str) -> bytes:
    """In the kernel's table of abstract names (unix(7))."""
    return b"\0holdfast-rogue-" + name.encode()
