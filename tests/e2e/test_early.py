"""`stop: early` on the real platform: what is clear after seconds does not take a minute, and is trusted."""

from __future__ import annotations

import pandas as pd
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timed, pytest.mark.timeout(400), pytest.mark.xdist_group("second")]

SCENARIO = """\
apiVersion: holdfast/v1
kind: Scenario
metadata: {name: early, title: As long as it takes}
seed: 5
stop: early
load: chat-peak
phases:
  - {name: baseline, for: 60s}
expect:
  - {slo: gateway/availability, during: [baseline], objective: 50%}
  - {latency: e2e, under: 1s, at-least: 90%, during: [baseline]}
"""


def test_a_minute_is_cut_to_the_seconds_in_which_one_promise_is_proved_and_one_disproved(up):
    # Nothing fails, and an answer of some fifty tokens takes two seconds on engines as fast as a laptop's.
    answer, told = up.decided("run", up.scenario(SCENARIO))
    assert answer == 1, told
    assert set(up.checks().values()) == {"PASS"}
    assert [one["state"] for one in up.verdict()["expectations"]] == ["PASS", "FAIL"]
    (end,) = [event for event in up.events("phase") if event["edge"] == "end"]
    assert end["early"] is True
    assert 10 <= end["t"] < 30
    assert f"of 1m: settled {', '.join(end['settled'])}" in told
    (cut,) = [event for event in up.events("load") if event["step"] == "cut"]
    requests = pd.read_parquet(up.latest() / "requests.parquet")
    assert len(requests) == cut["expected"]
    assert requests["due"].max() < cut["until"] <= end["t"]
