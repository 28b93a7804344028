"""The error budget of a month from counts: what is spent, by whom; and that what nobody saw is never good."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget_worlds import ASKED, DAY, STEP, cells, incident, month_cells, run, sample
from holdfast.errors import SpecError
from holdfast.model.verdict import State
from holdfast.report.budget import markdown, page, to_dict
from holdfast.slo.review.budgets import review
from holdfast.slo.review.forecast import forecast
from holdfast.slo.review.incidents import read_incidents
from holdfast.slo.review.month import month_before, month_of

ROOT = Path(__file__).parents[2]
NOVEMBER = month_of("2026-11")
PER_DAY = int(DAY / STEP)


def reviewed(found, causes=(), month=NOVEMBER):
    return review(ASKED, found, month, causes)


def part(found, name):
    return next(one for one in found.parts if one.name == name)


# --- what is spent ---


def test_a_month_at_half_its_budget_has_half_of_it_left():
    # 100 events in each 5 minutes, 0.5 of them bad; the objective allows 1 %: half the budget.
    found = reviewed(month_cells(NOVEMBER, bad=0.5))
    assert (found.state, found.spent, found.left) == (State.PASS, pytest.approx(0.5), pytest.approx(0.5))
    assert (found.total, found.bad) == (30 * PER_DAY * 100, pytest.approx(30 * PER_DAY * 0.5))
    assert found.gone is None


def test_each_event_weighs_the_same_however_quiet_its_hour_is():
    # 15 days at 1000 per cell with 1 % bad, 15 at 2 with none: 10 / 1002 of the events, not half of 1 %.
    half = 15 * PER_DAY
    found = reviewed(cells([1000.0] * half + [2.0] * half, [10.0] * half + [0.0] * half, start=NOVEMBER.start))
    assert found.spent == pytest.approx(10 / 1002 / 0.01)


def test_a_budget_that_is_gone_says_since_when():
    # 2 % bad from the first minute on: after half the month as many as the whole month may have.
    found = reviewed(month_cells(NOVEMBER, bad=2.0))
    assert (found.state, found.left) == (State.FAIL, pytest.approx(-1.0))
    assert found.gone == NOVEMBER.start + 15 * DAY


# --- what nobody saw ---


def test_an_empty_month_is_unknown():
    nothing = np.full(30 * PER_DAY, np.nan)
    found = reviewed(cells(nothing, nothing, start=NOVEMBER.start))
    assert (found.state, found.total, found.missing) == (State.UNKNOWN, 0, 30 * 24 * 60)
    assert math.isnan(found.spent)


def test_a_month_without_an_event_is_unknown_although_every_minute_was_seen():
    found = reviewed(month_cells(NOVEMBER, total=0.0))
    assert (found.state, found.missing) == (State.UNKNOWN, 0)


def test_missing_minutes_count_as_neither_and_leave_room_for_the_worst():
    found = month_cells(NOVEMBER, bad=0.5)
    found.total[99:108] = found.bad[99:108] = np.nan
    told = reviewed(found)
    # 8631 cells seen: 863,100 events, 4315.5 bad. Nine unseen at the mean are 900 more, all good or all bad.
    assert told.missing == 45
    assert told.spent == pytest.approx(0.5)
    assert told.low == pytest.approx(4315.5 / 8640)
    assert told.high == pytest.approx((4315.5 + 900) / 8640)
    assert told.state is State.PASS


def test_a_gap_that_could_hold_the_rest_of_the_budget_leaves_it_unknown():
    found = month_cells(NOVEMBER, bad=0.5)
    # Half of 1 % is left: 43.2 cells all bad would spend it.
    found.total[99:147] = found.bad[99:147] = np.nan
    assert reviewed(found).state is State.UNKNOWN


@pytest.mark.parametrize(
    ("total", "bad"), [(np.nan, 0.0), (100.0, np.nan), (np.inf, 0.0), (100.0, -1.0), (-5.0, 0.0), (100.0, 101.0)]
)
def test_what_cannot_be_a_count_is_missing_and_never_good(total, bad):
    found = month_cells(NOVEMBER)
    found.total[7], found.bad[7] = total, bad
    assert reviewed(found).missing == 5


def test_an_slo_that_was_added_in_the_middle_is_judged_from_then_on_and_says_so():
    found = month_cells(NOVEMBER, bad=0.5)
    found.total[: 12 * PER_DAY] = found.bad[: 12 * PER_DAY] = np.nan
    told = reviewed(found)
    assert (told.state, told.missing, told.before) == (State.PASS, 0, 12 * 24 * 60)
    assert told.spent == pytest.approx(0.5)


def test_records_that_begin_late_because_nobody_was_looking_are_missing():
    found = month_cells(NOVEMBER, bad=0.5)
    found.total[: 12 * PER_DAY] = found.bad[: 12 * PER_DAY] = np.nan
    told = reviewed(replace(found, alive=np.isfinite(found.total)))
    assert (told.state, told.missing, told.before) == (State.UNKNOWN, 12 * 24 * 60, 0)


def test_a_gap_between_two_looks_at_a_source_without_the_slo_is_from_before_it_as_well():
    found = month_cells(NOVEMBER, bad=0.5)
    found.total[: 12 * PER_DAY] = found.bad[: 12 * PER_DAY] = np.nan
    found.alive[:100] = found.alive[1000:1100] = False
    assert (reviewed(found).missing, reviewed(found).before) == (0, 12 * 24 * 60)
    # Nobody looked for the last hour before its first number: that may have been its own.
    found.alive[12 * PER_DAY - 12 : 12 * PER_DAY] = False
    assert (reviewed(found).missing, reviewed(found).before) == (60, 12 * 24 * 60 - 60)


# --- months ---


def test_a_month_that_goes_on_is_measured_by_the_traffic_so_far():
    # Ten of thirty days, 0.5 % bad: a sixth of what the whole month may have at this traffic.
    found = reviewed(month_cells(NOVEMBER, bad=0.5, until=NOVEMBER.start + 10 * DAY))
    assert (found.state, found.spent) == (State.PASS, pytest.approx(0.5 / 3))
    assert len(found.days) == 10


def test_the_day_on_which_clocks_change_has_25_hours_and_the_days_still_add_up():
    october = month_of("2026-10", "Europe/Berlin")
    assert [day.name for day in october.days if day.end - day.start == 25 * 3600] == ["2026-10-25"]
    assert (october.end - october.start) / DAY == pytest.approx(31 + 1 / 24)
    found = reviewed(month_cells(october, bad=0.5), month=october)
    assert (found.days[24].seen, found.days[23].seen) == (25 * 60, 24 * 60)
    assert sum(day.bad for day in found.days) == pytest.approx(found.bad)
    march = month_of("2026-03", "Europe/Berlin")
    assert [day.name for day in march.days if day.end - day.start == 23 * 3600] == ["2026-03-29"]


@pytest.mark.parametrize("text", ["2026-13", "2026-00", "26-10", "October", "2026-10-01", ""])
def test_a_month_that_is_none_is_a_mistake(text):
    with pytest.raises(ValueError, match="a month such as"):
        month_of(text)


def test_a_zone_that_is_none_is_a_mistake():
    with pytest.raises(ValueError, match="no such time zone"):
        month_of("2026-10", "Europe/Atlantis")
    with pytest.raises(ValueError, match="no such time zone"):
        month_of("2026-10", "../etc/passwd")


def test_the_last_whole_month_is_the_one_before_by_local_clocks():
    # 2026-10-31 23:30 UTC is already November in Berlin.
    late = NOVEMBER.start - 1800
    assert (month_before(late, "Europe/Berlin"), month_before(late, "UTC")) == ("2026-10", "2026-09")


# --- by whom ---

NOON = NOVEMBER.start + 12 * 3600


def test_an_incident_has_the_cells_it_touches_and_the_rest_has_all_others():
    found = month_cells(NOVEMBER)
    found.bad[144:150] = 50.0
    told = reviewed(found, [incident("INC-1", NOON, NOON + 1800)])
    assert (part(told, "INC-1").bad, part(told, "INC-1").minutes) == (300, 30)
    assert part(told, "no known cause").bad == 0


def test_of_overlapping_causes_the_run_is_asked_first_and_each_event_counts_once():
    found = month_cells(NOVEMBER)
    found.bad[144:156] = 10.0
    causes = [
        incident("INC-2", NOON + 1800, NOON + 3600),
        incident("INC-1", NOON, NOON + 2700),
        run("a-run", NOON + 300, ("fault", 600, None)),
    ]
    told = reviewed(found, causes)
    # Cells of 5 minutes: the run has 2, INC-1 the 7 others of its 9, INC-2 the 3 of its 6 that INC-1 does not have.
    assert [(one.name, one.bad, one.taken) for one in told.parts if one.kind != "phase"] == [
        ("a-run", 20, 0),
        ("INC-1", 70, 10),
        ("INC-2", 30, 15),
        ("no known cause", 0, 0),
    ]


def test_phases_share_a_run_as_its_own_record_counted():
    found = month_cells(NOVEMBER)
    found.bad[144] = 40.0
    told = reviewed(found, [run("a-run", NOON, ("baseline", 30, 0), ("fault", 20, 9), ("recovery", 25, 1))])
    assert [(one.name, one.bad) for one in told.parts if one.kind == "phase"] == [
        ("a-run: baseline", 0),
        ("a-run: fault", 36),
        ("a-run: recovery", pytest.approx(4)),
    ]


def test_phases_share_a_run_by_time_where_it_counted_nothing():
    found = month_cells(NOVEMBER)
    found.bad[144] = 40.0
    told = reviewed(found, [run("a-run", NOON, ("fault", 30, None), ("recovery", 90, None))])
    assert [one.bad for one in told.parts if one.kind == "phase"] == [10, 30]


def test_an_incident_of_another_slo_takes_nothing():
    found = month_cells(NOVEMBER, bad=1.0)
    told = reviewed(found, [incident("INC-1", NOON, NOON + 3600, "gateway/ttft")])
    assert [one.name for one in told.parts] == ["no known cause"]


def test_two_slos_that_share_an_incident_each_spend_their_own_budget_on_it():
    causes = [incident("INC-1", NOON, NOON + 1800)]
    found = month_cells(NOVEMBER)
    found.bad[144:150] = 50.0
    tight = review(replace(ASKED, slo="b", budget=0.001), found, NOVEMBER, causes)
    assert part(tight, "INC-1").spent == pytest.approx(10 * part(reviewed(found, causes), "INC-1").spent)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(-50, 400), st.integers(1, 200)), max_size=8),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=50, deadline=None)
def test_whatever_overlaps_the_parts_add_up_to_the_whole(causes, seed):
    random = np.random.default_rng(seed)
    total = random.poisson(50, size=288).astype(float)
    found = cells(total, random.binomial(total.astype(int), 0.1), start=NOVEMBER.start)
    found.bad[random.random(288) < 0.1] = np.nan
    listed = [
        run(f"r{n}", NOVEMBER.start + at * 60, ("a", length * 60, None), ("b", 60, None))
        if is_run
        else incident(f"i{n}", NOVEMBER.start + at * 60, NOVEMBER.start + (at + length) * 60)
        for n, (is_run, at, length) in enumerate(causes)
    ]
    told = reviewed(found, listed)
    whole = [one for one in told.parts if one.kind != "phase"]
    assert sum(one.bad for one in whole) == pytest.approx(told.bad)
    assert sum(one.minutes for one in whole) == pytest.approx(24 * 60)
    assert sum(one.seen + one.missing for one in told.days) == pytest.approx(24 * 60)


# --- what comes ---

ENDS = [float(day) for day in range(1, 11)]


def test_a_steady_spend_is_forecast_without_doubt():
    # 4 % a day, 60 % spent, ten days to come: exactly gone with the last; 5 % a day is gone two days sooner.
    told = forecast([0.05] * 12, 0.6, ENDS)
    assert (told.lasts, told.soonest, told.middle, told.latest) == (0, 8, 8, 8)
    assert forecast([0.03] * 10, 0.6, ENDS).lasts == 1


def test_bad_days_come_in_blocks_and_widen_the_interval():
    told = forecast([0.0] * 12 + [0.2, 0.2], 0.4, ENDS, seed=3)
    assert told.block == 2
    assert 0 < told.lasts < 1
    assert told.end_low < told.end_middle < told.end_high
    assert told.soonest is not None
    assert told.latest is None


def test_the_same_seed_gives_the_same_forecast():
    daily = [0.01, 0.04, 0.0, 0.02, 0.1, 0.0, 0.03]
    assert forecast(daily, 0.2, ENDS, seed=5) == forecast(daily, 0.2, ENDS, seed=5)


@pytest.mark.parametrize(
    ("daily", "spent", "ends", "why"),
    [
        ([0.1] * 6, 0.2, ENDS, "too few whole days: 6 of the 7"),
        ([0.1] * 20, 1.2, ENDS, "the budget is gone"),
        ([0.1] * 20, 0.2, [], "the month is over"),
        ([], math.nan, ENDS, "no event was seen"),
    ],
)
def test_without_grounds_there_is_no_forecast(daily, spent, ends, why):
    told = forecast(daily, spent, ends)
    assert (told.lasts, told.middle) == (None, None)
    assert why in told.why


# --- incidents as people write them ---

LISTED = """\
incidents:
  - {name: INC-1, start: 2026-11-01T12:00:00, end: 2026-11-01T13:00:00, slos: [gateway/availability]}
  - {name: INC-2, start: 2026-11-01T12:00:00+00:00, end: 2026-11-01T12:30:00Z}
"""


def test_times_without_an_offset_are_local():
    first, second = read_incidents(LISTED, "incidents.yaml", "Europe/Berlin", ["gateway/availability"])
    assert (first.start, first.end - first.start) == (NOON - 3600, 3600)
    assert (second.start, second.slos) == (NOON, frozenset())


def test_every_mistake_in_a_list_of_incidents_is_told_at_once():
    wrong = LISTED.replace("T13", "T11").replace("12:30:00Z", "noon").replace("INC-2", "''")
    with pytest.raises(SpecError) as error:
        read_incidents(wrong, "incidents.yaml", "UTC", [])
    assert {one.where.line for one in error.value.problems} == {3}
    later = LISTED.replace("T13", "T11")
    with pytest.raises(SpecError) as error:
        read_incidents(later, "incidents.yaml", "UTC", ["gateway/ttft"])
    assert {str(one.where) for one in error.value.problems} == {"incidents.yaml:2:52", "incidents.yaml:2:80"}


# --- the sample ---


def test_the_sample_is_what_the_code_makes(golden):
    made = sample()
    golden(ROOT / "reports" / "budget-review.md", markdown(made))
    golden(ROOT / "reports" / "budget-review.html", page(made))
    assert to_dict(made)["verdict"] == made.state.value
