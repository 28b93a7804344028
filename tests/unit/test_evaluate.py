"""PromQL over samples in memory, by examples whose arithmetic can be followed; promtool says the same of the rest."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from holdfast.model.slo import DAY, Exclusion
from holdfast.slo.evaluate.backtest import backtest
from holdfast.slo.evaluate.query import EvaluationError, Track, UnsupportedError, evaluate
from holdfast.slo.evaluate.reads import reads
from holdfast.slo.evaluate.rules import play
from holdfast.testing import an_slo


def a_track(values, every=60.0, start=0.0, **labels):
    times = start + np.arange(len(values)) * every
    return Track(labels={"__name__": "x", **labels}, times=times, values=np.array(values, dtype=float))


def numbers(query, tracks, *at, **how):
    """{labels: [value or None at each time]}"""
    return {
        tuple(sorted(one.labels.items())): [
            float(value) if there else None for value, there in zip(one.values, one.present, strict=True)
        ]
        for one in evaluate(query, tracks, np.array(at, dtype=float), **how)
    }


def test_an_increase_is_drawn_out_to_the_edges_of_its_window():
    # Within [30, 330] lie those of 60 to 300 s: +40 in 240 s, and 30 s more at each side: 40 x 300 / 240.
    assert numbers("increase(x[5m])", [a_track([100, 110, 120, 130, 140, 150])], 330) == {(): [pytest.approx(50.0)]}


def test_a_counter_that_starts_again_loses_nothing():
    # 10, 20, 3, 13: +10, a reset that counts 3, +10 = 23 in 180 s of a window of 180 s.
    assert numbers("increase(x[3m])", [a_track([10, 20, 3, 13])], 180) == {(): [pytest.approx(23.0)]}


def test_prometheus_3_leaves_out_the_start_of_a_window():
    track = a_track([1, 2, 3, 4])
    assert numbers("count_over_time(x[2m])", [track], 180, prometheus=2) == {(): [3.0]}
    assert numbers("count_over_time(x[2m])", [track], 180, prometheus=3) == {(): [2.0]}
    assert numbers("x", [track], 480, prometheus=2) == {(("__name__", "x"),): [4.0]}
    assert numbers("x", [track], 480, prometheus=3) == {}


def test_a_sample_is_there_for_five_minutes_unless_its_series_was_marked_as_ended():
    alive = a_track([1])
    ended = Track(
        labels={"__name__": "y"},
        times=np.array([0.0, 60.0]),
        values=np.array([1.0, np.nan]),
        stale=np.array([False, True]),
    )
    assert numbers("x", [alive], 0, 299, 301) == {(("__name__", "x"),): [1.0, 1.0, None]}
    assert numbers("y", [ended], 0, 59, 60) == {(("__name__", "y"),): [1.0, 1.0, None]}


def test_a_number_is_one_series_without_labels():
    assert numbers("1 + 1", [], 0, 60) == {(): [2.0, 2.0]}
    assert numbers("time()", [], 0, 60) == {(): [0.0, 60.0]}
    assert evaluate("1", [], np.array([])) == []


def test_two_values_for_one_series_are_refused_and_it_is_said_when():
    both = [a_track([1, 2], code="a"), a_track([1, 2], start=60.0, code="b")]
    with pytest.raises(EvaluationError, match="same labelset") as error:
        evaluate('label_replace(x, "code", "", "", "")', both, np.array([0.0, 60.0]))
    assert error.value.when.tolist() == [False, True]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("topk(1, x)", "topk()"),
        ("quantile_over_time(0.5, x[5m])", "quantile_over_time()"),
        ("x atan2 x", "atan2"),
        ('{__name__="x" or code="2"}', "or"),
        ('x{code=~"\\\\pL+"}', "pattern"),
    ],
)
def test_what_is_not_known_is_named_and_never_guessed(query, named):
    with pytest.raises((UnsupportedError, ValueError), match=named.replace("(", r"\(").replace(")", r"\)")):
        evaluate(query, [a_track([1])], np.array([0.0]))


def test_a_query_is_told_what_it_reads_and_how_far_back():
    found = reads('sum(rate(x{a="1"}[5m] offset 1m)) / max_over_time(sum(y)[1h:1m])')
    assert {(one.selector.text, one.back) for one in found} == {('x{a="1"}', 360.0), ("y", 3600.0)}


def rule(expr, **labels):
    return [{"name": "one", "rules": [{"record": "mine", "expr": expr, "labels": labels}]}]


def test_a_rule_that_reads_its_own_record_finds_what_was_before():
    # A sum of itself and one: 1, then 1 + 1, and so on.
    at = np.arange(6) * 60.0
    (one,) = play(rule("sum(mine) + 1 or vector(1)"), [], at)
    assert one.vectors[0].values.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_times_at_which_a_rule_is_refused_give_nothing_and_the_others_do():
    both = [a_track([1, 2, 3, 4, 5], code="a"), a_track([7], start=120.0, code="b")]
    (one,) = play(rule('x + on() x{code=~"a|b"}'), both, np.array([0.0, 60.0, 120.0, 180.0]))
    assert "many-to-many" in one.trouble
    assert one.refused.tolist() == [False, False, True, True]
    assert one.vectors[0].present.tolist() == [True, True, False, False]


def test_hundreds_of_terms_in_a_row_are_no_deeper_than_one():
    often = " or ".join(f"vector(time()) >= {number} < {number + 1}" for number in range(600))
    assert numbers(f"count({often})", [], 0, 7, 600.5) == {(): [1.0, 1.0, None]}


def test_an_exclusion_that_comes_every_day_costs_little():
    daily = Exclusion(reason="backup", start=datetime(2026, 1, 1, 2, tzinfo=UTC), length=3600.0, repeat="FREQ=DAILY")
    at = 1_767_225_600.0 + np.arange(1440) * 60.0
    result = backtest(an_slo(exclusions=(daily,)), [], at, step=60.0)
    assert result.minutes(result.missing) == DAY / 60
