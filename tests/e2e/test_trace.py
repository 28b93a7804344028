"""Real production traffic: a slice of the Azure 2023 conversation trace against engines as fast as a data centre's."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from bench import ROOT
from holdfast.load.trace import read_trace

if TYPE_CHECKING:
    from bench import Bench

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

TRACE = ROOT.parent / "shared" / "data" / "traces" / "azure-llm-2023-conv.csv"
START, SPEED, LENGTH = 300.0, 2.0, 40.0

SCENARIO = """\
apiVersion: holdfast/v1
kind: Scenario
metadata: {name: azure, title: A slice of real traffic and one dying engine}
seed: 11
load: azure
phases:
  - {name: warmup, for: 4s, judged: false}
  - {name: baseline, for: 12s}
  - {name: fault, for: 12s, chaos: engine-kill}
  - {name: recovery, for: 12s}
expect:
  - {slo: gateway/availability, during: [baseline, recovery], objective: 95%}
  - {recovery: gateway/availability, within: 10s}
  - {invariant: answers-complete}
"""


@pytest.mark.skipif(not TRACE.is_file(), reason="the Azure trace (CC-BY 4.0) does not lie beside this checkout")
def test_a_slice_of_the_azure_trace_is_offered_as_it_was_recorded(bench: Bench):
    shutil.copy(TRACE, bench.root / "loadtests/traces/azure.csv")
    conf = (bench.root / "loadtests/chat-replay.conf").read_text()
    bench.write("loadtests/azure.conf", conf.replace("chat-small", "azure") + f"trace-start = {START:g}s\n")
    assert bench.do("up", "--set", "calibration=h100", "--set", "load-seconds=2")[0] == 0
    code, text = bench.do("run", str(bench.write("scenarios/azure.yaml", SCENARIO)))
    assert code in (0, 10), text  # a busy machine may be too late to be sure, but must never be wrong
    assert {state for name, state in bench.checks().items() if name != "load on time"} == {"PASS"}

    requests = pd.read_parquet(bench.latest() / "requests.parquet")
    rows = [row for row in read_trace(TRACE.read_text(), TRACE.name, start=START) if row.offset / SPEED < LENGTH]
    assert len(requests) == len(rows) > 300
    # Arrivals at half the recorded distance, and every answer as long as the recorded one.
    assert requests["due"].tolist() == pytest.approx([row.offset / SPEED for row in rows], abs=1e-5)
    assert requests["asked_tokens"].tolist() == [row.answer_tokens for row in rows]
    assert (requests["outcome"] == "ok").mean() > 0.95
