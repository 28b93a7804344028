"""The proxy's name server, without a network: what it says to any bytes, and that another reader understands it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.proxy import dns
from holdfast.proxy.dns import Question, Rcode
from holdfast.proxy.names import TTL, respond
from refplatform.gateway import dns as client

DOMAIN = "platform.internal"
ZONE = {
    "engine-1": ("127.0.0.1", ""),
    "gone": ("127.0.0.1", "nxdomain"),
    "ill": ("127.0.0.1", "servfail"),
    "mute": ("127.0.0.1", "silence"),
}
labels = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789-_", min_size=1, max_size=63)
names = st.lists(labels, min_size=1, max_size=5).map(".".join).filter(lambda name: len(name) <= 253)
questions = st.builds(
    Question,
    id=st.integers(0, 65535),
    name=names,
    kind=st.integers(0, 65535),
    space=st.integers(0, 65535),
    opcode=st.integers(0, 15),
    recursion=st.booleans(),
)


def look(name):
    return ZONE.get(name, ("", ""))


def said(question):
    reply = respond(dns.written(question), DOMAIN, look)
    return dns.outcome(reply, question) if reply else None


def q(name, **more):
    return Question(7, name, **more)


def test_the_question_of_rfc_1035_is_written_byte_by_byte():
    # header: id 7, recursion wanted, one question; then 2 'ab' 1 'c' 0, type A, class IN
    written = bytes.fromhex("0007 0100 0001 0000 0000 0000" + "02 6162 01 63 00" + "0001 0001")
    assert dns.written(q("ab.c", recursion=True)) == written == client.question(7, "ab.c")


def test_an_answer_is_written_byte_by_byte():
    # 8500: answer, authoritative, recursion wanted; the name is a pointer to byte 12; 1 s; 127.0.0.1
    tail = bytes.fromhex("c00c 0001 0001 00000001 0004 7f000001")
    question = dns.written(q("ab.c", recursion=True))[12:]
    written = bytes.fromhex("0007 8500 0001 0001 0000 0000") + question + tail
    assert dns.answered(q("ab.c", recursion=True), Rcode.NOERROR, "127.0.0.1", 1) == written


@given(questions)
def test_what_is_written_is_read(question):
    assert dns.read(dns.written(question)) == question


@given(st.binary(max_size=600))
def test_any_bytes_are_answered_or_dropped_and_an_answer_is_one_that_can_be_sent(data):
    reply = respond(data, DOMAIN, look)
    assert reply is None or (reply[:2] == data[:2] and reply[2] & 0x80 and len(reply) <= 512)


@given(questions, st.data())
def test_a_question_with_any_byte_changed_or_lost_raises_nothing(question, data):
    written = bytearray(dns.written(question))
    at = data.draw(st.integers(0, len(written) - 1))
    written[at] = data.draw(st.integers(0, 255))
    respond(bytes(written), DOMAIN, look)
    respond(bytes(written[:at]), DOMAIN, look)


@given(questions)
def test_answers_are_never_answered(question):
    # two servers that answered each other's answers would never end
    assert respond(dns.answered(question, Rcode.NOERROR), DOMAIN, look) is None


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (q("engine-1.platform.internal"), (Rcode.NOERROR, 1)),
        (q("Engine-1.PLATFORM.internal"), (Rcode.NOERROR, 1)),
        (q("engine-1.platform.internal", kind=28), (Rcode.NOERROR, 0)),  # AAAA: the name is there, that kind is not
        (q("engine-9.platform.internal"), (Rcode.NXDOMAIN, 0)),
        (q("a.engine-1.platform.internal"), (Rcode.REFUSED, 0)),  # not its domain
        (q("platform.internal"), (Rcode.NOERROR, 0)),
        (q("internal"), (Rcode.REFUSED, 0)),
        (q("engine-1.example.org"), (Rcode.REFUSED, 0)),
        (q("engine-1.platform.internal", space=3), (Rcode.REFUSED, 0)),  # class CHAOS
        (q("engine-1.platform.internal", opcode=5), (Rcode.NOTIMP, 0)),  # update
        (q("gone.platform.internal"), (Rcode.NXDOMAIN, 0)),
        (q("gone.platform.internal", kind=28), (Rcode.NXDOMAIN, 0)),
        (q("ill.platform.internal"), (Rcode.SERVFAIL, 0)),
        (q("mute.platform.internal"), None),
    ],
)
def test_the_authority_knows_its_names_and_no_others(question, answer):
    assert said(question) == answer


def test_what_cannot_be_read_is_told_so_under_its_number():
    pointed = struct.pack("!6H", 9, 0, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1"
    assert respond(pointed, DOMAIN, look) == struct.pack("!6H", 9, 0x8001, 0, 0, 0, 0)
    assert respond(pointed[:11], DOMAIN, look) is None  # not even a number that could be trusted


@pytest.mark.parametrize("name", ["", "a..b", "a" * 64, ".".join(["a" * 63] * 4)])
def test_what_is_no_name_is_not_asked(name):
    if name:
        with pytest.raises(dns.FormatError):
            dns.written(q(name))
    else:
        assert dns.read(dns.written(q(""))).name == ""  # the root


@given(names, st.integers(0, 65535), st.integers(0, 2**31 - 1))
def test_another_reader_understands_what_is_answered(name, number, ttl):
    asked = client.question(number, name)
    question = dns.read(asked)
    reply = dns.answered(question, Rcode.NOERROR, "10.1.2.3", ttl)
    assert client.read(reply, asked) == (client.NOERROR, ("10.1.2.3",), ttl)
    assert client.read(dns.answered(question, Rcode.NXDOMAIN), asked) == (client.NXDOMAIN, (), 0)


def test_an_address_holds_for_a_second():
    reply = respond(client.question(1, "engine-1.platform.internal"), DOMAIN, look)
    assert client.read(reply, client.question(1, "engine-1.platform.internal")).ttl == TTL == 1


def test_an_answer_to_something_else_is_none():
    question = q("engine-1.platform.internal")
    for other in (question._replace(id=8), question._replace(name="b.platform.internal")):
        with pytest.raises(dns.FormatError):
            dns.outcome(dns.answered(other, Rcode.NOERROR), question)
    for short in (b"", dns.written(question)):
        with pytest.raises(dns.FormatError):
            dns.outcome(short, question)
