"""Real Locust against a real server: the load is offered as planned, whatever the server does."""

from __future__ import annotations

import os
import signal
import time
from itertools import pairwise

import pytest

from holdfast.load.command import command
from holdfast.model.load import schedule
from holdfast.spec.profile import make_profile

pytestmark = pytest.mark.e2e

PROFILE = make_profile("steady", {"arrivals": "constant", "rate": 40.0, "answer-tokens": 10, "request-timeout": 5.0})


@pytest.fixture
def offer(locust, tmp_path):
    """Starts Locust with a profile; the record is at `path`."""

    def start(url: str, length: float, profile=PROFILE, *, env=None, under=(), more=()):
        path = tmp_path / "records.ndjson"
        words = command(
            profile,
            locustfile="loadtests/chat.py",
            host=url,
            records=path,
            seed=7,
            length=length,
            epoch=None,
            python="python",
        )
        return locust(*words[3:], *more, env=env, under=under), path

    return start


def test_every_planned_arrival_has_a_record_at_its_planned_time(server, offer, lines):
    process, path = offer(server.url("ok"), 4.0)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    planned = schedule(PROFILE, seed=7, length=4.0)
    requests = sorted(lines(path, "request"), key=lambda line: line["id"])
    assert [line["due"] for line in requests] == [arrival.due for arrival in planned]
    assert {(line["outcome"], line["tokens"]) for line in requests} == {("ok", 10)}
    for line in requests:
        assert line["due"] <= line["sent"] < line["first"] < line["last"] <= line["done"]
    (end,) = lines(path, "end")
    assert (end["planned"], end["sent"], end["dropped"]) == (160, 160, 0)
    beats = lines(path, "beat")
    # 4 s of schedule, a beat each 0.25 s: 16, of which the last may come too late, and never a second of silence.
    assert len(beats) >= 15
    assert max(later["t"] - earlier["t"] for earlier, later in pairwise(beats)) < 1.0
    # Locust's own table counted each request once.
    assert "160     0(0.00%)" in output


def test_a_server_that_stalls_for_a_second_does_not_slow_the_arrivals(server, offer, lines, until):
    process, path = offer(server.url("ok"), 4.0)
    until(lambda: path.exists() and len(lines(path, "request")) > 20)
    os.kill(server.pid, signal.SIGSTOP)
    frozen = time.monotonic()
    try:
        until(lambda: time.monotonic() - frozen >= 1.0)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    requests = lines(path, "request")
    lateness = sorted(line["sent"] - line["due"] for line in requests)
    waits = sorted(line["first"] - line["due"] for line in requests)
    # All 160 were sent, also the 40 due while the server stood still; those waited, and their waiting is seen.
    assert len(requests) == 160
    # A closed loop would have sent a quarter of them up to a second late; 95 of 100 within 0.3 s rules that out.
    assert lateness[-8] < 0.3
    assert sum(wait > 0.1 for wait in waits) >= 30
    assert waits[-1] > 0.8


def test_a_killed_generator_leaves_a_readable_file(server, offer, lines, until):
    process, path = offer(server.url("slow"), 20.0)
    until(lambda: path.exists() and len(lines(path, "request")) > 20)
    process.kill()
    process.wait(timeout=10)
    assert len(lines(path, "start")) == 1
    assert len(lines(path, "request")) > 20
    assert lines(path, "end") == []


def test_a_stopped_generator_says_what_it_left_unfinished_and_does_not_exit_green(server, offer, lines, until):
    process, path = offer(server.url("silent"), 20.0)
    until(lambda: path.exists() and any(beat["in_flight"] > 3 for beat in lines(path, "beat")))
    process.terminate()
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 75, output
    (end,) = lines(path, "end")
    requests = lines(path, "request")
    assert "unfinished" in {line["outcome"] for line in requests}
    assert len(requests) == end["sent"] < end["planned"]


def test_above_the_cap_arrivals_are_dropped_and_counted_never_queued(server, offer, lines):
    values = {"arrivals": "constant", "rate": 40.0, "max-in-flight": 4, "request-timeout": 1.0}
    process, path = offer(server.url("silent"), 1.5, make_profile("capped", values))
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    (end,) = lines(path, "end")
    outcomes = [line["outcome"] for line in lines(path, "request")]
    # Nobody answers within a second: four go out, and four more when those are given up after 1.0 s.
    assert (outcomes.count("timeout"), outcomes.count("dropped")) == (8, 52)
    assert (end["planned"], end["sent"], end["dropped"]) == (60, 8, 52)


def test_the_key_goes_to_the_server_and_into_no_file(server, offer, lines):
    process, path = offer(server.url("broken"), 0.5, env={"HOLDFAST_API_KEY": "s3cret-key"})
    output, _ = process.communicate(timeout=30)
    # All answers are errors, and still the load ran as planned: judging them is not the generator's business.
    assert process.returncode == 0, output
    assert {line["outcome"] for line in lines(path, "request")} == {"http_error"}
    # The server echoes the header that it got, and the record says so without the key.
    assert {line["error"] for line in lines(path, "request")} == {"500: no luck for bearer ***"}
    assert "s3cret-key" not in path.read_text() + output


def test_a_record_that_cannot_be_written_ends_the_load_at_once_and_not_green(server, offer, lines, tmp_path):
    words = ["-c", 'ulimit -f 4; exec "$@"', "bash"]
    began = time.monotonic()
    process, path = offer(server.url("ok"), 20.0, under=["bash", *words])
    output, _ = process.communicate(timeout=30)
    # 4 KiB hold some twenty lines of the 800 requests planned.
    assert process.returncode == 75, output
    assert "could not be offered: [Errno 27] File too large" in output
    assert path.stat().st_size <= 4096
    assert time.monotonic() - began < 15


def test_more_users_offer_the_load_once(server, offer, lines):
    process, path = offer(server.url("swift"), 1.0, more=["--users", "3"])
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert len(lines(path, "request")) == 40


def test_plain_locust_runs_the_shipped_profile(server, locust):
    process = locust("--config", "loadtests/chat-replay.conf", "--host", server.url("plain"), "--length", "1s")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert "/v1/chat/completions" in output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--host", "http://127.0.0.1:1", "--rate", "0"], "expected more than zero"),
        (["--host", "http://127.0.0.1:1", "--length", "4"], "expected a duration"),
        (["--host", "http://127.0.0.1:1", "--arrivals", "trace"], "needs a trace file"),
        (["--host", "http://127.0.0.1:1", "--arrivals", "trace", "--trace", "README.md"], "not a trace"),
        (["--host", "http://127.0.0.1:1", "--arrivals", "trace", "--trace", "none.csv"], "no such file: none.csv"),
        (["--host", "http://127.0.0.1:1", "--records", "README.md"], "never written over"),
        (["--host", "http://127.0.0.1:1", "--records", "no/such/r.ndjson"], "there is no folder"),
        (["--host", "http://127.0.0.1:1", "--epoch", "1700000000"], "counts seconds of CLOCK_MONOTONIC"),
        (["--host", "http://127.0.0.1:1", "--processes", "2", "--arrivals", "closed"], "a closed loop has none"),
        (["--host", "127.0.0.1:1"], "expected a URL"),
        ([], "name the server"),
    ],
)
def test_a_load_that_cannot_be_offered_exits_2_and_says_why(locust, options, message):
    process = locust("-f", "loadtests/chat.py", "--headless", *options)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 2, output
    assert message in output
