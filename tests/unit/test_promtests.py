"""What the tests of an SLO say, before any tool runs them: series, sentences, times."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import pytest
import yaml

from holdfast.model.slo import AlertPolicy, Calendar, Events, Exclusion, Threshold, Timeslices
from holdfast.slo.promtests.files import files_of
from holdfast.slo.promtests.horizon import moved
from holdfast.slo.promtests.probe import probe
from holdfast.slo.promtests.series import Birth, Stretch, only_bad, written
from holdfast.slo.promtests.subject import Subject
from holdfast.slo.rules import rule_file
from holdfast.testing import an_slo

TODAY = datetime(2026, 11, 22, tzinfo=UTC)
BOTH = {"alert": "Gateway", "page": AlertPolicy(), "ticket": AlertPolicy()}
GOOD, BAD = (f'gateway_requests_total{{code="{code}",instance="probe:1",job="probe"}}' for code in ("other", "500"))


def files(**changes):
    slo = an_slo(**{**BOTH, **changes})
    return files_of(slo, rule_file([slo], TODAY), TODAY)


@cache
def usual():
    return cases(service="gateway")


def cases(**changes):
    """Sentence -> its test, of all files."""
    documents = [
        yaml.load(text, yaml.CSafeLoader) for name, text in files(**changes).items() if name.endswith("test.yaml")
    ]
    return {test["name"]: test for document in documents for test in document["tests"]}


def test_a_stretch_of_traffic_is_whole_events_a_tick():
    # 100 events a tick, a tenth bad: 90 and 10 a minute, for three minutes, after a sample that counts as nothing.
    series = written(probe(an_slo()), [Stretch(length=180, events=100, share=0.1)], 60)
    assert series == {GOOD: "0 90+90x2", BAD: "0 10+10x2"}


def test_a_restart_begins_at_what_was_counted_since():
    first = Stretch(length=120, events=100)
    series = written(probe(an_slo()), [first, Stretch(length=120, events=100, restarts=True)], 60)
    assert series[GOOD] == "0 100+100x1 100+100x1"


def test_a_dark_stretch_ends_every_series():
    series = written(probe(an_slo()), [Stretch(length=60, events=1), Stretch(length=180, events=0, dark=True)], 60)
    assert series[GOOD] == "0 1+1x0 stale _x2"


def test_a_birth_is_a_series_that_begins_with_a_value():
    made = probe(an_slo())
    born = Birth(at=120, events=50, raws=only_bad(made), ways=made.bad)
    series = written(made, [Stretch(length=240, events=9)], 60, born=born)
    assert series[BAD] == "_x2 50x2"


def test_truth_weighs_events():
    subject = Subject(an_slo(**BOTH), probe(an_slo()))
    story = Stretch(length=300, events=1000, share=0.1), Stretch(length=300, events=100)
    # 100 of 1000 and none of 100 a minute: 100 of 1100.
    assert subject.truth(*story) == pytest.approx(1 / 11)


def test_truth_of_slices_weighs_time():
    slo = an_slo(**BOTH, budgeting=Timeslices(length=300, target=0.95))
    subject = Subject(slo, probe(slo))
    assert subject.truth(subject.stretch(300, 1.0, 10**6), subject.stretch(900, 0.0, 10**6)) == pytest.approx(1 / 4)


def test_every_tier_has_a_case_for_its_burst():
    bursts = [name for name in usual() if "fires" in name and "into" in name]
    assert [name.split(" fires ")[0] for name in sorted(bursts)] == [
        "page quick",
        "page slow",
        "ticket quick",
        "ticket slow",
    ]


def test_the_minute_of_firing_is_that_of_the_workbook():
    # 1 h x 14.4 % at 28.8 % errors: half an hour.
    assert "page quick fires 30m into 28.8000% bad, and clears in time" in usual()


def test_thresholds_are_tried_a_thousandth_on_either_side():
    # 14.4 x 1 % is 14.4 %.
    names = [name for name in usual() if name.startswith("14.")]
    assert names == [
        "14.385600% bad: page slow, ticket quick, ticket slow fires",
        "14.414400% bad: page quick, page slow, ticket quick, ticket slow fires",
    ]


def test_each_window_has_a_bad_record_on_either_side_of_where_it_begins():
    case = usual()["a window holds what is within it and no more"]
    (bad,) = (one["values"] for one in case["input_series"] if one["series"].startswith("slo:sli_bad"))
    # Oldest first, one each five minutes up to 4 d: 3 d and 5 min ago the 13th, then nothing for one record, the 12th.
    assert bad.startswith("_x287 13.0 _x1 12.0 _x")
    # Half an hour has those of 5 and 25 minutes ago, 1 and 2 of 100 each: 3 / 200.
    (half_an_hour,) = (one for one in case["promql_expr_test"] if "ratio_rate30m{" in one["expr"])
    assert half_an_hour["exp_samples"][0]["value"] == 0.015


def test_bad_events_are_just_too_few_for_each_tier_while_many_lie_just_before_its_window():
    silent = [name for name in usual() if name.startswith("2.25 bad events")]
    assert silent == [f"2.25 bad events fire nothing that looks back {window}" for window in ("1h", "6h", "1d", "3d")]
    many = usual()[silent[-1]]["promql_expr_test"][0]
    assert many["exp_samples"] == []
    assert len(usual()["2.45 bad events fire"]["promql_expr_test"][0]["exp_samples"]) == 4


def test_an_slo_without_labels_has_none_to_rename():
    assert "a label that is renamed is no second service" not in usual()
    assert "a label that is renamed is no second service" in cases(labels={"owner": "us"})


def test_so_many_events_are_born_that_a_slice_just_tips():
    made = cases(budgeting=Timeslices(length=300, target=0.9))
    # Five minutes with 5,000 good events each; n of n + 25,000 are more than a tenth from 2,778 on.
    assert "errors that are first seen as 2778 are 2778" in made


def test_a_tier_that_could_never_fire_is_not_asked_to():
    assert not any(name.startswith("page quick") for name in cases(objective=0.9))


def test_an_slo_without_alerts_still_has_its_budget_tested():
    made = cases(page=AlertPolicy(disabled=True), ticket=AlertPolicy(disabled=True))
    assert "each event weighs the same, and an idle hour nothing" in made
    assert not any("into" in name for name in made)


def test_every_expression_says_which_case_it_belongs_to():
    for name, case in usual().items():
        assert all(check["expr"].startswith(f"# {name}\n") for check in case["promql_expr_test"])


def test_what_makes_no_sense_for_a_gauge_is_left_out():
    made = cases(indicator=Threshold(query='max(temperature{room="a"})', op="lt", value=70))
    assert not any("restart" in name or "first seen" in name for name in made)
    assert any("dead for" in name for name in made)


def test_a_calendar_is_tested_at_the_end_of_a_period():
    month = Calendar(unit="month", start=datetime(2026, 1, 1, tzinfo=UTC), zone="Europe/Berlin")
    assert "a new period begins with its whole budget" in cases(window=month)


def test_an_exclusion_has_rules_of_its_own_in_which_it_comes_early():
    night = Exclusion(reason="backup", start=datetime(2026, 11, 23, 2, tzinfo=UTC), length=7200.0)
    made = files(exclusions=(night,))
    plain, early = made["gateway-availability.rules.yaml"], made["gateway-availability.excluded.rules.yaml"]
    # 2026-11-23 02:00 is 1795399200; six steps of five minutes of calm come first.
    assert "1795399200" in plain
    assert "1795399200" not in early
    assert "bool 1800)" in early


def test_only_times_are_moved():
    excluded = "bytes_total > 5000000000 and time() >= bool 1795399200) "
    text = excluded + 'count_values("slo_period", vector(1793487600 + 1 * (time() >= bool 1796079600)))'
    assert moved(text, exclusions=1795399200.0) == text.replace("1795399200", "0")
    assert "vector(0 + 1 * (time() >= bool 2592000))" in moved(text, calendar=1793487600.0)


def test_the_start_of_a_period_that_stands_alone_is_moved_too():
    text = 'count_values("slo_period", vector((time() >= bool 1796079600) * (1796079600)))'
    assert "* (0)" in moved(text, calendar=1796079600.0)
    assert "* (1796079600)" in moved(text.replace("slo_period", "other"), exclusions=1796079600.0)


def test_a_calendars_periods_are_asked_for_by_name_to_the_end_of_what_is_written_out():
    month = Calendar(unit="month", start=datetime(2026, 1, 1, tzinfo=UTC), zone="UTC")
    checks = cases(window=month)["each period has its name"]["promql_expr_test"]
    # From October 2026 on: ten days later it is October, which begins at 0; 40 days later November, 31 days on.
    names = [check["exp_samples"][0]["labels"] for check in checks]
    assert (names[0], names[3]) == ('{slo_period="0"}', f'{{slo_period="{31 * 86400}"}}')
    assert len(names) > 12 * 3


def test_files_name_the_slo_and_how_often_its_rules_are_evaluated():
    assert "gateway-availability.5m.test.yaml" in files()


def test_an_sli_in_which_one_kind_of_error_can_be_absent_is_tried_with_each_alone():
    events = Events(error_query='sum(rate(r{o=~"cut|failed"}[{{.window}}]))', total_query="sum(rate(r[{{.window}}]))")
    made = cases(indicator=events)
    assert {f"nothing but errors of kind {number} is all bad" for number in (1, 2)} <= made.keys()
