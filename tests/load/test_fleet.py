"""A load from several processes: each arrival once, one time zero, one record, and no lost worker is overlooked."""

from __future__ import annotations

import json
import math
import re
import socket

import pandas as pd
import psutil
import pytest

from holdfast import trust
from holdfast.load import cut
from holdfast.load.command import command
from holdfast.load.fleet.worker import Batches
from holdfast.load.live import Tail
from holdfast.load.record import Beat
from holdfast.model.load import schedule
from holdfast.model.verdict import State
from holdfast.spec.profile import make_profile
from holdfast.stats.sketch import Sketch
from holdfast.store.load import BEATS, LINES, SUMMARY, parse_lines, read_load, to_parquet
from holdfast.testing import a_scenario, a_timeline, some_events

STEADY = {"arrivals": "constant", "rate": 40.0, "answer-tokens": 10, "request-timeout": 2.0}


@pytest.fixture
def fleet(locust, tmp_path):
    """Starts a master and two workers, all by themselves; the record is at `path`, the last worker in `lost`."""

    def start(url, length, values=STEADY):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        path = tmp_path / "records.ndjson"
        words = command(
            make_profile("steady", values),
            locustfile="loadtests/chat.py",
            host=url,
            records=path,
            seed=7,
            length=length,
            epoch=None,
            python="python",
        )
        master = locust(*words[3:], "--master", "--expect-workers", 2, "--master-bind-port", port)
        workers = [locust("-f", "loadtests/chat.py", "--worker", "--master-port", port) for _ in range(2)]
        return master, workers, path

    return start


def judged(path):
    """What the check of trust says of the load in this record."""
    record, torn = parse_lines(path.read_text())
    assert not torn
    events = some_events(a_scenario(), expected=record.planned)
    return trust.load_offered(a_timeline(changes={"load": record, "events": events}))


@pytest.mark.e2e
def test_two_workers_offer_each_arrival_once_at_its_time(server, locust, lines, tmp_path):
    path = tmp_path / "records.ndjson"
    profile = make_profile("shared", STEADY | {"workers": 2})
    words = command(
        profile,
        locustfile="loadtests/chat.py",
        host=server.url("ok"),
        records=path,
        seed=7,
        length=3.0,
        epoch=None,
        python="python",
    )
    process = locust(*words[3:])
    output, _ = process.communicate(timeout=40)
    assert process.returncode == 0, output
    requests = sorted(lines(path, "request"), key=lambda line: line["id"])
    assert [(line["id"], line["due"]) for line in requests] == [
        (arrival.number, arrival.due) for arrival in schedule(profile, seed=7, length=3.0)
    ]
    assert {(line["outcome"], line["tokens"]) for line in requests} == {("ok", 10)}
    # On a busy machine some are late; a worker whose zero were wrong would have all of its half too early or too late.
    assert all(line["sent"] >= line["due"] - 0.001 for line in requests)
    for share in (0, 1):
        late = sorted(line["sent"] - line["due"] for line in requests[share::2])
        assert late[len(late) // 2] < 0.05
    (end,) = lines(path, "end")
    assert (end["planned"], end["sent"], end["dropped"]) == (120, 120, 0)
    joined = [line for line in lines(path, "worker") if line["state"] == "joined"]
    assert [line["index"] for line in joined] == [0, 1]
    # The clocks of one machine are one clock, and each worker's bound says so.
    assert all(abs(line["offset"]) <= line["uncertainty"] < 0.1 for line in joined)
    assert len(re.findall(r"worker [01]: clock [+-]0\.\d+ s from the master's, known to 0\.\d+ s", output)) == 2
    assert {beat["worker"] for beat in lines(path, "beat")} == {0, 1}
    assert judged(path).state is State.PASS
    # Locust's own table has counted each once.
    assert "120     0(0.00%)" in output
    # What the workers counted apart is what one would have counted: number n belongs to worker n mod 2.
    latencies = [line["done"] - line["due"] for line in requests]
    assert Sketch.merged([Sketch.of(latencies[0::2]), Sketch.of(latencies[1::2])]) == Sketch.of(latencies)


@pytest.mark.e2e
def test_a_killed_worker_is_in_the_record_and_the_load_counts_as_not_offered(server, fleet, lines, until):
    master, workers, path = fleet(server.url("ok"), 4.0)
    until(lambda: path.exists() and {beat["worker"] for beat in lines(path, "beat")} == {0, 1}, within=40)
    workers[1].kill()
    # 4 s of load, 2 s of timeout and 4 s of patience are the most; heartbeats tell after about 4 s.
    output, _ = master.communicate(timeout=25)
    assert master.returncode == 75, output
    (lost,) = [line for line in lines(path, "worker") if line["state"] == "lost"]
    assert 0 < lost["t"] < 4 + 2 + 4 + 1
    assert lines(path, "end") == []
    # The other one offered all of its own half.
    ids = {line["id"] % 2 for line in lines(path, "request")}
    assert 1 - lost["index"] in ids
    assert sum(line["id"] % 2 != lost["index"] for line in lines(path, "request")) == 80
    found = judged(path)
    assert found.state is State.UNKNOWN
    assert found.seen.startswith("the load generator stopped early")
    # It stays known when the lines have become tables.
    assert not to_parquet(path.rename(path.with_name(LINES)).parent)
    told = json.loads(path.with_name(SUMMARY).read_text())["workers"]
    assert sorted(one["state"] for one in told) == ["joined", "joined", "left", "lost"]
    assert workers[0].wait(timeout=10) == 0


@pytest.mark.e2e
@pytest.mark.slow
def test_a_load_that_is_cut_ends_at_the_same_second_on_all_workers(server, fleet, lines, until):
    master, _, path = fleet(server.url("ok"), 30.0)
    until(lambda: path.exists() and lines(path, "request"), within=40)
    second = math.ceil((lines(path, "beat")[-1]["t"] + 0.5) * 10) / 10
    cut.tell(path, second)
    output, _ = master.communicate(timeout=20)
    assert master.returncode == 0, output
    planned = schedule(make_profile("steady", STEADY), seed=7, length=30.0)
    due = [arrival.due for arrival in planned if arrival.due < second]
    assert sorted(line["due"] for line in lines(path, "request")) == due
    (end,) = lines(path, "end")
    assert (end["planned"], end["sent"]) == (1200, len(due))


@pytest.mark.e2e
@pytest.mark.slow
def test_workers_offer_nothing_more_when_their_master_was_killed(server, locust, until, tmp_path):
    path = tmp_path / "records.ndjson"
    words = ("--host", server.url("ok"), "--rate", "20", "--length", "60s", "--records", path)
    master = locust("-f", "loadtests/chat.py", "--headless", "--processes", 2, *words)
    until(lambda: path.exists() and path.read_text().count('"request"') > 5, within=40)
    workers = psutil.Process(master.pid).children()
    assert len(workers) == 2
    master.kill()
    until(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in workers), within=10)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"workers": 2, "arrivals": "closed"}, "a closed loop has none"),
        ({"workers": 3, "max-in-flight": 2}, "3 workers cannot share max-in-flight 2"),
    ],
)
def test_a_profile_that_cannot_be_shared_out_is_no_profile(values, why):
    with pytest.raises(ValueError, match=why):
        make_profile("shared", values)


def test_only_a_profile_with_workers_makes_locust_fork_and_then_on_a_port_of_its_own():
    def words(workers):
        profile = make_profile("some", {"workers": workers})
        same = {"locustfile": "chat.py", "host": "http://h", "records": "r", "python": "python"}
        return command(profile, seed=1, length=1.0, epoch=None, **same)

    assert "--master-port" not in words(1)
    assert words(2)[words(2).index("--workers") + 1] == "2"
    assert words(2)[words(2).index("--master-bind-host") + 1] == "127.0.0.1"


def test_a_worker_sends_its_lines_in_numbered_batches_and_keeps_none():
    sent = []
    record = Batches(lambda number, lines: sent.append((number, lines)), worker=3)
    record.flush()
    record.beat(Beat(t=0.25, lag=0.0, cpu=0.1, in_flight=1, offered=1, sent=1))
    record.beat(Beat(t=0.5, lag=0.0, cpu=0.1, in_flight=1, offered=2, sent=2))
    record.flush()
    record.beat(Beat(t=0.75, lag=0.0, cpu=0.1, in_flight=0, offered=2, sent=2))
    record.close()
    record.close()
    assert [(number, lines.count(b'"worker":3')) for number, lines in sent] == [(0, 2), (1, 1)]
    assert record.batches == 2


def test_a_record_keeps_whose_each_beat_is_and_older_ones_are_read_without(tmp_path):
    beats = [{"t": t, "lag": 0.001, "cpu": 0.1, "in_flight": 1, "offered": 1, "sent": 1} for t in (0.25, 0.3)]
    joined = {"index": 1, "state": "joined", "t": 0.0, "offset": 7.0, "uncertainty": 0.001}
    lines = [
        {"kind": "start", "planned": 0},
        {"kind": "worker", **joined},
        *({"kind": "beat", **beat, "worker": worker} for worker, beat in enumerate(beats)),
        {"kind": "end", "t": 1.0, "planned": 0, "sent": 0, "dropped": 0},
    ]
    (tmp_path / LINES).write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert to_parquet(tmp_path)
    record, damaged = read_load(tmp_path)
    assert (damaged, record.workers, record.beats["worker"].tolist()) == ([], (joined,), [0.0, 1.0])
    older = pd.read_parquet(tmp_path / BEATS).drop(columns="worker")
    older.to_parquet(tmp_path / BEATS)
    record, damaged = read_load(tmp_path)
    assert (damaged, record.beats["worker"].isna().all(), record.beats["t"].tolist()) == ([], True, [0.25, 0.3])


def test_what_is_going_on_now_is_the_sum_of_all_workers(tmp_path):
    path = tmp_path / "records.ndjson"
    beats = [(0.25, 0, 10), (0.3, 1, 9), (5.25, 0, 110), (5.3, 1, 109)]
    same = {"kind": "beat", "lag": 0.001, "cpu": 0.1, "in_flight": 2}
    lines = [{**same, "t": t, "worker": worker, "offered": count, "sent": count} for t, worker, count in beats]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    tail = Tail(path)
    tail.look()
    pulse = tail.pulse()
    assert (pulse.offered, pulse.in_flight) == (219, 4)
    # From 0.3 s (10 + 9) to 5.3 s (110 + 109): 200 in 5 s.
    assert pulse.offered_rate == pytest.approx(40.0)
