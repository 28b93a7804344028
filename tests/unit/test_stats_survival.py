"""Recovery times with censoring, against a table that many textbooks print."""

from __future__ import annotations

import math

import pytest

from holdfast import stats

# Weeks of remission under 6-MP (Freireich and others, 1963); True: the end was seen.
WEEKS = (6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35)
SEEN = tuple(flag == "1" for flag in "111010100110001100000")
# time, at risk, share left, Greenwood's standard error
TABLE = [
    (6, 21, 0.857, 0.0764),
    (7, 17, 0.807, 0.0869),
    (10, 15, 0.753, 0.0963),
    (13, 12, 0.690, 0.1068),
    (16, 11, 0.627, 0.1141),
    (22, 7, 0.538, 0.1282),
    (23, 6, 0.448, 0.1346),
]


def test_the_estimate_is_the_published_table():
    steps = stats.kaplan_meier(WEEKS, SEEN)
    assert [(one.seconds, one.at_risk) for one in steps] == [row[:2] for row in TABLE]
    assert [one.waiting for one in steps] == pytest.approx([row[2] for row in TABLE], abs=0.0006)
    errors = [one.waiting * math.sqrt(one.greenwood) for one in steps]
    assert errors == pytest.approx([row[3] for row in TABLE], abs=0.0001)
    assert stats.median_recovery(WEEKS, SEEN) == 23


def test_without_censoring_it_is_the_share_that_waits_longer():
    steps = stats.kaplan_meier((3, 1, 2, 2), (True,) * 4)
    assert [(one.seconds, one.recovered, one.waiting) for one in steps] == [(1, 1, 0.75), (2, 2, 0.25), (3, 1, 0)]
    assert stats.median_recovery((3, 1, 2, 2), (True,) * 4) == 2
    # 3/4 after 1 s, exactly a half after 2 s
    assert stats.median_recovery((1, 2, 3, 4), (True,) * 4) == 2


def test_when_most_runs_never_recovered_there_is_no_median():
    assert stats.median_recovery((1, 60, 60), (True, False, False)) is None
    assert stats.median_recovery((), ()) is None
    assert stats.kaplan_meier((60, 60), (False, False)) == ()


def test_without_censoring_the_bound_is_exact():
    # 2 of 30 took longer than 15 s.
    times = [float(one) for one in range(1, 29)] + [90.0, 95.0]
    assert stats.waiting_upper_bound(times, [True] * 30, 30) == stats.upper_bound(2, 30)
    # Censored later than asked about is not censored for this question.
    assert stats.waiting_upper_bound(times, [True] * 28 + [False] * 2, 30) == stats.upper_bound(2, 30)
    assert stats.waiting_upper_bound(times, [True] * 30, 30, 0.01) == stats.upper_bound(2, 30, 0.01)


def test_what_comes_at_the_very_second_asked_about_counts():
    # 28 recover at 30 s; two were seen not to have done so until then.
    times = [30.0] * 30
    assert stats.waiting_upper_bound(times, [True] * 30, 30) == stats.upper_bound(0, 30)
    assert stats.waiting_upper_bound(times, [True] * 28 + [False] * 2, 30) == stats.upper_bound(2, 30)


def test_with_censoring_the_bound_is_greenwoods_on_the_log_log_scale():
    # S(10) = .753, se of log(-log S) = (.0963 / .753) / -ln .753 = .4508; .753 ** exp(-1.645 * .4508) = .874
    assert stats.waiting_upper_bound(WEEKS, SEEN, 10) == pytest.approx(0.874, abs=0.001)


def test_a_run_cut_short_is_not_a_recovery():
    # All nine that were seen to the end recovered, one was cut at 1 s: Greenwood's variance would be 0 / 0.
    times, seen = [1.0] + [2.0] * 9, [False] + [True] * 9
    assert stats.waiting_upper_bound(times, seen, 5) == stats.upper_bound(1, 10)


def test_nothing_seen_bounds_nothing():
    assert stats.waiting_upper_bound((), (), 10) == 1
    assert stats.waiting_upper_bound((5, 5), (False, False), 10) == 1
    assert stats.waiting_upper_bound((20, 20), (True, True), 10) == 1


def test_what_is_no_record_is_refused():
    with pytest.raises(ValueError, match="do not belong together"):
        stats.kaplan_meier((1,), ())
    for time in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="finite number of seconds"):
            stats.kaplan_meier((time,), (True,))
        with pytest.raises(ValueError, match="finite number of seconds"):
            stats.median_recovery((time,), (True,))
    with pytest.raises(ValueError, match="must not be negative"):
        stats.waiting_upper_bound((1,), (True,), math.nan)
