"""In one turn of the loop what is due leaves first, then answers are read, and only then does anything else run."""

from __future__ import annotations

import math
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain

import gevent
import pytest
from gevent.hub import get_hub

from holdfast.load.dispatch import Dispatcher, Work
from holdfast.load.endpoint import Endpoint
from holdfast.load.transport import Exchange
from holdfast.load.turn import READ, REST, SEND, breathe
from holdfast.model.load import schedule
from holdfast.spec.profile import make_profile

READABLE = 1
PROFILE = make_profile("turns", {"arrivals": "constant", "rate": 100.0, "prompt-tokens": 8, "answer-tokens": 1})


@contextmanager
def heard(priority, told, word):
    """Tells `word` in the turn of the loop in which a byte is found in a pipe."""
    read, write = os.pipe()
    watcher = get_hub().loop.io(read, READABLE, priority=priority)

    def tell():
        told.append(word)
        watcher.stop()

    watcher.start(tell)
    os.write(write, b"x")
    try:
        yield
    finally:
        watcher.close()
        os.close(read)
        os.close(write)


def test_what_is_ready_in_one_turn_is_sent_then_read_then_thought_about():
    told = []
    with heard(REST, told, "rest"), heard(SEND, told, "send"), heard(READ, told, "read"):
        gevent.sleep(0.01)
    assert told == ["send", "read", "rest"]


def test_a_breath_lets_a_socket_be_read_and_a_sleep_of_nothing_does_not():
    told = []
    gevent.sleep(0.001)
    with heard(READ, told, "read"):
        gevent.sleep(0)
        assert told == []
        breathe()
        assert told == ["read"]


@dataclass(frozen=True, kw_only=True)
class Noted(Endpoint):
    """An endpoint and a client whose requests end at once, and say when they are made and when they leave."""

    told: list[str] = field(default_factory=list)

    def body(self, prompts, arrival, model):
        self.told.append(f"body {arrival.number}")
        return super().body(prompts, arrival, model)

    def post(self, path, body, headers):
        self.told.append(f"sent {headers['x-request-id'].partition('-')[2]}")
        now = time.monotonic()
        return Exchange(status=None, content_type="", chunks=(), sent=now, ended=now, failure="connect")


def offered(until=lambda: math.inf):
    noted, records = Noted(), []
    work = Work(
        profile=PROFILE,
        arrivals=schedule(PROFILE, seed=1, length=0.055),
        seed=1,
        length=0.055,
        epoch=time.monotonic() + 0.01,
        api_key=None,
        record=None,
        tell=records.append,
        endpoint=noted,
        until=until,
    )
    Dispatcher(work, noted).run()
    assert {record.outcome for record in records} == {"connect"}
    return noted.told


def test_no_request_waits_until_the_body_of_the_next_one_is_made():
    told = offered()
    requests = len(told) // 2
    assert requests >= 5
    assert told == list(chain.from_iterable((f"body {number}", f"sent {number}") for number in range(requests)))


def test_nothing_is_offered_any_more_once_nobody_can_say_where_the_load_ends():
    asked = iter((math.inf, math.inf, math.inf, math.inf))

    def until():
        answer = next(asked, None)
        if answer is None:
            raise OSError("gone")
        return answer

    with pytest.raises(OSError, match="gone"):
        offered(until)
