"""What goes wrong on the client's own machine or by its user's hand: the record says so, and nothing looks green."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from holdfast.load.command import command
from holdfast.spec.profile import make_profile
from holdfast.store.load import LINES, parse_lines, to_parquet
from holdfast.store.streams import read_streams

pytestmark = pytest.mark.e2e

STEADY = {"arrivals": "constant", "rate": 40.0, "answer-tokens": 5, "request-timeout": 5.0}


@pytest.fixture
def offer(locust, tmp_path):
    """Starts Locust with a profile, below a shell line if need be; the record is at `path`."""

    def start(url: str, values, length: float, *, shell: str = "", more=()):
        path = tmp_path / LINES
        words = command(
            make_profile("unlucky", values),
            locustfile="loadtests/chat.py",
            host=url,
            records=path,
            seed=7,
            length=length,
            epoch=None,
            python="python",
        )
        under = ["bash", "-c", f'{shell}; exec "$@"', "bash"] if shell else []
        return locust(*words[3:], *more, under=under), path

    return start


def outcomes(requests) -> dict[str, int]:
    return {name: [line["outcome"] for line in requests].count(name) for name in {line["outcome"] for line in requests}}


def test_ctrl_c_keeps_what_was_recorded_and_exits_130(server, offer, lines, until):
    process, path = offer(server.url("slow"), STEADY | {"answer-tokens": 50}, 20.0)
    until(lambda: path.exists() and len(lines(path, "request")) > 5, within=60.0)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=40)
    assert process.returncode == 130, output
    (end,) = lines(path, "end")
    assert end["sent"] == len(lines(path, "request")) < end["planned"]
    # Answers of 50 tokens at 20 ms take a second: some forty were under way.
    assert outcomes(lines(path, "request"))["unfinished"] > 10


@pytest.mark.slow
def test_a_client_without_files_left_blames_itself_and_not_the_server(server, offer, lines):
    # Nobody answers, so each request holds a connection for 2 s; 128 files are not enough for 200 a second.
    values = STEADY | {"rate": 200.0, "request-timeout": 2.0}
    process, path = offer(server.url("silent"), values, 2.0, shell="ulimit -Hn 128; ulimit -n 128")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    requests, (end,) = lines(path, "request"), lines(path, "end")
    starved = [line for line in requests if line["outcome"] == "dropped"]
    assert {line["error"] for line in starved} == {"connecting: [Errno 24] Too many open files"}
    assert {line["sent"] for line in starved} == {None}
    assert set(outcomes(requests)) == {"dropped", "timeout"}
    # Four hundred planned, at least three hundred for which no file was left.
    assert end["dropped"] == len(starved) > 200
    assert end["sent"] == len(requests) - len(starved)


@pytest.mark.slow
def test_a_rate_no_core_can_offer_is_recorded_as_drops_and_lateness_in_bounded_memory_and_time(server, offer, lines):
    values = STEADY | {"rate": 1e6, "max-in-flight": 64, "request-timeout": 1.0}
    began = time.monotonic()
    process, path = offer(server.url("swift"), values, 1.0, shell="ulimit -v 4000000")
    output, _ = process.communicate(timeout=90)
    # A million requests in a second: it stops when the last of them should have ended, a second and a half later.
    assert process.returncode == 75, output
    assert "this machine is too slow" in output
    assert time.monotonic() - began < 80
    requests, (end,) = lines(path, "request"), lines(path, "end")
    assert end["planned"] == 1_000_000
    assert end["sent"] + end["dropped"] == len(requests) < end["planned"]
    late = sorted(line["sent"] - line["due"] for line in requests if line["sent"] is not None)
    assert late[len(late) // 2] > 0.1
    # It went on sending and looking at itself while it was behind.
    assert outcomes(requests).get("ok", 0) > 10
    assert len(lines(path, "beat")) > 3


def test_a_disk_that_fills_up_keeps_every_whole_line_and_the_tables_of_a_full_disk_are_none(server, offer, lines):
    process, path = offer(server.url("ok"), STEADY, 20.0, shell="ulimit -f 8")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 75, output
    record, _ = parse_lines(path.read_text())
    assert len(record.requests) > 5
    assert not record.ended
    whole = len(list(read_streams(path.parent)))
    assert whole == len(record.requests)
    # Then it is turned into Parquet where there is no room for it: the lines stay, and no half a table.
    script = (
        f"from pathlib import Path; from holdfast.store.load import to_parquet; to_parquet(Path({str(path.parent)!r}))"
    )
    limited = ["bash", "-c", 'ulimit -f 1; trap "" XFSZ; exec "$@"', "bash", sys.executable, "-c", script]
    assert subprocess.run(limited, capture_output=True, check=False).returncode != 0
    assert [one.name for one in path.parent.iterdir()] == [LINES]
    # The writer was stopped by the disk: the record is turned into tables, and they are not whole.
    assert to_parquet(path.parent) is False
    assert json.loads((path.parent / "load.json").read_text())["ended"] is False
    assert len(list(read_streams(path.parent))) == whole


def test_a_closed_loop_waits_for_its_answers_and_says_that_it_is_one(server, offer, lines):
    values = STEADY | {"arrivals": "closed", "users": 3, "think": 0.1, "answer-tokens": 10}
    process, path = offer(server.url("ok"), values, 2.0)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    requests = sorted(lines(path, "request"), key=lambda line: line["id"])
    # Ten tokens at 10 ms and 0.1 s of thought: at most ten turns of three users in two seconds.
    assert 9 <= len(requests) <= 30
    assert outcomes(requests) == {"ok": len(requests)}
    assert [line["due"] for line in requests[:3]] == [0.0, 0.0, 0.0]
    ends = sorted(line["ended"] for line in requests)
    for earlier, line in zip(ends, requests[3:], strict=False):
        assert line["due"] >= earlier + 0.099
    (start,) = lines(path, "start")
    assert (start["planned"], start["profile"]["arrivals"]) == (0, "closed")
    assert to_parquet(path.parent)
    assert json.loads((path.parent / "load.json").read_text())["loop"] == "closed"


def test_a_path_is_looked_at_with_plain_requests(server, offer, lines):
    process, path = offer(server.url("health"), STEADY | {"endpoint": "/ready"}, 1.0)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert "GET      /ready" in output
    requests = lines(path, "request")
    assert outcomes(requests) == {"ok": 40}
    assert all(line["first"] == line["headers"] and line["tokens"] == 0 for line in requests)


@pytest.mark.slow
def test_ports_that_run_out_are_the_clients_own_fault(server, lines, tmp_path):
    if os.geteuid() != 0 or subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("a network of its own needs root")
    # A network with eight ports, and a server in it that closes each connection: the ports stay taken for a minute.
    script = tmp_path / "few.sh"
    path = tmp_path / LINES
    words = command(
        make_profile("few", STEADY | {"reuse": False}),
        locustfile="loadtests/chat.py",
        host="http://127.0.0.1:9999/plain",
        records=path,
        seed=7,
        length=1.0,
        epoch=None,
        python="python",
    )
    quoted = " ".join(f"'{word}'" for word in words[1:])
    script.write_text(
        "ip link set lo up\n"
        "echo '40000 40007' > /proc/sys/net/ipv4/ip_local_port_range\n"
        f"'{sys.executable}' tests/load/sse_server.py 9999 & server=$!\n"
        f"sleep 1; '{sys.executable}' {quoted}; code=$?\n"
        "kill $server; exit $code\n"
    )
    ran = subprocess.run(["unshare", "-n", "bash", script], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    requests = lines(path, "request")
    assert set(outcomes(requests)) == {"ok", "dropped"}
    assert {line["error"] for line in requests if line["outcome"] == "dropped"} == {
        "connecting: [Errno 99] Cannot assign requested address"
    }
