"""Our definitions beside the tools' own code, which plays the same bytes on the same clock.

HOLDFAST_LOAD_TOOLS names a folder with `bin/python`, which can import what the tools need, and one folder a tool with
its packages: `vllm/`, `guidellm/`, `aiperf/`, `inference_perf/`, `llmperf/`. Those that are not there are skipped.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from dataclasses import asdict
from pathlib import Path

import pytest

from holdfast.definitions.base import Bounds
from holdfast.definitions.summary import summarize
from holdfast.definitions.tools import find
from tool_streams import GOLDENS, STREAMS

PLAYER = Path(__file__).parents[1] / "support" / "real_tools" / "play.py"
FOLDER = os.environ.get("HOLDFAST_LOAD_TOOLS", "")
TOOLS = ("vllm", "guidellm", "aiperf", "inference_perf", "llmperf")
BOUNDS = Bounds(ttft=0.150, tpot=0.120, e2e=0.400)
"""The ones that `real_tools/` gives to the tools."""

READS_NO_CRLF = {("vllm", "crlf"), ("inference_perf", "crlf")}
"""They look for two line feeds: with CRLF, events that come in one read (or all of them) are lost to them."""


@pytest.fixture(scope="module", params=TOOLS)
def played(request):
    packages = Path(FOLDER) / request.param
    if not FOLDER or not packages.is_dir():
        pytest.skip(f"no {request.param} there; HOLDFAST_LOAD_TOOLS is {FOLDER or 'not set'}")
    told = [
        asdict(one) | {"reads": [(at, base64.b64encode(data).decode()) for at, data in one.reads]} for one in GOLDENS
    ]
    done = subprocess.run(
        [Path(FOLDER) / "bin" / "python", PLAYER, f"{request.param}={packages}"],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return request.param, json.loads(done.stdout)[request.param]


def test_each_answer_has_the_tools_own_figures(played):
    name, found = played
    differ = [
        (golden, row, figures, ours)
        for golden, figures in found["each"].items()
        if (name, golden) not in READS_NO_CRLF
        for row, theirs, ours in compared(name, golden, figures)
        if theirs != pytest.approx(ours, rel=1e-3, abs=1e-9)
    ]
    assert differ == []
    assert len(found["each"]) >= 20


def compared(name, golden, figures):
    """(row, the tool's values, ours). What we give a weight of zero a tool may well leave out."""
    one = find(name).sample(STREAMS[golden])
    if figures.get("failed") or one.failed:
        yield "failed", bool(figures.get("failed")), one.failed
        return
    for row, theirs in figures.items():
        ours = one.tokens if row == "tokens" else list(one.times.get(row, ()))
        placeholder = name == "guidellm" and row == "itl" and not theirs and ours == [0.0]
        yield row, theirs, [] if placeholder else ours


def test_a_whole_run_has_the_tools_own_summary(played):
    name, found = played
    run = dict(found["run"])
    if not run:
        pytest.skip("its summary cannot be called by itself")
    ours = summarize(name, find(name), [STREAMS[golden] for golden in run.pop("goldens")], BOUNDS)
    whole = {
        "requests/s": ours.rates.requests,
        "tokens/s": ours.rates.tokens,
        "failed": ours.failed,
        "goodput/s": ours.goodput and ours.goodput.per_second,
        "goodput share": ours.goodput and ours.goodput.share,
    }
    mine = {key: whole[key] if key in whole else figure(ours, key) for key in run}
    assert mine == pytest.approx(run, rel=1e-3)
    assert len(run) > 15


def figure(summary, key):
    row, _, what = key.rpartition(" ")
    return getattr(summary.rows[row], what)
