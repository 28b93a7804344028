"""The streaming client against a real server: what each kind of ending looks like from outside."""

from __future__ import annotations

import gc
import socket
import time

import pytest

from holdfast.load.outcome import outcome_of
from holdfast.load.sse import read_answer
from holdfast.load.transport import Client, Deadlines

PATIENT = Deadlines(connect=1.0, first_byte=2.0, gap=2.0, total=5.0)
HASTY = Deadlines(connect=0.3, first_byte=0.3, gap=0.2, total=0.5)
BODY = b'{"model":"sim","max_tokens":5,"messages":[{"role":"user","content":"one two three"}]}'


def ask(url: str, deadlines: Deadlines = PATIENT):
    client = Client(url, deadlines=deadlines)
    try:
        exchange = client.post("/v1/chat/completions", BODY, {"content-type": "application/json"})
    finally:
        client.close()
    answer = read_answer(exchange.chunks)
    return exchange, answer, outcome_of(exchange, answer)


@pytest.mark.parametrize(
    ("behaviour", "outcome", "words"),
    [
        ("ok", "ok", ""),
        ("plain", "ok", ""),
        ("until-close", "ok", ""),
        ("early", "ok", ""),
        ("done-then-cut", "ok", ""),
        ("busy", "rejected", "429: too many"),
        ("broken", "http_error", "500: no luck for nobody"),
        ("reset", "connect", "reset by peer"),
        ("hang-up", "connect", "closed before any header"),
        ("silent", "timeout", "no first byte within 0.3s"),
        ("stall", "timeout", "no byte after the last within 0.2s"),
        ("drip", "timeout", "not done within 0.5s"),
        ("cut", "cut", "closed before the end of the body"),
        ("error-event", "cut", "error in the stream: engine died"),
        ("no-done", "cut", "without [DONE]"),
        ("empty", "malformed", "no token"),
        ("page", "malformed", "not an event stream but text/html"),
        ("redirect", "malformed", "status 302"),
        ("nonsense", "malformed", "not HTTP"),
    ],
)
def test_every_way_a_request_can_end_has_its_outcome(server, behaviour, outcome, words):
    hasty = behaviour in {"silent", "stall", "drip"}
    _, _, (found, error) = ask(server.url(behaviour), HASTY if hasty else PATIENT)
    assert found == outcome
    assert words in error


@pytest.mark.parametrize("behaviour", ["ok", "plain", "cut", "reset", "stall", "nonsense"])
def test_a_request_leaves_nothing_for_the_collector_which_is_off_under_load(server, behaviour):
    client = Client(server.url(behaviour), deadlines=HASTY)
    for _ in range(2):  # what is made once, on the first request, does not count
        client.post("/v1/chat/completions", BODY, {})
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            answer = read_answer(client.post("/v1/chat/completions", BODY, {}).chunks)
        del answer
        assert gc.collect() == 0
    finally:
        gc.enable()
        client.close()


def test_a_refused_connection_is_not_the_same_as_a_slow_one():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        exchange, _, (outcome, _) = ask(url)
    assert (outcome, exchange.status) == ("connect", None)


def test_what_came_before_a_timeout_is_kept(server):
    _, answer, (outcome, _) = ask(server.url("stall"), HASTY)
    assert outcome == "timeout"
    assert len(answer.token_times) == 3


def test_tokens_are_stamped_when_they_arrive_not_when_the_stream_ends(server):
    exchange, answer, _ = ask(server.url("ok"))
    # Five tokens 10 ms apart, each carrying the second of its sending.
    late = sorted(seen - float(sent) for seen, sent in zip(answer.token_times, answer.token_texts, strict=True))
    # The median, because on a busy machine a single read may wait long for the processor.
    assert 0 <= late[0] <= late[2] < 0.03
    assert answer.token_times[0] < answer.token_times[-1] <= exchange.ended
    assert answer.usage == {"prompt_tokens": 4, "completion_tokens": 5}


def test_a_connection_is_used_again(server):
    client = Client(server.url("plain"), deadlines=PATIENT)
    assert [client.post("/v1", BODY, {}).reused for _ in range(3)] == [False, True, True]
    client.close()


def test_a_connection_idle_for_too_long_is_replaced(server):
    client = Client(server.url("plain"), deadlines=PATIENT, idle=0.0)
    assert [client.post("/v1", BODY, {}).reused for _ in range(2)] == [False, False]
    client.close()


def test_a_connection_the_server_closed_while_idle_is_no_failure(server, until):
    client = Client(server.url("ok-then-close"), deadlines=PATIENT)
    first = client.post("/v1", BODY, {})
    # The close follows the answer by microseconds; wait until it must be here.
    began = time.monotonic()
    until(lambda: time.monotonic() - began > 0.1)
    second = client.post("/v1", BODY, {})
    assert (first.failure, second.failure, second.reused) == (None, None, False)
    client.close()


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://127.0.0.1", "http://"])
def test_a_host_that_is_no_http_url_is_refused(url):
    with pytest.raises(ValueError, match="expected a URL"):
        Client(url, deadlines=PATIENT)
