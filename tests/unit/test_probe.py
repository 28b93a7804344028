"""Which series make a good event and which a bad one: the SLI's own queries say so."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.slo import ErrorRatio, Events, Threshold
from holdfast.slo.promtests.probe import CannotTestError, Probe, probe
from holdfast.slo.promtests.regexes import examples
from holdfast.testing import an_slo

W = "[{{.window}}]"


def found(indicator) -> Probe:
    return probe(an_slo(indicator=indicator))


def ways(some) -> list[dict[str, float]]:
    """Ways of making an event as `metric{label}`: amount, without the target's own labels."""
    target = {"job", "instance"}
    return [
        {
            raw.name + "".join(f"|{value}" for label, value in raw.labels if label not in target): amount
            for raw, amount in way.items()
        }
        for way in some
    ]


def test_errors_told_by_a_label_are_found_one_kind_at_a_time():
    made = found(Events(error_query=f'sum(rate(r{{code=~"5..|429"}}{W}))', total_query=f"sum(rate(r{W}))"))
    assert ways(made.bad) == [{"r|500": 1}, {"r|429": 1}]
    assert ways(made.good) == [{"r|other": 1}]


def test_what_neither_query_counts_is_there_to_be_ignored():
    made = found(Events(error_query=f'sum(rate(r{{o="bad"}}{W}))', total_query=f'sum(rate(r{{o!="left"}}{W}))'))
    assert [raw.text for raw in made.ignored] == ['r{instance="probe:1",job="probe",o="left"}']


def test_a_latency_sli_takes_two_series_for_a_good_event():
    made = found(
        Events(
            error_query=f'sum(rate(h_count{W})) - sum(rate(h_bucket{{le="0.5"}}{W}))',
            total_query=f"sum(rate(h_count{W}))",
        )
    )
    assert ways(made.good) == [{"h_count": 1, "h_bucket|0.5": 1}]
    assert ways(made.bad) == [{"h_count": 1}]


def test_errors_that_are_another_metric_come_with_the_total():
    made = found(Events(error_query=f"sum(increase(e{W})) or vector(0)", total_query=f"sum(increase(t{W}))"))
    assert ways(made.bad) == [{"e": 1, "t": 1}]
    assert ways(made.good) == [{"t": 1}]


def test_a_total_in_another_unit_is_turned_into_events():
    # 60 a minute is one a second: an event is a sixtieth of what the query says.
    made = found(Events(error_query=f'sum(rate(r{{c="5"}}{W})) * 60', total_query=f"sum(rate(r{W})) * 60"))
    assert ways(made.good) == [{"r|other": pytest.approx(1 / 60)}]


def test_a_ratio_made_elsewhere_is_driven_by_its_numerator_and_denominator():
    made = found(ErrorRatio(query=f"1 - sum(rate(ok{W})) / sum(rate(every{W}))"))
    assert ways(made.good) == [{"ok": 1, "every": 1}]
    assert ways(made.bad) == [{"every": 1}]


@pytest.mark.parametrize(("op", "good", "bad"), [("lt", 69.3, 70.7), ("gte", 70.7, 69.3)])
def test_a_gauge_stands_just_within_its_limit_and_just_beyond(op, good, bad):
    made = found(Threshold(query='avg(temperature{room="a"})', op=op, value=70))
    # The other room is not asked about: it stands where it would be wrong.
    assert ways(made.good) == [{"temperature|a": good, "temperature|other": bad}]
    assert ways(made.bad) == [{"temperature|a": bad, "temperature|other": good}]
    assert not made.graded


def test_up_is_good_at_one():
    made = found(Events(error_query='count(up{job="a"}) - sum(up{job="a"})', total_query='count(up{job="a"})'))
    assert (ways(made.good), ways(made.bad)) == ([{"up": 1}], [{"up": 0}])


@pytest.mark.parametrize(
    ("indicator", "why"),
    [
        (
            Events(error_query=f"sum(rate(a{W})) * 2", total_query=f"sum(rate(a{W}))"),
            "no series was found that makes a good",
        ),
        (Events(error_query=f'rate(a{{c="5"}}{W})', total_query=f"rate(a{W})"), "more than one series"),
        (Events(error_query=f'sum(rate({{c="5"}}{W}))', total_query=f"sum(rate(a{W}))"), "which metric"),
        (Threshold(query="vector(1)", op="lt", value=2), "both sides"),
    ],
)
def test_an_sli_that_cannot_be_driven_is_told_with_the_reason(indicator, why):
    with pytest.raises(CannotTestError, match=why):
        found(indicator)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("failed|rejected", ("failed", "rejected")), ("5..|429", ("500", "429")), ("(a|b)c?", ("ac", "bc")), ("", ("",))],
)
def test_each_alternative_of_a_pattern_has_an_example(pattern, expected):
    assert examples(pattern) == expected


@given(st.from_regex(r"[a-c0-9.|?+*()\[\]]{0,12}", fullmatch=True))
def test_every_example_matches_its_whole_pattern(pattern):
    for one in examples(pattern):
        assert re.compile(pattern, re.DOTALL).fullmatch(one)
