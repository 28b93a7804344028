"""The rules are as honest as they claim: a few hundred simulated runs, judged with three sigma of slack.

docs/reference/honesty.md holds the same measurement with thousands of runs in many more cells.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from holdfast import stats
from holdfast.expect.proportion import Counts, prove
from holdfast.model.verdict import State
from holdfast.testing import a_scenario
from honest_rules import CHOSEN, boundaries, e_process, exact, measure, sequential, shifted_up
from honest_verdict import FAIL, PASS, UNKNOWN, early, verdict
from honest_worlds import Cell, Sample, sample, strain

RUNS, SEED = 300, 11


def cell(times: float, *, phi: float = 0.0, horizon: int = 12_000) -> Cell:
    return Cell(limit=0.01, times=times, phi=phi, horizon=horizon)


def at_most(share: float, runs: int = RUNS) -> float:
    return share + 3 * math.sqrt(share * (1 - share) / runs)


def test_bursts_keep_the_rate():
    # 3 sigma of 2,400,000 independent draws would be 0.02 %; bursts of a dozen requests make it four times that.
    for phi in (0.0, 0.5, 0.9):
        seen = sample(cell(1, phi=phi), np.random.default_rng(3), 200, 0.01).bad
        assert seen.mean() == pytest.approx(0.01, abs=0.0008)


def test_bursts_are_bursts():
    seen = sample(cell(1, phi=0.9), np.random.default_rng(3), 200, 0.01).bad
    after_a_bad_one = seen[:, 1:][seen[:, :-1]].mean()
    assert after_a_bad_one > 0.4


@pytest.mark.parametrize("rule", ["verdict", "verdict, early", "exact, once", "e-process", "block betting"])
def test_a_service_exactly_at_its_limit_is_rarely_called_good_or_bad(rule):
    tally = measure(cell(1), runs=RUNS, seed=SEED, rules=(rule,))[rule]
    assert tally.false_pass <= at_most(0.05)
    assert tally.false_fail <= at_most(0.05)


def test_looking_again_and_again_at_a_bound_for_one_look_is_not_honest():
    # Published for looks every 500 requests: 23 %. This looks at every request.
    tally = measure(cell(1), runs=RUNS, seed=SEED, rules=("exact, re-checked",))["exact, re-checked"]
    assert tally.false_pass > 0.15
    assert tally.false_fail > 0.15


def test_at_an_error_probability_of_one_in_a_hundred_one_in_a_hundred_is_wrong():
    strict = replace(cell(1), alpha=0.01)
    for tally in measure(strict, runs=RUNS, seed=SEED, rules=CHOSEN).values():
        assert max(tally.false_pass, tally.false_fail) <= at_most(0.01)


def test_in_bursts_the_verdict_stays_honest_where_plain_counts_do_not():
    tallies = measure(cell(1, phi=0.9), runs=RUNS, seed=SEED)
    for rule in ("verdict", "verdict, early", "block betting"):
        assert tallies[rule].false_pass <= at_most(0.10)
    assert tallies["exact, once"].false_pass > 0.12
    assert tallies["e-process"].false_pass > 0.12


@pytest.mark.parametrize("rule", ["verdict", "verdict, early", "exact, once", "e-process", "block betting"])
def test_a_good_service_is_proved_good_and_a_bad_one_bad(rule):
    good, bad = (measure(cell(times), runs=100, seed=SEED, rules=(rule,))[rule] for times in (0.2, 10))
    assert (good.failed, bad.passed) == (0, 0)
    assert good.passed >= 95
    assert bad.failed == 100


def test_ten_times_the_limit_of_999_fails_within_260_requests():
    # The exact median, adding up chances: alive[k] = P(no answer yet, k bad so far); a FAIL comes with a bad request.
    _, fails = boundaries(sequential, 0.001, 6000)
    alive, answered, n = np.array([1.0] + [0.0] * (len(fails) - 1)), 0.0, 0
    while answered < 0.5:
        n += 1
        bad = np.concatenate([[0.0], alive[:-1] * 0.01])
        answered += bad[n <= fails].sum()
        alive = alive * 0.99 + np.where(n <= fails, 0, bad)
    assert n == 252


def test_looking_only_at_bad_requests_finds_what_looking_at_each_finds():
    short = Cell(limit=0.01, times=1, horizon=2000)
    for times in (0.1, 0.5, 1, 3):
        seen = np.random.default_rng(9).random((40, 2000)) < 0.01 * times
        answers, after = stats.decide_path(seen, 0.01)
        runs = Sample(bad=seen, slow=seen)
        sparse = e_process(runs, runs, short)
        assert sparse.said.tolist() == answers.tolist()
        assert sparse.after.tolist() == after.tolist()


@pytest.mark.parametrize(("rule", "stop", "horizon"), [(verdict, "end", 1200), (early, "early", 240)])
@pytest.mark.parametrize(("phi", "times"), [(0.0, 1), (0.0, 0.2), (0.9, 1), (0.9, 5)])
def test_the_verdict_simulated_is_the_verdict_given(phi, times, rule, stop, horizon):
    # 240 requests are 20 s: the early rule looks once.
    truth = Cell(limit=0.05, times=times, phi=phi, horizon=horizon)
    runs = sample(truth, np.random.default_rng(5), 20, truth.ratio)
    moments = ((np.arange(horizon) + 0.5) / truth.second).tolist()
    for bad, slow, said in zip(runs.bad, runs.slow, rule(runs, runs, truth).said, strict=True):
        effect = stats.effect_seen(moments, bad.tolist(), slow.tolist())
        state, _ = prove(Counts(bad=int(bad.sum()), total=horizon, effect=effect), 0.05, a_scenario(stop=stop), {})
        assert state is {PASS: State.PASS, FAIL: State.FAIL, UNKNOWN: State.UNKNOWN}[said]


def test_the_boundaries_are_where_the_answer_changes():
    passes, fails = boundaries(exact, 0.01, 2000)
    assert (passes[0], passes[1], passes[2]) == (299, 473, 628)
    assert fails[0] == 0
    for bad in (1, 3, 8):
        assert exact(bad, int(fails[bad]), 0.01) == FAIL
        assert exact(bad, int(fails[bad]) + 1, 0.01) == UNKNOWN
        assert exact(bad, int(passes[bad]), 0.01) == PASS


@pytest.mark.parametrize(("phi", "published"), [(0.0, 0.003), (0.5, 0.086), (0.9, 0.47)])
def test_our_kayenta_raises_as_many_false_alarms_as_the_real_one(phi, published):
    # Published: 60 points a side from one distribution; an alarm is High or Low.
    rng, runs = np.random.default_rng(1), 600
    canary, baseline = (strain((runs, 60), phi, rng) for _ in range(2))
    alarms = (shifted_up(canary, baseline) | shifted_up(baseline, canary)).mean()
    assert alarms == pytest.approx(published, abs=0.01 + 3 * math.sqrt(published * (1 - published) / runs))


def test_a_threshold_on_windows_blocks_good_services_as_often_as_published():
    # Half of 0.1 %, ten windows of 1000: P(two or more bad of 1000) = 9.0 %, and 1 - 0.91 ** 10 = 61 %.
    half = Cell(limit=0.001, times=0.5, horizon=12_000)
    tally = measure(half, runs=RUNS, seed=SEED, rules=("threshold",))["threshold"]
    assert tally.false_fail == pytest.approx(0.61, abs=3 * math.sqrt(0.61 * 0.39 / RUNS))
