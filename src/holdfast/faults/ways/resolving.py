"""One question for the address of a name, by UDP, as a client of a platform asks it; and what came of it."""

from __future__ import annotations

import secrets
import socket
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from holdfast.proxy import dns

if TYPE_CHECKING:
    from typing import Self

PATIENCE: Final = 0.4
"""Seconds; a server on the same machine answers in less than a millisecond."""
_LARGEST: Final = 512
"""Bytes of an answer by UDP (RFC 1035, section 4.2.1)."""


class Told(NamedTuple):
    """Whether there was an answer at all, its code in small letters, and how many addresses it has."""

    code: str = "silence"
    addresses: int = 0

    @property
    def good(self) -> bool:
        """An address."""
        return self.code == "noerror" and self.addresses > 0

    def __str__(self) -> str:
        """In a few words."""
        return "an address" if self.good else "nothing" if self.code == "silence" else self.code.upper()

    @classmethod
    def of(cls, data: bytes, question: dns.Question) -> Self | None:
        """What an answer says; None for what is none to this question."""
        try:
            code, records = dns.outcome(data, question)
        except ValueError:
            return None
        return cls(code.name.lower(), records)


def ask(server: str, name: str, patience: float = PATIENCE) -> Told:
    """Ask HOST:PORT; one that is not there, or does not answer in time, says nothing."""
    host, _, port = server.rpartition(":")
    question = dns.Question(secrets.randbelow(2**16), name, recursion=True)
    end = time.monotonic() + patience
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            one.connect((host, int(port)))
            one.send(dns.written(question))
            while (left := end - time.monotonic()) > 0:
                one.settimeout(left)
                if told := Told.of(one.recv(_LARGEST), question):
                    return told
        except OSError:
            return Told()
    return Told()
