"""`holdfast load report | import | export` as a person calls them: what they print, and how they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from datetime import datetime
from io import StringIO
from pathlib import Path

import pytest
import yaml

from holdfast.cli import main
from holdfast.errors import ExitCode
from holdfast.loadtest.run import FILE, Wanted, prepare
from holdfast.store.folder import keep_specs
from load_runs import a_run
from tool_streams import STREAMS

ROOT = Path(__file__).parents[2]
FILES = Path(__file__).parents[1] / "golden" / "load-import"
SHAPES = ("text", "role first", "reasoning", "several tokens", "cut", "rejected")
"""The answers that the result files were made of, one after another, half a second apart."""


def later(stream, seconds):
    moved = {
        name: at + seconds for name in ("due", "sent", "written", "ended") if (at := getattr(stream, name)) is not None
    }
    return replace(stream, **moved, pieces=tuple(replace(piece, t=piece.t + seconds) for piece in stream.pieces))


@pytest.fixture
def run(tmp_path):
    return a_run(tmp_path / "runs" / "monday", [later(STREAMS[name], 0.5 * n) for n, name in enumerate(SHAPES)])


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


def holdfast(*words):
    """`main` itself, exit code and all, without the second that a new Python takes to start."""
    out, err, before = StringIO(), StringIO(), signal.getsignal(signal.SIGTERM)
    argv, sys.argv = sys.argv, ["holdfast", "load", *map(str, words)]
    try:
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as left:
            main()
    finally:
        sys.argv = argv
        signal.signal(signal.SIGTERM, before)
    return Done(left.value.code, out.getvalue(), err.getvalue())


def test_a_report_has_every_tool_with_its_definition(run):
    done = holdfast("report", run, "--ttft", "150ms", "--gap", "200ms")
    assert done.returncode == ExitCode.PASS, done.stderr
    assert "vllm bench serve 0.32" in done.stdout
    assert "sent -> first event with choices, the empty role event included" in done.stdout
    assert "4 ok, 1 cut, 1 rejected" in done.stderr


def test_a_report_for_machines_names_what_is_infinite_and_what_is_unknown(run):
    found = json.loads(holdfast("report", run, "--json", "--as", "holdfast", "--as", "inference-perf").stdout)
    ours, theirs = found["tools"]["holdfast"], found["tools"]["inference_perf"]
    assert (ours["figures"]["ttft"]["p50"], ours["figures"]["ttft"]["p99"]) == (pytest.approx(0.1), "+Inf")
    assert theirs["figures"]["ttft"]["p99"] == pytest.approx(0.09 + 0.97 * (0.49 - 0.09))  # rank 0.99 * 3 = 2.97
    assert found["outcomes"] == {"ok": 4, "cut": 1, "rejected": 1}
    assert (found["trouble"], ours["goodput"]["good"]) == (None, None)


@pytest.mark.parametrize(
    ("streams", "why"),
    [
        ([replace(STREAMS["text"], pieces=())], "no pieces of its answers"),
        ([STREAMS["rejected"]], "no request got as far as an answer"),
        ([], "no request"),
    ],
)
def test_a_record_that_says_nothing_is_unknown(tmp_path, streams, why):
    folder = a_run(tmp_path / "run", streams)
    done = holdfast("report", folder, "--json")
    assert done.returncode == ExitCode.UNKNOWN
    assert why in done.stderr
    assert json.loads(done.stdout)["tools"] == {}
    assert holdfast("export", folder, "--to", "llm-d").returncode == ExitCode.USAGE


def test_what_was_due_in_the_warmup_is_counted_by_nobody_and_the_report_says_so(tmp_path):
    # Due at 0, 0.5, 1, ... 2.5 s, and the warmup lasts a second: two of six.
    wanted = Wanted(root=ROOT, runs=tmp_path, profile="chat-peak", host="http://127.0.0.1:9", length=2.0, warmup=1.0)
    streams = [later(STREAMS[name], 0.5 * n) for n, name in enumerate(SHAPES)]
    folder = a_run(tmp_path / "run", streams, scenario_file=FILE)
    keep_specs(folder, prepare(wanted))
    done = holdfast("report", folder, "--json", "--as", "holdfast")
    assert json.loads(done.stdout)["outcomes"] == {"ok": 2, "cut": 1, "rejected": 1}
    assert json.loads(done.stdout)["left_out"] == {"warmup": 2}
    assert json.loads(done.stdout)["tools"]["holdfast"]["requests"] == 4
    assert "left out: 2 requests due in warmup, which is not judged" in done.stderr
    exported = json.loads(holdfast("export", folder, "--to", "llm-d").stdout)
    assert exported["results"]["request_performance"]["aggregate"]["requests"]["total"] == 4


def test_what_is_no_run_and_what_is_no_tool_are_refused(tmp_path, run):
    assert holdfast("report", tmp_path).returncode == ExitCode.USAGE
    done = holdfast("report", run, "--as", "vlm")
    assert done.returncode == ExitCode.USAGE
    assert "vllm" in done.stderr


@pytest.mark.parametrize("name", sorted(path.name for path in FILES.iterdir()))
def test_a_result_file_says_what_its_own_tool_would_have_said_of_our_record(run, name):
    """The files were written by the tools' code for the same answers that our record holds: like with like."""
    done = holdfast("import", FILES / name, "--beside", run, "--json")
    assert done.returncode == ExitCode.PASS, done.stderr
    found = json.loads(done.stdout)
    (theirs,), (ours,) = found["files"], found["ours"]
    assert theirs["tool"] == ours["tool"]
    for row, figure in theirs["figures"].items():
        told = {key: value for key, value in figure.items() if value is not None and key not in {"is", "n"}}
        # Without its tokenizer inference-perf's stamps are of chunks; our record knows the tokens inside.
        if told and not (name == "inference-perf-requests.json" and row == "itl"):
            mine = ours["figures"][row]
            assert {key: mine[key] for key in told} == pytest.approx(told, rel=1e-3), row


def test_two_tools_side_by_side_are_not_said_to_be_the_same(run):
    done = holdfast("import", FILES / "vllm.json", FILES / "guidellm.json", "--beside", run)
    assert done.returncode == ExitCode.PASS, done.stderr
    assert "are different quantities" in done.stderr
    assert "guidellm.json: GuideLLM 0.8.1 constant 2.0" in done.stdout
    assert "its tpot has the first token's wait in it" in done.stderr


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ('{"completed": 3,\n "request_throughput": 1.0,\n "duration": "long"}', ":3:14", "duration is not a number"),
        ('{"completed": 3,\n "request_throughput": 1.0}', ":1:1", "duration is missing"),
        ('{"completed": 3,\n "request_throughput": 1.0', ":2:27", "not JSON"),
        ('{"metadata": {}, "metrics": {}}\n{"metadata": ', ":2:14", "not JSON"),
        (
            '{"metadata": {}, "metrics": {}}\n{"metadata": {}, "metrics": {"request_latency": {"unit": "moons"}}}',
            ":2:1",
            "is no unit of time",
        ),
        ("[1, 2, 3]", "", "no tool that is known here"),
        ("", ":1:1", "not JSON"),
    ],
)
def test_a_broken_file_is_a_problem_with_its_place(tmp_path, text, place, what):
    file = tmp_path / "result.json"
    file.write_text(text, encoding="utf-8")
    done = holdfast("import", file)
    assert done.returncode == ExitCode.USAGE
    assert f"{file}{place}" in done.stderr
    assert what in done.stderr
    assert "Traceback" not in done.stderr


def test_results_that_were_appended_to_one_file_are_runs_of_their_own(tmp_path):
    line = json.dumps(json.loads((FILES / "vllm.json").read_text(encoding="utf-8")))
    (tmp_path / "all.json").write_text(f"{line}\n{line}", encoding="utf-8")
    assert len(json.loads(holdfast("import", tmp_path / "all.json", "--json").stdout)["files"]) == 2


def test_the_problems_of_all_files_come_together(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).write_text('{"completed": "x", "request_throughput": 1, "duration": null}', encoding="utf-8")
    done = holdfast("import", tmp_path / "one", tmp_path / "two", tmp_path / "one")
    assert "6 problems" in done.stderr  # completed and duration, three times


def test_an_export_has_what_llm_ds_schema_asks_for(run):
    """Version, run.uid and results are needed; every statistic needs units and a mean."""
    report = json.loads(holdfast("export", run, "--to", "llm-d").stdout)
    assert (report["version"], report["run"]["uid"]) == ("0.2.1", "monday")
    load = report["scenario"]["load"]
    assert {"metadata", "standardized", "native"} == set(load)
    assert {"tool", "tool_version", "source", "input_seq_len"} <= set(load["standardized"])
    assert load["standardized"]["input_seq_len"] == {"distribution": "other", "value": 7}
    done = report["results"]["request_performance"]["aggregate"]
    assert {key: done["requests"][key] for key in ("total", "failures")} == {"total": 6, "failures": 2}
    latency = done["latency"]
    assert {key: one["units"] for key, one in latency.items()} == {
        "time_to_first_token": "s",
        "time_per_output_token": "s/token",
        "inter_token_latency": "s/token",
        "normalized_time_per_output_token": "s/token",
        "request_latency": "s",
    }
    # text, role first, reasoning and several tokens: 90, 90, 490 and 90 ms from sent to the first visible token.
    assert latency["time_to_first_token"]["mean"] == pytest.approx((0.09 + 0.09 + 0.49 + 0.09) / 4)
    assert all("mean" in one and "units" in one for one in statistics(report["results"]))
    assert report["run"]["time"]["duration"] == "PT2.530000S"  # the last was due at 5 * 0.5 and refused 30 ms later
    start, end = (datetime.fromisoformat(report["run"]["time"][key]) for key in ("start", "end"))
    assert (end - start).total_seconds() == pytest.approx(2.53)


def statistics(value):
    if isinstance(value, dict):
        if "units" in value:
            yield value
        for inner in value.values():
            yield from statistics(inner)


def test_an_export_is_the_same_in_yaml_and_in_a_file(run, tmp_path):
    as_json = json.loads(holdfast("export", run, "--to", "llm-d").stdout)
    assert holdfast("export", run, "--to", "llm-d", "--format", "yaml", "--out", tmp_path / "r.yaml").stdout == ""
    assert yaml.safe_load((tmp_path / "r.yaml").read_text(encoding="utf-8")) == as_json


def test_what_is_infinite_is_left_out_of_a_report_that_has_numbers_alone(run):
    report = json.loads(holdfast("export", run, "--to", "llm-d", "--as", "holdfast").stdout)
    aggregate = report["results"]["request_performance"]["aggregate"]
    assert "latency" not in aggregate
    assert aggregate["requests"]["failures"] == 2


CHECK = """
import json, sys
sys.path.insert(0, sys.argv[1])
from benchmark_report.schema_v0_2_1 import BenchmarkReportV021
print(BenchmarkReportV021(**json.load(sys.stdin)).version)
"""


@pytest.mark.parametrize(
    "definitions", ["inference-perf", "vllm", "guidellm", "aiperf", "mlperf", "llmperf", "holdfast"]
)
def test_llm_ds_own_model_takes_the_export(run, definitions):
    """HOLDFAST_LOAD_TOOLS names a folder with `bin/python` and `llmd/`, in which `benchmark_report` lies."""
    tools = Path(os.environ.get("HOLDFAST_LOAD_TOOLS", "none"))
    if not (tools / "llmd" / "benchmark_report").is_dir():
        pytest.skip("no llm-d benchmark report there; HOLDFAST_LOAD_TOOLS is not set to such a folder")
    text = holdfast("export", run, "--to", "llm-d", "--as", definitions).stdout
    done = subprocess.run(
        [tools / "bin" / "python", "-c", CHECK, tools / "llmd"], input=text, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "0.2.1", done.stderr[-2000:]
