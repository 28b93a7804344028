"""Calendar periods and exclusions by local clocks: months of every length, hours that come twice or never."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.slo import DAY, Calendar, Exclusion
from holdfast.slo import horizon
from holdfast.slo.calendar import excluded, periods
from holdfast.testing import an_slo

HOUR = 3600
BERLIN = "Europe/Berlin"


def at(*when, zone="UTC"):
    return datetime(*when, tzinfo=ZoneInfo(zone)).timestamp()


def months(since, until, **changes):
    return periods(Calendar(**{"unit": "month", "start": datetime(2026, 1, 1, tzinfo=UTC), **changes}), since, until)


def test_months_are_as_long_as_they_are():
    found = months(at(2026, 1, 1), at(2026, 12, 31))
    days = [(end - start) / DAY for _, (start, end) in found]
    assert days == [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    assert [name for name, _ in found][:2] == ["2026-01", "2026-02"]


def test_a_month_in_which_clocks_change_is_an_hour_shorter_or_longer():
    spans = dict(months(at(2026, 1, 1), at(2026, 12, 31), zone=BERLIN))
    hours = {name: (end - start) / HOUR for name, (start, end) in spans.items()}
    assert (hours["2026-03"], hours["2026-10"], hours["2026-12"]) == (31 * 24 - 1, 31 * 24 + 1, 31 * 24)


def test_a_month_begun_on_the_31st_comes_back_to_the_31st():
    found = months(at(2026, 1, 1), at(2026, 6, 1), start=datetime(2026, 1, 31, tzinfo=UTC))
    starts = [datetime.fromtimestamp(start, UTC).strftime("%m-%d") for _, (start, _) in found]
    assert starts == ["01-31", "02-28", "03-31", "04-30", "05-31"]


def test_only_periods_that_touch_the_time_asked_about_are_given():
    assert [name for name, _ in months(at(2026, 11, 22), at(2026, 12, 1))] == ["2026-11"]
    assert [name for name, _ in months(at(2026, 11, 30), at(2026, 12, 2))] == ["2026-11", "2026-12"]
    assert months(at(2025, 1, 1), at(2025, 6, 1)) == ()


@given(
    st.sampled_from(["day", "week", "month", "quarter", "year"]),
    st.integers(1, 3),
    st.datetimes(datetime(2020, 1, 1), datetime(2026, 1, 1)),  # noqa: DTZ001 - by the clocks of the zone
    st.sampled_from(["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_periods_follow_one_another_without_gap(unit, count, start, zone):
    since = start.replace(tzinfo=UTC).timestamp() + 40 * DAY
    found = periods(Calendar(unit=unit, count=count, start=start, zone=zone), since, since + 30 * DAY)
    spans = [span for _, span in found]
    assert all(one[1] == other[0] for one, other in itertools.pairwise(spans))
    assert spans[0][0] <= since < spans[0][1]
    assert all(begin < end for begin, end in spans)


def weekly(**changes):
    one = {
        "reason": "maintenance",
        "start": datetime(2026, 3, 1, 2, 30, tzinfo=UTC),
        "length": 2 * HOUR,
        "zone": BERLIN,
        "repeat": "FREQ=WEEKLY;BYDAY=SU",
    }
    return an_slo(exclusions=(Exclusion(**{**one, **changes}),))


def test_a_repeated_exclusion_keeps_its_hour_when_clocks_change():
    spans = excluded(weekly(), at(2026, 3, 14), at(2026, 4, 14))
    local = [datetime.fromtimestamp(start, ZoneInfo(BERLIN)).strftime("%m-%d %H:%M") for start, _ in spans]
    # On 29 March 02:30 does not exist in Berlin: it is an hour later.
    assert local == ["03-15 02:30", "03-22 02:30", "03-29 03:30", "04-05 02:30", "04-12 02:30"]
    assert {end - start for start, end in spans} == {2 * HOUR}


def test_an_exclusion_that_began_before_is_still_there():
    (span,) = excluded(weekly(repeat=""), at(2026, 3, 1, 3), at(2026, 3, 2))
    assert span == (at(2026, 3, 1, 2, 30, zone=BERLIN), at(2026, 3, 1, 4, 30, zone=BERLIN))
    assert excluded(weekly(repeat=""), at(2026, 3, 1, 5), at(2026, 3, 2)) == ()


def test_exclusions_that_touch_are_one():
    first = weekly(repeat="").exclusions[0]
    later = Exclusion(reason="longer", start=first.start + timedelta(hours=1), length=2 * HOUR, zone=BERLIN)
    spans = excluded(an_slo(exclusions=(later, first)), at(2026, 2, 1), at(2026, 4, 1))
    assert [end - start for start, end in spans] == [3 * HOUR]


def test_a_rule_that_ended_excludes_nothing_more():
    ended = weekly(repeat="FREQ=WEEKLY;COUNT=2")
    assert len(excluded(ended, at(2026, 1, 1), at(2026, 12, 1))) == 2
    assert excluded(ended, at(2026, 5, 1), at(2026, 12, 1)) == ()


def scalars(promql, at):
    """What a sum of scalar terms is at a time, by Python's own arithmetic."""
    python = re.sub(r"([<>]=?) bool", r"\1", promql).replace("time()", str(at))
    return eval(python, {"__builtins__": {}})


@given(
    st.integers(0, 400 * 24), st.sampled_from(["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,WE", "FREQ=MONTHLY;BYMONTHDAY=31"])
)
def test_exclusions_as_promql_are_those_of_the_calendar(hour, rule):
    slo = weekly(repeat=rule)
    today = datetime(2026, 11, 22, tzinfo=UTC)
    moment = at(2026, 11, 22) + hour * HOUR
    inside = any(start <= moment < end for start, end in excluded(slo, moment - 7 * DAY, moment + 7 * DAY))
    assert scalars(horizon.exclusions(slo, today), moment) == inside


@given(st.integers(0, 500 * 24), st.sampled_from(["day", "week", "month", "quarter"]))
def test_the_period_as_promql_is_that_of_the_calendar_and_the_last_one_goes_on(hour, unit):
    calendar = Calendar(unit=unit, count=2, start=datetime(2026, 1, 1, tzinfo=UTC), zone=BERLIN)
    label = horizon.period_label(an_slo(window=calendar), datetime(2026, 11, 22, tzinfo=UTC))
    moment = at(2026, 11, 22) + hour * HOUR
    (terms,) = re.fullmatch(r'count_values\("slo_period", vector\((.*)\)\)', label).groups()
    begun = [start for _, (start, _) in periods(calendar, at(2026, 10, 1), at(2026, 10, 1) + horizon.AHEAD)]
    assert scalars(terms, moment) == max(start for start in begun if start <= moment)
    assert label.count("time() <") <= 12
