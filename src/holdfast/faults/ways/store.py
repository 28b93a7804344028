"""A few words with a store in Redis's protocol (RESP2): one question on a connection of its own, answered in time.

https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import IO, Final, TypeAlias

from holdfast.errors import TargetError

PATIENCE: Final = 2.0
"""Seconds for an answer that is to come."""
BLINK: Final = 0.3
"""Seconds after which a store that does not answer is said to be silent: it answers in less than a millisecond."""

Reply: TypeAlias = "str | int | list[Reply] | None"


class RefusedError(TargetError):
    """The store answered with an error; the message is its own."""


class SilentError(TargetError):
    """The store did not answer in time, or not at all."""


@dataclass(frozen=True, slots=True)
class Store:
    """A store by its address."""

    host: str
    port: int

    def ask(self, *words: str | int, within: float = PATIENCE) -> Reply:
        """One command and its answer. Raises RefusedError, SilentError."""
        try:
            with socket.create_connection((self.host, self.port), within) as connection:
                connection.settimeout(within)
                connection.sendall(_command(words))
                with connection.makefile("rb") as stream:
                    return _reply(stream)
        except OSError as error:
            raise SilentError(f"the store at {self.host}:{self.port} does not answer: {error}") from error

    def answers(self) -> bool:
        """Whether it answers a PING."""
        try:
            return self.ask("PING", within=BLINK) == "PONG"
        except (RefusedError, SilentError):
            return False


def _command(words: tuple[str | int, ...]) -> bytes:
    parts = [str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def _reply(stream: IO[bytes]) -> Reply:
    line = stream.readline()
    kind, rest = line[:1], line[1:].strip().decode("utf-8", "replace")
    if kind == b"-":
        raise RefusedError(rest)
    if kind == b"+":
        return rest
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if int(rest) < 0 else stream.read(int(rest) + 2)[:-2].decode("utf-8", "replace")
    if kind == b"*":
        return None if int(rest) < 0 else [_reply(stream) for _ in range(int(rest))]
    raise SilentError("the store closed the connection" if not line else f"no Redis: it said {line[:40]!r}")
