"""Recovery times over trials: one not seen to end lasted at least so long, and one nobody trusts says nothing."""

from __future__ import annotations

import pytest

from holdfast.model.scenario import Repeat
from holdfast.model.verdict import Evidence, State
from holdfast.recoveries import recoveries
from holdfast.testing import a_check, a_report, a_verdict
from holdfast.trials import Series, series_text


def a_trial(seconds, *, seen=True, check=State.PASS, number=1):
    other = (
        {"seconds to SLO restored": seconds}
        if seen
        else {
            "seconds to SLO restored": None,
            "seconds to SLO restored, more than": seconds,
        }
    )
    evidence = Evidence(estimate=seconds, limit=5.0, unit="seconds", other=other)
    verdict = a_verdict(id="recovery:gateway/availability", kind="recovery", evidence=evidence)
    return a_report((verdict,), (a_check(check),), run=f"run-{number}")


def test_the_median_and_the_share_that_is_late():
    # 1, 2, 3 s: half are over at 2 s. None of 3 took over 5 s: 1 - 0.05^(1/3) = 63.2 %.
    (found,) = recoveries([a_trial(1.0), a_trial(3.0), a_trial(2.0)], 0.05)
    assert (found.median, found.late) == (2.0, pytest.approx(1 - 0.05 ** (1 / 3)))
    assert found.sentence == (
        "recovery:gateway/availability: seen to end in 3 of 3 trials, median 2s; at most 63.2% take longer than 5s."
    )


def test_a_recovery_that_was_not_seen_lasted_at_least_so_long():
    # 1 s, over 2 s, 3 s: of the two still at risk at 3 s one ends then; 2/3 x 1/2 = 1/3 wait longer.
    (found,) = recoveries([a_trial(1.0), a_trial(2.0, seen=False), a_trial(3.0)], 0.05)
    assert (found.seconds, found.seen, found.median) == ((1.0, 2.0, 3.0), (True, False, True), 3.0)


def test_when_no_end_was_seen_there_is_no_median_and_all_may_be_late():
    (found,) = recoveries([a_trial(9.0, seen=False), a_trial(9.0, seen=False)], 0.05)
    assert (found.median, found.late) == (None, 1.0)
    assert "median unknown" in found.sentence


def test_a_trial_that_cannot_be_trusted_tells_nothing_and_one_alone_is_no_distribution():
    assert recoveries([a_trial(1.0), a_trial(0.1, check=State.UNKNOWN)], 0.05) == ()
    assert recoveries([], 0.05) == ()
    assert recoveries([a_report(), a_report()], 0.05) == ()


def test_a_series_shows_it_to_people_and_machines():
    reports = {number: a_trial(float(number), number=number) for number in (1, 2, 3)}
    series = Series(name="series-1", scenario="engine-kill", repeat=Repeat(times=3), reports=reports)
    assert "seen to end in 3 of 3 trials, median 2s" in series_text(series)
    assert series.to_dict()["recoveries"][0]["trials"][0] == {"seconds": 1.0, "seen": True}
