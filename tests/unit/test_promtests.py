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


def test_files_name_the_slo_and_how_often_its_rules_are_evaluated():
    assert "gateway-availability.5m.test.yaml" in files()


def test_an_sli_in_which_one_kind_of_error_can_be_absent_is_tried_with_each_alone():
    events = Events(error_query='sum(rate(r{o=~"cut|failed"}[{{.window}}]))', total_query="sum(rate(r[{{.window}}]))")
    made = cases(indicator=events)
    assert {f"nothing but errors of kind {number} is all bad" for number in (1, 2)} <= made.keys()
