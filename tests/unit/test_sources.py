"""The second witness: what Prometheus and the receiver say, and that their silence is never a zero."""

from __future__ import annotations

import json
import math

import pytest

from holdfast.sources.alerts import notifications
from holdfast.sources.prometheus import Prometheus
from holdfast.testing import ANCHOR, a_scenario


def answering(value):
    """A server that answers every instant query with `value`, and range queries with two samples."""

    def query(promql, at):
        if promql.endswith("s]") and not promql.startswith("sum"):
            return [{"metric": {"job": "gateway"}, "values": [[ANCHOR.wall + 1, "1"], [ANCHOR.wall + 2, "NaN"]]}]
        return value

    return Prometheus(query)


def one(text):
    return [{"metric": {}, "value": [0, text]}]


def counts(value):
    metrics = answering(value).take(a_scenario(), ANCHOR)
    assert metrics.trouble == ""
    return {(found.total, found.bad) for found in metrics.counted}


def test_a_rate_over_a_phase_is_its_count():
    # 0.5/s over 20 s (baseline, fault) = 10, over 25 s (recovery) = 12.5
    assert counts(one("0.5")) == {(10.0, 10.0), (12.5, 12.5)}


@pytest.mark.parametrize(
    "value", [[], one("NaN"), one("+Inf"), one("-Inf"), one("1") + one("2")], ids=["empty", "nan", "inf", "-inf", "two"]
)
def test_what_is_no_single_number_is_none_and_never_zero(value):
    assert counts(value) == {(None, None)}


def test_a_zero_is_a_number():
    assert counts(one("0")) == {(0.0, 0.0)}


def test_only_judged_phases_of_each_slo_are_asked_at_their_ends():
    asked = []

    def query(promql, at):
        asked.append((promql, round(at - ANCHOR.wall, 3)))
        return []

    scenario = a_scenario()
    metrics = Prometheus(query).take(scenario, ANCHOR)
    # Two SLOs x baseline, fault, recovery
    assert [(found.slo, found.phase) for found in metrics.counted] == [
        (slo, phase) for slo in ("gateway/availability", "gateway/ttft") for phase in ("baseline", "fault", "recovery")
    ]
    assert ("sum(rate(gateway_requests_total[20s]))", 30.0) in asked
    assert ("sum(rate(gateway_requests_total[25s]))", 75.0) in asked
    assert not any("{{" in promql for promql, _ in asked)


def test_samples_are_placed_on_the_runs_clock_and_gaps_stay_gaps():
    up = next(series for series in answering(one("1")).take(a_scenario(), ANCHOR).series if series.name == "up")
    assert up.points == ((1.0, 1.0),)  # the NaN sample is left out


@pytest.mark.parametrize(
    "error", [ConnectionError("refused"), ValueError("x" * 500), KeyError("value"), TimeoutError()]
)
def test_a_server_that_does_not_answer_is_trouble_by_name(error):
    def query(promql, at):
        raise error

    metrics = Prometheus(query).take(a_scenario(), ANCHOR)
    assert metrics.counted == ()
    assert metrics.trouble.startswith(f"Prometheus did not answer: {type(error).__name__}")
    assert len(metrics.trouble) < 200


@pytest.mark.parametrize("value", [[{}], [{"value": []}], [{"value": [0, "many"]}], None, 5])
def test_an_answer_of_the_wrong_shape_is_trouble(value):
    metrics = answering(value).take(a_scenario(), ANCHOR)
    assert metrics.trouble.startswith("Prometheus did not answer")


def test_a_server_that_fails_half_way_gives_nothing_rather_than_half():
    answers = iter([one("1"), one("1"), one("1")])
    metrics = Prometheus(lambda promql, at: next(answers)).take(a_scenario(), ANCHOR)
    assert (metrics.counted, metrics.series) == ((), ())
    assert metrics.trouble


def test_notifications_are_those_of_the_run(tmp_path):
    path = tmp_path / "alerts.ndjson"
    lines = [json.dumps({"wall": wall, "name": "EngineDown"}) for wall in (99.0, 100.0, 150.0, 200.0, 201.0)]
    path.write_text("\n".join([*lines, "{torn", "5", "[]", '{"name": "x"}', '{"wall": "soon"}']), encoding="utf-8")
    assert notifications(str(path), 100.0, 200.0) == lines[1:4]


def test_a_receiver_that_never_ran_is_an_error_and_not_silence(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        notifications(str(tmp_path / "none.ndjson"), 0, math.inf)
