"""Numbers in words: what is not known is a dash, and nothing from a server can drive a terminal."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.verdict import Evidence, Report, State
from holdfast.report.words import NOTHING, SUMMARY_LENGTH, amount, clean, interval, summary
from holdfast.testing import a_check, a_report, a_verdict


@pytest.mark.parametrize(
    ("value", "seen", "text"),
    [
        (0.00553, Evidence(n=540, unit="bad-event ratio"), "0.553 %"),
        (0.004, Evidence(unit="share of the error budget"), "0.4 %"),
        (0.5, Evidence(n=3), "50 %"),  # counted events without a unit are a share
        (6.98, Evidence(unit="seconds to fire"), "6.98s"),
        (90.0, Evidence(unit="seconds"), "1m30s"),
        (12.0, Evidence(unit="requests"), "12 requests"),
        (None, Evidence(n=540), NOTHING),
        (math.nan, Evidence(n=540), NOTHING),
        (math.inf, Evidence(unit="seconds"), NOTHING),
    ],
)
def test_an_amount_is_shown_in_its_unit_and_an_unknown_one_as_a_dash(value, seen, text):
    assert amount(value, seen) == text


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        (Evidence(n=9, low=0.003, high=0.021), "0.3 % … 2.1 %"),
        (Evidence(n=9, high=0.021), "≤ 2.1 %"),
        (Evidence(n=9, low=0.003), "≥ 0.3 %"),
        (Evidence(unit="seconds", estimate=4.5), "4.5s"),
        (Evidence(n=9, low=math.nan, high=math.nan), NOTHING),
        (Evidence(), NOTHING),
    ],
)
def test_an_interval_shows_the_bounds_there_are(seen, text):
    assert interval(seen) == text


def test_a_proved_report_says_how_much_was_proved():
    assert summary(a_report()) == "1 expectation proved; 1 of 1 check of trust passed."


def test_a_report_that_expected_nothing_proved_nothing():
    assert summary(a_report((), state=State.UNKNOWN)) == "Nothing was expected, so nothing was proved."


def test_the_summary_names_the_worst_expectation():
    report = a_report((a_verdict(), a_verdict(State.FAIL, id="budget:x", sentence="Spent 3%; 1% may be.")))
    assert summary(report) == "budget:x: Spent 3%; 1% may be."


def test_the_summary_names_the_check_that_spoilt_the_rest():
    spoilt = a_verdict(State.UNKNOWN, sentence="Not judged: record whole: the run has no end.")
    report = a_report((spoilt,), (a_check(State.UNKNOWN, name="record whole", seen="the run has no end"),))
    assert summary(report) == "record whole: the run has no end"


@given(st.from_type(Report))
def test_every_summary_fits_a_commit_status_on_one_line(report):
    assert 0 < len(summary(report)) <= SUMMARY_LENGTH
    assert len(summary(report).splitlines()) == 1


@given(st.text())
def test_clean_text_holds_no_control_character_but_tab_and_line_feed(text):
    left = {one for one in clean(text) if ord(one) < 32 or 0x7F <= ord(one) < 0xA0 or 0xD800 <= ord(one) < 0xE000}
    assert left <= {"\t", "\n"}


def test_an_escape_sequence_is_spelled_out():
    assert clean("\x1b[31mred \u202ereversed") == r"\x1b[31mred \u202ereversed"
