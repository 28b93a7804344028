"""Questions for an address and their answers, as the domain name system writes them (RFC 1035). Pure."""

from __future__ import annotations

import struct
from enum import IntEnum
from ipaddress import IPv4Address
from typing import Final, NamedTuple

ADDRESS: Final = 1
"""QTYPE A."""
INTERNET: Final = 1
"""QCLASS IN."""

_HEADER: Final = struct.Struct("!6H")
_TAIL: Final = struct.Struct("!2H")
_RECORD: Final = struct.Struct("!3HIH")
_IS_ANSWER: Final = 0x8000
_OPCODE: Final = 0x7800
_AUTHORITATIVE: Final = 0x0400
_RECURSION_WANTED: Final = 0x0100
_RCODE: Final = 0x000F
_LABEL, _NAME = 63, 255
"""Bytes that a label, and a name with all its lengths, may have (section 2.3.4)."""
_TO_THE_QUESTION: Final = 0xC000 | _HEADER.size
"""A name that is the one asked for (section 4.1.4)."""


class Rcode(IntEnum):
    """What a server says to a question (section 4.1.1)."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5


class FormatError(ValueError):
    """Bytes that are no question, or no answer to it."""


class Question(NamedTuple):
    """One question. A name is compared without regard to case, and given back as it came."""

    id: int
    name: str
    kind: int = ADDRESS
    space: int = INTERNET
    opcode: int = 0
    recursion: bool = False


def written(question: Question) -> bytes:
    """A question as it is sent. Raises FormatError for what is no name."""
    flags = question.opcode << 11 | (_RECURSION_WANTED if question.recursion else 0)
    return _HEADER.pack(question.id, flags, 1, 0, 0, 0) + _asked(question)


def read(data: bytes) -> Question:
    """A question that came. Raises FormatError for anything else; an answer is no question."""
    if len(data) < _HEADER.size:
        raise FormatError("shorter than a header")
    number, flags, questions, *_ = _HEADER.unpack_from(data)
    if flags & _IS_ANSWER:
        raise FormatError("this is an answer")
    if questions != 1:
        raise FormatError(f"{questions} questions")
    name, at = _name(data, _HEADER.size)
    if at + _TAIL.size > len(data):
        raise FormatError("ends within the question")
    kind, space = _TAIL.unpack_from(data, at)
    return Question(number, name, kind, space, (flags & _OPCODE) >> 11, bool(flags & _RECURSION_WANTED))


def answered(question: Question, rcode: Rcode, address: str = "", ttl: int = 0) -> bytes:
    """The authority's answer, with one address that holds for `ttl` seconds, or with none."""
    flags = _IS_ANSWER | question.opcode << 11 | _AUTHORITATIVE | rcode
    flags |= _RECURSION_WANTED if question.recursion else 0
    head = _HEADER.pack(question.id, flags, 1, int(bool(address)), 0, 0)
    if not address:
        return head + _asked(question)
    record = _RECORD.pack(_TO_THE_QUESTION, ADDRESS, INTERNET, ttl, 4) + IPv4Address(address).packed
    return head + _asked(question) + record


def misread(data: bytes) -> bytes:
    """The answer to what could not be read: its number and nothing else. Raises FormatError without one."""
    if len(data) < _HEADER.size or data[2] & 0x80:
        raise FormatError("there is nobody to answer")
    return _HEADER.pack(int.from_bytes(data[:2], "big"), _IS_ANSWER | Rcode.FORMERR, 0, 0, 0, 0)


def outcome(data: bytes, question: Question) -> tuple[Rcode, int]:
    """What an answer says, and how many records it has. Raises FormatError when it answers something else."""
    if len(data) < _HEADER.size:
        raise FormatError("shorter than a header")
    number, flags, _, records, *_ = _HEADER.unpack_from(data)
    if not flags & _IS_ANSWER or number != question.id:
        raise FormatError("no answer to this question")
    if not data[_HEADER.size :].startswith(_asked(question)):
        raise FormatError("an answer to another question")
    return Rcode(flags & _RCODE), records


def _asked(question: Question) -> bytes:
    labels = [label.encode("ascii") for label in question.name.split(".")] if question.name else []
    if not all(0 < len(label) <= _LABEL for label in labels):
        raise FormatError(f"{question.name!r} is no name")
    whole = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    if len(whole) > _NAME:
        raise FormatError(f"{question.name!r} is longer than a name may be")
    return whole + _TAIL.pack(question.kind, question.space)


def _name(data: bytes, at: int) -> tuple[str, int]:
    """The name there and where it ends; in a question nothing can be pointed to."""
    labels, begin = [], at
    while at < len(data) and (size := data[at]):
        label = data[at + 1 : at + 1 + size]
        if size > _LABEL or len(label) < size or b"." in label or not label.isascii():
            raise FormatError("no name")
        labels.append(label.decode("ascii"))
        at += 1 + size
    if at >= len(data) or at + 1 - begin > _NAME:
        raise FormatError("no end of the name")
    return ".".join(labels), at + 1
