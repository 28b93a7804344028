"""The client's half of the domain name system: a question for an IPv4 address, and what an answer says (RFC 1035)."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address
from typing import Final, NamedTuple

NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3
"""Response codes (section 4.1.1)."""

_A: Final = 1
_IN: Final = 1
_HEADER: Final = struct.Struct("!6H")
_RECORD: Final = struct.Struct("!HHIH")
_IS_ANSWER, _TRUNCATED, _RECURSION_WANTED, _CODE = 0x8000, 0x0200, 0x0100, 0x000F
_POINTER: Final = 0xC0
_LABEL: Final = 63
_SIGNED: Final = 2**31
"""A time to live with the highest bit set is none (RFC 2181, section 8)."""


class AnswerError(ValueError):
    """Bytes that do not answer the question."""


class Answer(NamedTuple):
    """What the server says, the addresses, and for how many seconds they hold."""

    code: int
    addresses: tuple[str, ...] = ()
    ttl: int = 0


def question(number: int, name: str) -> bytes:
    """Ask for the address of a name. Raises ValueError for what is no name."""
    labels = [label.encode("ascii") for label in name.rstrip(".").split(".")]
    if not all(0 < len(label) <= _LABEL for label in labels):
        raise ValueError(f"{name!r} is no name")
    whole = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return _HEADER.pack(number, _RECURSION_WANTED, 1, 0, 0, 0) + whole + struct.pack("!2H", _A, _IN)


def read(data: bytes, asked: bytes) -> Answer:
    """The answer to a question. Raises AnswerError for anything else, also for one that is cut short."""
    try:
        return _read(data, asked)
    except (struct.error, IndexError) as error:
        raise AnswerError("ends too early") from error


def _read(data: bytes, asked: bytes) -> Answer:
    number, flags, questions, records, *_ = _HEADER.unpack_from(data)
    if not flags & _IS_ANSWER or number != int.from_bytes(asked[:2], "big"):
        raise AnswerError("no answer to this question")
    if flags & _TRUNCATED or questions != 1:
        raise AnswerError("cut short, or not to one question")
    at = len(asked)
    if data[_HEADER.size : at].lower() != asked[_HEADER.size :].lower():
        raise AnswerError("an answer to another question")
    addresses, ttls = [], []
    for _ in range(records):
        at = _past_name(data, at)
        kind, space, ttl, size = _RECORD.unpack_from(data, at)
        at += _RECORD.size + size
        if at > len(data):
            raise AnswerError("ends within a record")
        if (kind, space, size) == (_A, _IN, 4):
            addresses.append(str(IPv4Address(data[at - size : at])))
            ttls.append(0 if ttl >= _SIGNED else ttl)
    return Answer(flags & _CODE, tuple(addresses), min(ttls, default=0))


def _past_name(data: bytes, at: int) -> int:
    """Where a name ends; what it points to is somewhere else, and nobody asks."""
    while size := data[at]:
        if size & _POINTER == _POINTER:
            return at + 2
        if size > _LABEL:
            raise AnswerError("no name")
        at += 1 + size
    return at + 1
