"""Catalogues of alert windows: strict where Sloth takes anything, and read into the tiers that rules are made from."""

from __future__ import annotations

import pytest

from holdfast.errors import SpecError
from holdfast.model.slo import DAY, Tier
from holdfast.slo.files.read import read_slos
from holdfast.slo.files.windows import DEFAULTS, catalogue, prometheus_duration, read_windows
from holdfast.slo.tiers import GOOGLE

WEEK = """\
apiVersion: sloth.slok.dev/v1
kind: AlertWindows
spec:
  sloPeriod: 7d
  page:
    quick: {errorBudgetPercent: 8, shortWindow: 5m, longWindow: 1h}
    slow: {errorBudgetPercent: 12.5, shortWindow: 30m, longWindow: 6h}
  ticket:
    quick: {errorBudgetPercent: 20, shortWindow: 2h, longWindow: 1d}
    slow: {errorBudgetPercent: 42, shortWindow: 6h, longWindow: 3d}
"""


def test_a_catalogue_is_a_period_and_four_tiers():
    found, wrong = read_windows(WEEK, "f")
    assert (wrong, found.period) == ([], 7 * DAY)
    assert found.tiers == (
        Tier(severity="page", name="quick", share=0.08, short=300, long=3600),
        Tier(severity="page", name="slow", share=0.125, short=1800, long=21600),
        Tier(severity="ticket", name="quick", share=0.2, short=7200, long=86400),
        Tier(severity="ticket", name="slow", share=0.42, short=21600, long=259200),
    )
    # 8 % of 7 days in 1 hour: 0.08 x 168 h / 1 h = 13.44 times too fast
    assert found.tiers[0].factor(found.period) == 13.44


def test_sloths_own_catalogues_are_googles_tiers():
    assert {one.period: one.tiers for one in DEFAULTS} == {28 * DAY: GOOGLE, 30 * DAY: GOOGLE}


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("sloPeriod: 7d", "sloPeriod: 7 days", "expected a duration such as 5m, 1h30m or 7d, got '7 days'"),
        ("sloPeriod: 7d", "sloPeriod: 1.5w", "expected a duration such as 5m, 1h30m or 7d, got '1.5w'"),
        ("sloPeriod: 7d", "sloPeriod: 7", "expected a duration such as 5m, got 7"),
        ("sloPeriod: 7d", "sloPeriod: 999999999y", "longer than Prometheus can count: 999999999y"),
        ("sloPeriod: 7d", "sloPeriod: 1d", "a window is longer than the period"),
        ("shortWindow: 5m", "shortWindow: 0s", "a window of no length"),
        ("shortWindow: 5m", "shortWindow: 1h", "the short window must be shorter than the long one"),
        ("errorBudgetPercent: 8,", "errorBudgetPercent: 0,", "a share of the budget lies between 0 and 100, got 0"),
        ("errorBudgetPercent: 8,", "errorBudgetPercent: 101,", "a share of the budget lies between 0 and 100, got 101"),
        ("errorBudgetPercent: 8,", "budget: 8,", "unknown key 'budget'"),
        ("kind: AlertWindows", "kind: Windows", "expected 'AlertWindows', got 'Windows'"),
    ],
)
def test_each_problem_alone(old, new, what):
    assert what in [one.what for one in read_windows(WEEK.replace(old, new), "f")[1]]


def test_one_file_holds_one_catalogue():
    with pytest.raises(SpecError, match="expected one YAML document, found 2"):
        read_windows(f"{WEEK}---\n{WEEK}", "f")


def test_the_same_catalogue_twice_is_no_harm_and_another_for_the_same_period_is():
    assert catalogue([(WEEK, "a"), (WEEK, "b")]).keys() == {7 * DAY}
    with pytest.raises(SpecError) as caught:
        catalogue([(WEEK, "a"), (WEEK.replace("8,", "9,"), "b")])
    assert "b:4:14: another file has other windows for this period: a:1:1" in str(caught.value)


def test_a_catalogue_among_slos_is_a_problem():
    slos, (problem,) = read_slos(WEEK, "f")
    assert (slos, problem.what) == ([], "a catalogue of alert windows holds no SLO")


@pytest.mark.parametrize(
    ("text", "seconds"), [("1y", 365 * DAY), ("1w2d", 9 * DAY), ("1h30m", 5400.0), ("90s", 90.0), ("1m500ms", 60.5)]
)
def test_durations_are_prometheus_own(text, seconds):
    assert prometheus_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "30m1h", "1.5h", "-1h", "1h 30m", "٣m"])
def test_what_prometheus_would_not_read_is_refused(text):
    with pytest.raises(ValueError, match="expected a duration"):
        prometheus_duration(text)
