"""`load run` as a real process against a real server: what it prints, what it keeps, and what its exit code says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.errors import ExitCode

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
DEAD = "http://127.0.0.1:9"
"""The discard port: nobody listens."""
BUSY = ("phases kept", "load on time")
"""What a machine with too much else to do brings into doubt."""


@pytest.fixture
def holdfast(tmp_path):
    """Starts a command with runs of its own; whatever still runs at the end of the test is killed."""
    started = []

    def start(*words):
        process = subprocess.Popen(
            [sys.executable, "-m", "holdfast", *map(str, words)],
            cwd=ROOT,
            env=os.environ | {"HOLDFAST_RUNS": str(tmp_path / "runs")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def loaded(holdfast):
    """(exit code, document) of `load run --json`, played again where this machine was too busy to load on time."""

    def play(host, *words):
        for _ in range(3):
            process = holdfast("load", "run", "chat-peak", "--host", host, "--json", *words)
            text, said = process.communicate(timeout=60)
            found = json.loads(text) if text else pytest.fail(said)
            assert [one for one in found["troubles"] if not one.startswith(BUSY)] == []
            if found["valid"]:
                break
        return process.returncode, found

    return play


def busy(found):
    """Whether this machine kept the load from being on time, three times; then the exit code has to say so."""
    return bool(found["troubles"])


def test_a_load_is_offered_summed_up_and_kept_as_a_run_that_other_commands_read(server, loaded, holdfast):
    code, found = loaded(server.url("ok"), "--for", "4s", "--warmup", "1s")
    assert code == (ExitCode.UNKNOWN if busy(found) else ExitCode.PASS)
    assert found["valid"] is not busy(found)
    # 12/s for 4 s are 48 requests; Poisson: between 48 - 4 * 7 and 48 + 4 * 7.
    assert 20 <= found["requests"] <= 76
    assert found["outcomes"] == {"ok": found["requests"]}
    assert found["sent"] == found["requests"]
    figures = found["figures"]
    assert 0 < figures["itl"]["p50"] <= figures["ttft"]["p99"] <= figures["e2e"]["p99"] < 60
    report, _ = holdfast("load", "report", found["folder"], "--as", "vllm", "--json").communicate(timeout=30)
    # Neither counts the warmup's requests, and the report says how many they were.
    assert json.loads(report)["outcomes"]["ok"] == found["requests"]
    assert set(json.loads(report)["left_out"]) <= {"warmup"}
    export = holdfast("load", "export", found["folder"], "--to", "llm-d")
    export.communicate(timeout=30)
    assert export.returncode == ExitCode.PASS
    compared, _ = holdfast("load", "compare", found["folder"], found["folder"], "--json").communicate(timeout=60)
    assert bool(json.loads(compared)["troubles"]) is busy(found)


def test_against_a_dead_server_every_request_fails_and_the_load_itself_is_still_valid(loaded):
    code, found = loaded(DEAD, "--for", "2s", "--warmup", "0s")
    assert code == (ExitCode.UNKNOWN if busy(found) else ExitCode.PASS)
    assert found["outcomes"] == {"connect": found["failed"]}
    assert found["failed"] == found["requests"] > 0
    assert found["figures"]["ttft"]["p50"] == "+Inf"
    assert found["answered_per_second"] == 0


def test_ctrl_c_keeps_the_record_says_so_and_is_no_success(server, holdfast, tmp_path, until):
    process = holdfast("load", "run", "chat-peak", "--host", server.url("ok"), "--for", "60s", "--json")
    until(lambda: any("request" in path.read_text() for path in tmp_path.glob("runs/2*/load.ndjson")), within=40)
    process.send_signal(signal.SIGINT)
    text, said = process.communicate(timeout=30)
    found = json.loads(text)
    assert process.returncode == ExitCode.INTERRUPTED
    assert found["valid"] is False
    assert found["interrupted"] == "SIGINT"
    assert f"stopped by SIGINT; what was recorded is kept in {found['folder']}" in said
    assert (Path(found["folder"]) / "seal.json").is_file()
