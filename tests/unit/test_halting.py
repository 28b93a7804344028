"""A run is broken off when a budget burns too fast, or when nobody can see whether it does; in virtual time."""

from __future__ import annotations

import math
import re
from types import SimpleNamespace

import pytest

from examples import write_project
from holdfast.errors import SpecError
from holdfast.halting import FEWEST, burns, why_halt
from holdfast.judge import judge
from holdfast.model.scenario import Halt
from holdfast.model.verdict import State
from holdfast.project import load_scenario
from stage import Stage, bad, good

AVAILABLE = Halt(
    slo=SimpleNamespace(id="gateway/availability", sli="availability", bound=None, budget=0.01), burn=20, over=10.0
)
PROMPT = Halt(slo=SimpleNamespace(id="gateway/ttft", sli="ttft", bound=0.5, budget=0.05), burn=10, over=10.0)


def line(done, outcome="ok", wait=0.1):
    return {"outcome": outcome, "due": done - 1.0, "first": done - 1.0 + wait, "done": done}


def ended(good=0, bad=0, at=95.0):
    return [*(line(at) for _ in range(good)), *(line(at, "http_error") for _ in range(bad))]


def test_a_rate_is_the_bad_share_over_the_budget():
    (burn,) = burns(ended(good=90, bad=10), [AVAILABLE], now=100.0)
    assert burn.rate == pytest.approx(10)  # 10 of 100 are bad, 1 of 100 may be
    assert not burn.reached


@pytest.mark.parametrize(("bad", "halts"), [(19, False), (20, True), (21, True)])
def test_it_is_too_fast_from_the_limit_on(bad, halts):
    # 20 times 1 % are 20 of 100.
    (burn,) = burns(ended(good=100 - bad, bad=bad), [AVAILABLE], now=100.0)
    assert burn.reached is halts


def test_a_first_token_after_the_bound_is_bad_and_so_is_none_at_all():
    lines = [line(95.0, wait=0.5), line(95.0, wait=0.51), {**line(95.0), "first": None}, line(95.0), line(95.0)]
    (burn,) = burns(lines, [PROMPT], now=100.0)
    assert burn.rate == pytest.approx(2 / 5 / 0.05)


@pytest.mark.parametrize("wait", [math.nan, math.inf])
def test_a_time_that_is_no_number_is_bad(wait):
    (burn,) = burns([line(95.0, wait=wait)] * FEWEST, [PROMPT], now=100.0)
    assert burn.reached


def test_only_what_ended_lately_counts():
    lines = [*ended(bad=50, at=89.9), *ended(good=10, at=90.1)]
    (burn,) = burns(lines, [AVAILABLE], now=100.0)
    assert (burn.rate, burn.ended) == (0.0, 10)


def test_what_never_left_is_not_counted():
    (burn,) = burns([*ended(good=5), *[{**line(95.0), "outcome": "dropped"}] * 9], [AVAILABLE], now=100.0)
    assert burn.ended == 5


@pytest.mark.parametrize("count", range(FEWEST))
def test_of_too_few_requests_no_rate_is_known(count):
    (burn,) = burns(ended(bad=count), [AVAILABLE], now=100.0)
    assert burn.rate is None
    assert not burn.reached


def test_not_knowing_is_a_reason_once_the_window_has_been_full_twice():
    seen = burns([], [AVAILABLE], now=100.0)
    assert why_halt(seen, since=81.0, now=100.0) == ""
    assert why_halt(seen, since=79.0, now=100.0) == "nothing is known of gateway/availability: 0 requests ended in 10s"


def test_a_rate_that_is_known_is_a_reason_at_once_and_says_itself():
    seen = burns(ended(bad=50), [AVAILABLE], now=100.0)
    assert why_halt(seen, since=99.0, now=100.0) == (
        "gateway/availability burns its budget 100 times too fast (limit 20)"
    )


# In a whole run.

HEAD = """\
apiVersion: holdfast/v1
kind: Scenario
metadata: {name: watched, title: A run that somebody watches}
seed: 7
load: chat-peak
halt-when:
  - {slo: gateway/availability, burn: 20, over: 5s}
phases:
  - {name: baseline, for: 60s}
  - {name: recovery, for: 60s}
expect:
  - {slo: gateway/availability, during: [baseline, recovery], objective: 95%}
"""


@pytest.fixture
def played(tmp_path):
    def play(story, text=HEAD):
        path = write_project(tmp_path / "project")
        path.write_text(text)
        return Stage(tmp_path / "runs" / "one", load_scenario(path, tmp_path / "project"), story=story).play()

    return play


def test_a_run_that_burns_is_halted_and_says_why(played):
    timeline = played(lambda arrival: bad(arrival) if arrival.due > 30 else good(arrival))
    (halt,) = timeline.of("halt")
    assert 30 < halt.t < 36  # within the five seconds it looks back
    assert "gateway/availability burns its budget" in halt.data["detail"]
    assert not timeline.of("phase", name="recovery")


def test_a_halted_run_proves_nothing(played):
    report = judge(played(lambda arrival: bad(arrival) if arrival.due > 30 else good(arrival)))
    assert report.state is State.UNKNOWN
    assert any("interrupted by halt: gateway/availability burns" in check.seen for check in report.checks)


def test_a_run_in_which_nothing_ends_any_more_is_halted(played):
    def silent(arrival):
        return {"outcome": "timeout", "first": None, "done": arrival.due + 500, "tokens": 0}

    timeline = played(lambda arrival: silent(arrival) if arrival.due > 20 else good(arrival))
    (halt,) = timeline.of("halt")
    assert re.fullmatch(r"nothing is known of gateway/availability: \d requests ended in 5s", halt.data["detail"])


def test_a_run_that_keeps_its_budget_goes_on_to_its_end(played):
    timeline = played(good)
    assert not timeline.of("halt")
    assert timeline.first("end").data["complete"] is True


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("{slo: gateway/availabilty, burn: 20}", "no SLO is named 'gateway/availabilty'"),
        ("{slo: gateway/availability, burn: 0}", "greater than 0"),
        ("{slo: gateway/availability, burn: .nan}", "expected a number"),
        ("{slo: gateway/availability, burn: 20, over: 2m}", "looks back 1s to 60s"),
        ("{slo: gateway/availability, rate: 20}", "unknown key 'rate'"),
    ],
)
def test_a_halt_that_makes_no_sense_is_a_problem_with_its_place(tmp_path, wrong, says):
    path = write_project(tmp_path / "project")
    path.write_text(HEAD.replace("{slo: gateway/availability, burn: 20, over: 5s}", wrong))
    with pytest.raises(SpecError) as caught:
        load_scenario(path, tmp_path / "project")
    assert says in str(caught.value)
    assert caught.value.problems[0].where.line == 7
