"""The stamped server speaks the API, and one small real run of `holdfast load selftest` has every figure."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time

import pytest

from holdfast.errors import InfrastructureError
from holdfast.load.outcome import outcome_of
from holdfast.load.selftest.server import Pace, wanted_tokens, whole_request
from holdfast.load.selftest.stamps import Sighting, streams_of
from holdfast.load.sse import read_answer
from holdfast.load.transport import Client, Deadlines
from holdfast.loadtest.selftest import Places, Wanted, measure, one_step, places, serving

PACE = Pace(tokens=5, first=0.01, gap=0.005)
PATIENT = Deadlines(connect=2.0, first_byte=10.0, gap=10.0, total=20.0)
CHAT = b'{"stream":true,"max_tokens":3,"messages":[]}'
PATH = "/v1/chat/completions"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with serving(PACE, None, tmp_path_factory.mktemp("stamped")) as found:
        yield found.url


@pytest.fixture
def client(url):
    found = Client(url, deadlines=PATIENT)
    yield found
    found.close()


def test_it_streams_a_whole_chat_answer_of_the_length_asked(client):
    exchange = client.post(PATH, CHAT, {})
    answer = read_answer(exchange.chunks)
    assert outcome_of(exchange, answer) == ("ok", "")
    assert len(answer.token_times) == 3
    assert answer.finish_reason == "stop"


def test_without_max_tokens_an_answer_has_the_servers_length(client):
    assert len(read_answer(client.post(PATH, b'{"stream":true}', {}).chunks).token_times) == PACE.tokens


def test_events_are_due_on_the_pace_and_never_sent_before(client):
    start = time.monotonic()
    exchange = client.post(PATH, CHAT, {})
    seconds, sizes = [second for second, _ in exchange.chunks], [len(data) for _, data in exchange.chunks]
    streams = streams_of([Sighting(start, seconds, sizes, exchange.body)])
    wanted = [PACE.first, PACE.first + PACE.gap, PACE.first + 2 * PACE.gap]
    assert list(streams.due - streams.arrived) == pytest.approx(wanted, abs=1e-6)
    assert (streams.sent >= streams.due).all()
    # One clock: nothing is seen before it was sent, or arrives before it left.
    assert (streams.seen >= streams.sent).all()
    assert streams.arrived[0] >= start


def test_a_connection_carries_one_answer_after_another(client):
    reused = [client.post(PATH, CHAT, {}).reused for _ in range(3)]
    assert reused == [False, True, True]


def test_what_is_no_request_for_a_stream_is_refused(client):
    assert client.post(PATH, b"{}", {}).status == 400
    assert client.post(PATH, b"not json", {}).status == 400


def test_a_client_that_leaves_disturbs_no_other(client, url):
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as leaving:
        leaving.sendall(b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(CHAT) + CHAT)
        leaving.recv(10)
    assert client.post(PATH, CHAT, {}).status == 200


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n{}", None),
        (b"POST / HTTP/1.1\r\nContent-Le", None),
        (b"GET / HTTP/1.1\r\n\r\n", b""),
    ],
)
def test_a_request_is_whole_when_its_body_is(data, body):
    assert whole_request(data) == body


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        (b'{"stream":true}', 64),
        (b'{"stream":true,"max_tokens":7}', 7),
        (b'{"stream":true,"max_completion_tokens":8,"max_tokens":7}', 8),
        (b'{"stream":true,"max_tokens":"7"}', None),
        (b'{"stream":true,"max_tokens":-1}', None),
        (b'{"max_tokens":7}', None),
        (b"[]", None),
    ],
)
def test_how_long_an_answer_is_stands_in_the_request(body, tokens):
    assert wanted_tokens(body, 64) == tokens


def test_server_and_client_get_a_cpu_each_where_there_are_two():
    assert places([3, 1, 2]) == Places(server=1, client=3)
    assert places([0]) == Places(server=None, client=None)
    assert "share one CPU" in str(places([0]))


def test_a_server_that_does_not_start_is_said_with_its_last_words(tmp_path):
    with pytest.raises(InfrastructureError, match="did not start"), serving(PACE, 4096, tmp_path):
        pass


@pytest.mark.slow
def test_a_client_that_reaches_no_server_counts_its_failures(tmp_path):
    # Port 9, discard: nobody listens there.
    step = one_step(wanted(2), "http://127.0.0.1:9", 2, None, tmp_path)
    assert step.failed > 0
    assert step.held(0.005).value == "unknown"


def wanted(*streams: int) -> Wanted:
    return Wanted(streams=streams, pace=PACE, seconds=0.5)


def test_a_step_measures_every_error_through_the_real_client(tmp_path):
    (step,) = measure(wanted(5), Places(server=None, client=None), tmp_path, lambda _: None)
    assert (step.streams, step.failed) == (5, 0)
    # 5 streams of 5 events in 30 ms: 833 a second.
    assert step.expected == pytest.approx(416.7, abs=0.1)
    assert step.errors.recv.count > 0
    assert step.errors.itl.count > step.errors.ttft.count > 0
    assert step.errors.recv.p50 > 0
    assert step.lag.count > 0
    assert step.cpu > 0


@pytest.mark.slow
def test_the_command_prints_a_table_and_an_answer():
    words = ["load", "selftest", "--streams", "2,5", "--seconds", "0.5", "--tokens", "5", "--gap", "5ms"]
    entry = "from holdfast.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", entry, *words, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1, 10}, done.stderr
    found = json.loads(done.stdout)
    assert [step["streams"] for step in found["steps"]] == [2, 5]
    assert [one["limit"] for one in found["knees"]] == [0.005, 0.002]
    assert "5 streams ..." in done.stderr
