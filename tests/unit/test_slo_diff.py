"""What a change of an SLO means: each kind of looser promise is found, and only a new reason lets it pass."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import Location
from holdfast.model.slo import (
    DAY,
    AlertPolicy,
    Calendar,
    ErrorRatio,
    Events,
    Exclusion,
    RatioTimeslices,
    Rolling,
    Threshold,
    Timeslices,
)
from holdfast.model.verdict import State
from holdfast.slo.diff.fields import Kind
from holdfast.slo.diff.queries import ALL_LABELS, Than, compare, labels_of
from holdfast.slo.diff.slos import diff
from holdfast.slo.diff.uses import still_used
from holdfast.testing import a_ttft_slo, an_slo

JANUARY = datetime(2026, 1, 1)  # noqa: DTZ001 - an SLO's times are local, its zone stands beside them
NIGHT = Exclusion(reason="backup", start=JANUARY, length=3600, repeat="FREQ=DAILY")
MONTHS = Calendar(unit="month", start=JANUARY)
PAGE = AlertPolicy(labels={"team": "core"})
SLICES = Timeslices(length=60, target=0.99)
SLOW = Threshold(query="latency", op="lt", value=0.5)


def kinds(old, new):
    """(kind, what) of each change between two versions of one SLO."""
    return {(one.kind, one.what) for one in diff([old], [new]).changes}


LOOSER = {
    "a lower objective": ({}, {"objective": 0.98}, "objective"),
    "a longer bound": ({"sli": "ttft", "bound": 0.3}, {"bound": 0.5}, "bound"),
    "no client to witness it": ({}, {"sli": None}, "sli"),
    "a longer period": ({}, {"window": Rolling(length=60 * DAY)}, "period"),
    "worse time slices": ({"budgeting": SLICES}, {"budgeting": replace(SLICES, target=0.9)}, "budgeting"),
    "an exclusion": ({}, {"exclusions": (NIGHT,)}, "exclusion added"),
    "a longer exclusion": ({"exclusions": (NIGHT,)}, {"exclusions": (replace(NIGHT, length=7200),)}, "exclusion"),
    "dead later": ({"dead_after": 120.0}, {"dead_after": 600.0}, "dead-after"),
    "dead later than its budget would have it": ({}, {"dead_after": 3000.0}, "dead-after"),
    "no page": ({"page": PAGE}, {"page": AlertPolicy(disabled=True)}, "page alert"),
    "more bad events before an alert": ({}, {"least_bad": 50}, "least-bad"),
    "tiers that stay out of reach": ({"adapt": True}, {"adapt": False}, "tiers"),
    "a higher threshold": ({"indicator": SLOW}, {"indicator": replace(SLOW, value=0.9)}, "threshold"),
    "a threshold that is good when met": ({"indicator": SLOW}, {"indicator": replace(SLOW, op="lte")}, "threshold"),
}  # fmt: skip


@pytest.mark.parametrize(("before", "change", "what"), LOOSER.values(), ids=LOOSER.keys())
def test_each_way_to_promise_less_is_looser_and_its_opposite_is_not(before, change, what):
    old, new = an_slo(**before), an_slo(**{**before, **change})
    assert (Kind.LOOSENED, what) in kinds(old, new)
    assert diff([old], [new]).state is State.FAIL
    back = diff([new], [old])
    assert {one.kind for one in back.changes if one.what == what.replace("added", "removed")} == {Kind.TIGHTENED} or (
        # A shorter period bears less at once and forgets sooner: neither stricter nor laxer.
        what == "period" and back.state is State.UNKNOWN
    )


UNTOLD = {
    "a pattern in the error query": {"indicator": Events(error_query='sum(rate(a{c=~"4.."}[5m]))', total_query="a")},
    "a shorter period": {"window": Rolling(length=7 * DAY)},
    "other people are told": {"alert_labels": {"team": "nobody"}},
    "another kind of indicator": {"indicator": ErrorRatio(query="ratio")},
    "other budgeting": {"budgeting": RatioTimeslices(length=60)},
}  # fmt: skip


@pytest.mark.parametrize("change", UNTOLD.values(), ids=UNTOLD.keys())
def test_what_cannot_be_told_from_the_text_is_never_green(change):
    found = diff([an_slo()], [an_slo(**change)])
    assert Kind.UNTOLD in {one.kind for one in found.changes}
    assert found.state in (State.UNKNOWN, State.FAIL)


def test_a_calendar_of_the_same_length_forgives_at_its_edge_and_a_rolling_window_does_not():
    rolling = an_slo(window=Rolling(length=an_slo(window=MONTHS).period))
    assert (Kind.LOOSENED, "period") in kinds(rolling, an_slo(window=MONTHS))
    assert (Kind.TIGHTENED, "period") in kinds(an_slo(window=MONTHS), rolling)


def test_other_time_slices_are_other_records_so_history_breaks():
    assert (Kind.HISTORY, "records") in kinds(an_slo(), an_slo(budgeting=SLICES))


def test_an_objective_at_which_an_alert_can_never_fire_silences_it():
    # 14.4 times a budget of 10 % is more than everything going wrong.
    old, new = an_slo(page=PAGE), an_slo(page=PAGE, objective=0.9)
    assert (Kind.LOOSENED, "page alert") in kinds(old, new)
    assert (Kind.LOOSENED, "page alert") not in kinds(old, an_slo(page=PAGE, objective=0.98))
    assert (Kind.LOOSENED, "page alert") not in kinds(an_slo(), an_slo(objective=0.9))
    assert kinds(an_slo(page=PAGE, adapt=True), replace(new, adapt=True)) == {(Kind.LOOSENED, "objective")}


def test_a_new_reason_lets_a_looser_objective_pass_and_stands_in_the_answer():
    found = diff([an_slo()], [an_slo(objective=0.98, loosened="a cheaper region")])
    assert found.state is State.PASS
    assert {one.reason for one in found.changes if one.kind is Kind.LOOSENED} == {"a cheaper region"}


def test_the_reason_of_the_last_time_is_no_reason_for_this_one():
    old = an_slo(loosened="a cheaper region")
    assert diff([old], [replace(old, objective=0.98)]).state is State.FAIL


def test_a_reason_covers_what_cannot_be_told_as_well():
    new = an_slo(alert_labels={"team": "b"}, loosened="team b owns it now")
    assert diff([an_slo()], [new]).state is State.PASS


def test_an_slo_that_is_gone_fails_until_another_one_or_a_person_says_its_name():
    both, kept = [an_slo(), a_ttft_slo(indicator=ErrorRatio(query="t"))], an_slo()
    assert diff(both, [kept]).state is State.FAIL
    assert diff(both, [replace(kept, loosened="clients no longer stream")]).state is State.FAIL
    assert diff(both, [replace(kept, loosened="gateway/ttft-fast is enough")]).state is State.FAIL
    assert diff(both, [replace(kept, loosened="gateway/ttft is in gateway/e2e")]).state is State.PASS
    assert diff(both, [kept], retired=["gateway/ttft"]).state is State.PASS


def test_a_new_name_starts_the_budget_anew_and_hides_no_lower_objective():
    found = diff([an_slo()], [an_slo(name="success", objective=0.9)])
    assert [(one.kind, one.was, one.now) for one in found.changes] == [
        (Kind.LOOSENED, "99%", "90%"),
        (Kind.HISTORY, "gateway/availability", "gateway/success"),
    ]


def test_of_two_that_measure_the_same_nobody_can_tell_which_was_renamed():
    found = diff([an_slo()], [an_slo(name="a"), an_slo(name="b")])
    assert sorted(one.kind for one in found.changes) == [Kind.ADDED, Kind.ADDED, Kind.REMOVED]


def test_a_label_is_no_part_of_what_the_budget_is_made_from():
    assert kinds(an_slo(), an_slo(labels={"owner": "b"})) == {(Kind.RELABELLED, "labels")}
    assert diff([an_slo()], [an_slo(labels={"owner": "b"})]).state is State.PASS


def test_another_place_in_the_file_is_no_change_and_words_are_cosmetic():
    moved = an_slo(where=Location(file="slos/other.yaml", line=90, column=5))
    assert diff([an_slo()], [moved]).changes == ()
    assert kinds(an_slo(), an_slo(description="new")) == {(Kind.COSMETIC, "description")}


def test_nothing_on_either_side_proves_nothing():
    assert diff([], []).state is State.UNKNOWN


@given(st.floats(0.5, 0.9999), st.floats(0.5, 0.9999), st.integers(1, 9), st.integers(1, 9))
def test_whatever_is_looser_one_way_is_stricter_the_other(one, other, few, many):
    def looser(old, new):
        return {found.what for found in diff([old], [new]).changes if found.kind is Kind.LOOSENED}

    a = an_slo(objective=one, least_bad=few, dead_after=300.0)
    b = an_slo(objective=other, least_bad=many, dead_after=300.0)
    stricter = {found.what for found in diff([b], [a]).changes if found.kind is Kind.TIGHTENED}
    assert looser(a, b) == stricter
    assert diff([a], [a]).changes == ()


FAILED = 'sum(rate(r{outcome=~"failed|rejected"}[{{.window}}]))'
SLOWER = 'sum(rate(r{a="1"}[5m])) - sum(rate(g{le="0.5"}[5m]))'
EITHER = 'sum(rate(r{a=~"1|2"}[5m])) or sum(rate(q{b="1"}[5m]))'


@pytest.mark.parametrize(
    ("old", "new", "than"),
    [
        (FAILED, FAILED.replace("|rejected", ""), Than.FEWER),
        (FAILED, FAILED.replace("failed|rejected", "rejected|failed"), Than.SAME),
        (FAILED, "  " + FAILED.replace("sum(", "sum( "), Than.SAME),
        (FAILED, FAILED.replace('"}', '",job="a"}'), Than.FEWER),
        (FAILED.replace('"}', '",job="a"}'), FAILED, Than.MORE),
        ('sum(rate(r{c!="a"}[5m]))', 'sum(rate(r{c!~"a|b"}[5m]))', Than.FEWER),
        # One label counts more, the other fewer: together, who knows.
        ('sum(rate(r{a="1",b=~"1|2"}[5m]))', 'sum(rate(r{a=~"1|2",b="1"}[5m]))', Than.UNTOLD),
        # 1 - good: more good series are fewer errors, so a subtraction is not looked into.
        (SLOWER, SLOWER.replace('"0.5"', '"1"'), Than.UNTOLD),
        (FAILED, FAILED.replace("failed|rejected", "fail.*"), Than.UNTOLD),
        # Where the left side is empty, `or` falls to the right one, which may hold more.
        (EITHER, EITHER.replace('=~"1|2"', '="1"'), Than.UNTOLD),
    ],
)
def test_of_sums_of_rates_the_matchers_tell_which_counts_fewer(old, new, than):
    assert compare(old, new) is than


def test_an_error_query_that_counts_fewer_is_looser():
    old = an_slo(indicator=Events(error_query=FAILED, total_query="sum(rate(r[{{.window}}]))"))
    new = replace(old, indicator=replace(old.indicator, error_query=FAILED.replace("|rejected", "")))
    assert kinds(old, new) == {(Kind.LOOSENED, "error query")}
    assert kinds(new, old) == {(Kind.TIGHTENED, "error query")}


def test_labels_that_an_answer_falls_into_are_new_series_of_every_rule():
    assert labels_of("sum by (tenant) (rate(a[5m])) / 2") == {"tenant"}
    assert labels_of("rate(a[5m])") == {ALL_LABELS}
    assert labels_of("sum(rate(a[5m])) or vector(0)") == frozenset()
    old = an_slo(indicator=Events(error_query="sum(rate(a[5m]))", total_query="sum(rate(b[5m]))"))
    new = replace(old, indicator=replace(old.indicator, error_query="sum by (tenant) (rate(a[5m]))"))
    assert (Kind.CARDINALITY, "error query") in kinds(old, new)


USES = {
    "scenarios/a.yaml": "expect:\n  - {slo: gateway/ttft, during: [x]}\n  - {slo: gateway/ttft-fast}\n",
    "dash.json": '{"expr": "slo:sli_error:ratio_rate30d{sloth_service=\\"gateway\\", sloth_slo=\\"ttft\\"}"}',
    "rules.yaml": 'expr: ALERTS{alertname="GatewayTtft"}\nfor: slo:objective:ratio{sloth_id="gateway-availability"}',
}


def test_lines_that_still_name_what_is_gone_are_found_with_their_place():
    old = [an_slo(), a_ttft_slo(alert="GatewayTtft", page=AlertPolicy())]
    found = still_used(old, [an_slo()], USES)
    assert [(str(one.where), one.what) for one in found] == [
        ("scenarios/a.yaml:2:11", "SLO gateway/ttft"),
        ("dash.json:1:66", "SLO gateway/ttft"),
        ("rules.yaml:1:25", "alert GatewayTtft"),
    ]


def test_a_period_is_part_of_a_recorded_name():
    found = still_used([an_slo()], [an_slo(window=Rolling(length=28 * DAY))], USES)
    assert [(str(one.where), one.what) for one in found] == [("dash.json:1:11", "record slo:sli_error:ratio_rate30d")]


def test_no_reason_mends_a_dashboard():
    new = an_slo(name="success", loosened="a better name")
    assert all(one.state is State.FAIL for one in still_used([an_slo()], [new], {"a": "slo: gateway/availability"}))
