"""Names of engines: what of an answer is believed, how long an address is kept, and what is done when there is none."""

import asyncio
import contextlib
import struct
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refplatform.gateway import dns, names
from refplatform.gateway.names import Known, Names, settle

NAME = "engine-1.platform.internal"
KNOWN = Known(addresses=("127.0.0.1",), told=100.0, holds_until=101.0)
ASKED = dns.question(7, NAME)


def answer(asked, *, code=0, flags=0x8400, records=(), questions=1):
    head = asked[:2] + struct.pack("!5H", flags | code, questions, len(records), 0, 0)
    return head + asked[12:] + b"".join(records)


def record(address="127.0.0.1", *, ttl=1, kind=1, space=1, name=b"\xc0\x0c", data=None):
    data = bytes(map(int, address.split("."))) if data is None else data
    return name + struct.pack("!HHIH", kind, space, ttl, len(data)) + data


def test_an_address_and_the_shortest_time_for_which_all_hold():
    said = answer(ASKED, records=[record(ttl=30), record("10.0.0.2", ttl=5)])
    assert dns.read(said, ASKED) == dns.Answer(0, ("127.0.0.1", "10.0.0.2"), 5)


def test_other_records_are_passed_over_however_their_names_are_written():
    alias = record(kind=5, data=b"\3abc\0")  # CNAME
    spelt = record("10.0.0.3", name=b"\3abc\xc0\x0c")
    assert dns.read(answer(ASKED, records=[alias, spelt]), ASKED).addresses == ("10.0.0.3",)


def test_a_time_to_live_with_its_highest_bit_set_is_none():
    assert dns.read(answer(ASKED, records=[record(ttl=2**31)]), ASKED).ttl == 0  # RFC 2181, section 8


@pytest.mark.parametrize(
    "data",
    [
        b"",
        ASKED,  # a question
        answer(dns.question(8, NAME)),  # another number
        answer(dns.question(7, "engine-2.platform.internal")),
        answer(ASKED, flags=0x8600),  # cut short
        answer(ASKED, questions=2),
        answer(ASKED, records=[record()])[:-1],
        answer(ASKED, records=[record(name=b"\x80")]),
    ],
)
def test_what_answers_something_else_or_is_cut_is_no_answer(data):
    with pytest.raises(dns.AnswerError):
        dns.read(data, ASKED)


@given(st.binary(max_size=300))
def test_any_bytes_after_the_right_beginning_are_an_answer_or_none(tail):
    for flags in (0x8400, 0x8403):
        head = ASKED[:2] + struct.pack("!5H", flags, 1, 3, 0, 0) + ASKED[12:]
        with contextlib.suppress(dns.AnswerError):
            assert isinstance(dns.read(head + tail, ASKED), dns.Answer)


@pytest.mark.parametrize("name", ["", "a..b", "a" * 64])
def test_what_is_no_name_is_not_asked_for(name):
    with pytest.raises(ValueError, match="is no name"):
        dns.question(1, name)


GOOD = dns.Answer(0, ("10.0.0.1",), 5)


def test_a_new_address_takes_the_place_of_the_old_one():
    known, outcome = settle(KNOWN, GOOD, 200.0)
    assert (known.addresses, known.holds_until, outcome) == (("10.0.0.1",), 205.0, "answered")
    assert known.usable(204.9)
    assert not known.usable(205.0)


@pytest.mark.parametrize("said", [dns.Answer(dns.NXDOMAIN), dns.Answer(dns.NOERROR)])
def test_that_there_is_no_address_is_an_answer_and_the_old_one_is_forgotten(said):
    # RFC 8767, section 4: NXDOMAIN and NOERROR of the authority have refreshed the data
    assert settle(KNOWN, said, 200.0) == (None, "withdrawn")


@pytest.mark.parametrize(
    ("said", "why"), [(None, "silent"), (dns.Answer(dns.SERVFAIL), "failed"), (dns.Answer(5), "failed")]
)
def test_without_an_answer_the_old_address_is_used_and_nobody_is_asked_for_a_second(said, why):
    known, outcome = settle(KNOWN, said, 200.0)
    assert (known.addresses, outcome) == (KNOWN.addresses, why)
    assert known.usable(200.9)
    assert not known.usable(201.0)
    assert settle(None, said, 200.0) == (None, why)


def test_an_address_is_not_used_for_ever():
    day = names.MOST_STALE_SECONDS
    again, _ = settle(KNOWN, None, 100.0 + day)
    assert again.told == KNOWN.told  # what is stale does not become younger by being used
    assert settle(again, None, 100.1 + day) == (None, "silent")


class Authority(asyncio.DatagramProtocol):
    """Answers as told, and counts."""

    def __init__(self):
        self.says, self.asked = GOOD, 0

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.asked += 1
        if self.says is not None:
            records = [record(one, ttl=self.says.ttl) for one in self.says.addresses]
            self.transport.sendto(b"noise", addr)
            self.transport.sendto(answer(data, code=self.says.code, records=records), addr)


def with_authority(play):
    """Run `play(authority, resolve, clock, seen)`; `clock` is a list of one number."""

    async def run():
        loop = asyncio.get_running_loop()
        transport, authority = await loop.create_datagram_endpoint(Authority, local_addr=("127.0.0.1", 0))
        clock, seen = [0.0], []
        server = transport.get_extra_info("sockname")
        asking = Names(server, lambda *told: seen.append(told), clock=lambda: clock[0], random=Random(1))

        async def resolve(name=NAME):
            return [one["host"] for one in await asking.resolve(name, 80)]

        try:
            await play(authority, resolve, clock, seen)
        finally:
            await asking.close()
            transport.close()

    asyncio.run(run())


def test_an_address_is_asked_for_once_while_it_holds_and_once_by_many():
    async def play(authority, resolve, clock, seen):
        assert await asyncio.gather(*[resolve() for _ in range(50)]) == [["10.0.0.1"]] * 50
        clock[0] = 4.9
        assert await resolve() == ["10.0.0.1"]
        assert authority.asked == 1
        clock[0] = 5.0
        await resolve()
        assert authority.asked == 2
        assert seen == [(NAME, "answered", False)] * 2

    with_authority(play)


def test_a_silent_server_costs_one_wait_a_second_and_no_address():
    async def play(authority, resolve, clock, seen):
        await resolve()
        authority.says, clock[0] = None, 6.0
        assert await asyncio.gather(*[resolve() for _ in range(50)]) == [["10.0.0.1"]] * 50
        assert (authority.asked, seen[-1]) == (2, (NAME, "silent", True))
        clock[0] = 6.9
        await resolve()
        assert authority.asked == 2
        authority.says, clock[0] = GOOD, 7.0
        await resolve()
        assert seen[-1] == (NAME, "answered", False)

    with_authority(play)


def test_a_name_that_is_withdrawn_is_an_error_and_comes_back():
    async def play(authority, resolve, clock, seen):
        await resolve()
        authority.says, clock[0] = dns.Answer(dns.NXDOMAIN), 6.0
        for _ in range(2):
            with pytest.raises(OSError, match="nobody knows the address of engine-1"):
                await resolve()
        assert seen[-1] == (NAME, "withdrawn", False)
        authority.says = GOOD
        assert await resolve() == ["10.0.0.1"]

    with_authority(play)


def test_a_server_that_is_not_there_is_an_error_at_once_when_nothing_is_known():
    async def ask():
        asking = Names(("127.0.0.1", 1), lambda *_: None, clock=lambda: 0.0, random=Random(1))
        with pytest.raises(OSError, match="nobody knows"):
            await asking.resolve(NAME)
        await asking.close()

    asyncio.run(ask())


def test_one_who_leaves_does_not_end_the_question_of_the_others():
    async def play(authority, resolve, clock, seen):
        first, second = asyncio.create_task(resolve()), asyncio.create_task(resolve())
        await asyncio.sleep(0)
        first.cancel()
        assert await second == ["10.0.0.1"]

    with_authority(play)
