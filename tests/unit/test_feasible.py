"""What alerts can do: the Workbook's figures for busy services, the n-th bad event for quiet ones."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from burning import firing
from holdfast.cli.objectives import slo as command
from holdfast.errors import ExitCode, UsageError
from holdfast.model.slo import DAY, AlertPolicy, ErrorRatio, RatioTimeslices, Rolling, Timeslices
from holdfast.slo.feasible.detect import Watch, falling, reset, steady_wait, wait
from holdfast.slo.feasible.false_alerts import false_alerts
from holdfast.slo.feasible.plan import plan, watch_of
from holdfast.slo.tiers import GOOGLE
from holdfast.testing import an_slo

QUICK = Watch(short=300.0, long=3600.0, threshold=0.0144, least_bad=2)
HOUR, MONTH = 3600.0, 30 * DAY
ON = AlertPolicy()


def both(**changes):
    return an_slo(page=ON, ticket=ON, **changes)


@pytest.mark.parametrize(
    ("errors", "minutes"),
    [
        # 0.0144 x 60 = 0.864 min of bad events are needed. After 1, 2, 3 minutes 0.2, 0.6, 1.2 of them count.
        (1.0, 3),
        # 8.64 min at 10 %; from the fifth minute on, two are not counted yet.
        (0.1, 11),
        # 60 min at 1.44 %: never more than the threshold.
        (0.0144, None),
        (0.015, 60),  # 57.6 min and two that are not counted yet
    ],
)
def test_even_traffic_is_noticed_as_the_workbook_says_and_a_soft_edge_later(errors, minutes):
    found = steady_wait(QUICK, errors)
    assert found == (None if minutes is None else minutes * 60.0)


def test_busy_traffic_is_even_traffic():
    chance, even = wait(QUICK, 1000.0, 0.1), steady_wait(QUICK, 0.1)
    assert chance is not None
    assert chance.mean == pytest.approx(even, rel=0.01)


def test_quiet_traffic_waits_for_the_second_bad_event():
    # 12 events/h, all bad: the second comes after 10 min on average, and by two fifths it counts at the second
    # evaluation from then, 1.5 min later; where the first is not yet full, some later still.
    found = wait(QUICK, 12 / HOUR, 1.0)
    assert found is not None
    assert found.mean == pytest.approx(11.9 * 60, rel=0.01)
    # P(fewer than 2 in t) = exp(-t/5)(1 + t/5) = 5 % at t = 23.7 min; then as above, and on to the next evaluation.
    assert found.late == pytest.approx(26 * 60, abs=60)


def test_two_bad_events_within_an_hour_take_a_while():
    # 1.2 bad events/h: 1/1.2 + 1/(1.2 (1 - exp(-1.2))) = 2.03 h until two lie within an hour (renewal).
    found = wait(QUICK, 12 / HOUR, 0.1)
    assert found is not None
    assert found.mean == pytest.approx(2.03 * HOUR, rel=0.04)


def test_more_bad_events_than_a_window_can_have_are_waited_for_very_long():
    many = replace(QUICK, least_bad=200)
    found = wait(many, 100 / HOUR, 1.0)
    assert found is None or found.mean > 1000 * DAY
    assert wait(replace(QUICK, least_bad=30), 100 / HOUR, 1.0).mean == pytest.approx(30 * 36 + 150, rel=0.03)


@pytest.mark.parametrize("rate", [1e-4, 1.0, 1e6])
def test_any_traffic_has_a_plan(rate):
    for alert in plan(both(), rate).alerts:
        assert 0 <= alert.false_alerts < 1000
        assert alert.first(1.0)[1].mean > 0


def test_a_burn_below_the_threshold_is_never_noticed_and_nothing_without_traffic():
    assert wait(QUICK, 1.0, 0.0144) is None
    assert wait(QUICK, 0.0, 1.0) is None


@pytest.mark.parametrize(
    ("rate", "least_bad", "needed"), [(12, 2, 2), (60, 2, 2), (300, 2, 5), (3600, 2, 52), (12, 5, 5)]
)
def test_how_many_bad_events_fire(rate, least_bad, needed):
    # 1.44 % of 12, 60, 300 and 3600 events are 0.17, 0.86, 4.32 and 51.84.
    assert replace(QUICK, least_bad=least_bad).needed(rate / HOUR) == needed


def test_the_short_window_ends_the_alert():
    # Five minutes of nothing but errors: 1.44 % is left when all of them are gone; 10 % after 4.28 min.
    assert reset(QUICK, 1.0) == 300.0
    assert reset(replace(QUICK, threshold=0.144), 1.0) == 300.0
    assert reset(replace(QUICK, threshold=0.5), 1.0) == 150.0 + 30.0
    # Half an hour whose edge is soft by another two minutes on average.
    assert reset(replace(QUICK, short=1800.0, long=21600.0, threshold=0.5), 1.0) == 1020.0


@settings(max_examples=25, deadline=None)
@given(
    rate=st.floats(0.001, 0.2),
    errors=st.sampled_from([0.05, 0.2, 0.5, 1.0]),
    least=st.integers(1, 5),
    threshold=st.sampled_from([0.003, 0.0144, 0.04]),
)
def test_more_is_never_slower(rate, errors, least, threshold):
    def mean(errors=errors, least=least, threshold=threshold):
        found = wait(replace(QUICK, threshold=threshold, least_bad=least), rate, errors)
        return math.inf if found is None else found.mean

    assert mean(errors=min(1.0, errors * 1.5)) <= mean() * 1.001
    assert mean(least=least + 1) >= mean() * 0.999
    assert mean(threshold=threshold * 2) >= mean() * 0.999


def test_false_pages_of_pairs_are_what_a_poisson_process_gives():
    # One window of an hour over another of five minutes, at so few events that two bad ones always fire:
    # every bad event with another one less than 58 min before it, unless the alert still fires. 0.006 bad/h:
    # 0.006 x (1 - exp(-0.006 x 58/60)) = 3.48e-5 an hour; a fifth of a per cent less for those that still fire.
    rare = false_alerts([QUICK], 12 / HOUR, 0.0005) * HOUR
    assert rare == pytest.approx(0.006 * (1 - math.exp(-0.006 * 58 / 60)), rel=0.09)


def test_an_alert_of_two_tiers_is_at_least_as_noisy_as_each_and_at_most_as_both():
    slow = Watch(short=1800.0, long=21600.0, threshold=0.006, least_bad=2)
    one, other = (false_alerts([each], 60 / HOUR, 0.0005) for each in (QUICK, slow))
    together = false_alerts([QUICK, slow], 60 / HOUR, 0.0005)
    assert max(one, other) <= together <= one + other


def test_busy_and_dead_and_faultless_services_have_no_false_pages():
    assert false_alerts([QUICK], 100.0, 0.0005) == 0.0
    assert false_alerts([replace(QUICK, threshold=1.0)], 0.1, 0.5) == 0.0
    assert false_alerts([QUICK], 0.1, 0.0) == 0.0


def test_a_higher_floor_makes_fewer_false_pages():
    noise = [false_alerts([replace(QUICK, least_bad=least)], 60 / HOUR, 0.0005) for least in (1, 2, 3, 4)]
    assert all(later < earlier / 5 for earlier, later in pairwise(noise))


def test_the_plan_of_an_slo():
    made = plan(both(objective=0.999), 12 / HOUR)
    assert (made.events, made.allowed) == (pytest.approx(8640), pytest.approx(8.64))
    page, ticket = made.alerts
    assert [round(one.threshold, 6) for one in (*page.tiers, *ticket.tiers)] == [0.0144, 0.006, 0.003, 0.001]
    _, burn = page.first(1.0)
    # The third bad event of 12 an hour comes after 15 minutes, and counts enough at the second evaluation from then.
    assert burn.mean == pytest.approx(16.5 * 60, rel=0.03)
    # 17.5 min of an outage are 17.5/43200 of the month, and 0.1 % is allowed: 41 % of the budget.
    assert burn.spent == pytest.approx(burn.mean / MONTH / 0.001)
    assert made.feasible


def test_a_page_that_cannot_fire_is_not_feasible_unless_it_is_disabled_or_adapted():
    assert not plan(both(objective=0.8), 1.0).feasible
    assert plan(an_slo(objective=0.8, ticket=ON), 1.0).feasible
    assert plan(both(objective=0.8, adapt=True), 1.0).feasible
    assert plan(both(objective=0.9), 1.0).feasible  # the quick tier is dead, the slow one lives
    dead, alive = plan(both(objective=0.9), 1.0).alerts[0].tiers
    assert (dead.reachable, dead.needed, dead.detections[0].mean) == (False, None, None)
    assert alive.reachable


def test_where_events_are_not_counted_there_is_no_floor_and_no_noise_to_tell():
    ratio = plan(both(indicator=ErrorRatio(query="errors:ratio{{.window}}")), 1.0)
    assert (ratio.rate, ratio.alerts[0].false_alerts, ratio.alerts[0].tiers[0].needed) == (None, None, None)
    assert watch_of(ratio.slo, GOOGLE[0]).least_bad == 1
    assert ratio.alerts[0].first(1.0)[1].mean == 11 * 60.0  # as even traffic at 99 %


def test_a_slice_is_bad_as_a_whole():
    slices = plan(both(budgeting=Timeslices(length=60.0, target=0.95)), None)
    quick = slices.alerts[0].tiers[0]
    means = {one.errors: one.mean for one in quick.detections}
    assert means[1.0] == means[0.5] == means[0.1] != None  # noqa: E711
    share = plan(both(budgeting=RatioTimeslices(length=60.0)), None).alerts[0].tiers[0]
    assert share.detections[2].mean is None  # 10 % of each slice is under 14.4 %


def test_other_periods_have_other_windows():
    week = plan(both(window=Rolling(length=7 * DAY)), 1.0)
    assert week.events == pytest.approx(7 * DAY)
    assert [one.tier.long for one in week.alerts[0].tiers] == [900.0, 5100.0]


@pytest.mark.parametrize("rate", [0.0, -1.0])
def test_no_traffic_is_no_plan(rate):
    with pytest.raises(ValueError, match="traffic"):
        plan(both(), rate)


def test_the_simulation_fires_as_the_rules_do():
    # One evaluation a minute, one event a minute; bad are minutes 10 and 12. Both count in full from minute 16 on: 2 of
    # 60 are 3.3 %. The record of five minutes has a bad one up to minute 16.
    import numpy as np

    total = np.ones((1, 90), dtype=int)
    bad = np.zeros((1, 90), dtype=int)
    bad[0, [70, 72]] = 1
    fires = np.flatnonzero(firing(QUICK, bad, total)[0])
    # Minute 73: 0.8 + 0.4 = 1.2 of two; 74: 1 + 0.6 = 1.6, more than 1.5; 76 is the last within five minutes of 72.
    assert fires.tolist() == [74, 75, 76]


SLOS = """\
version: prometheus/v1
service: gateway
slos:
  - name: availability
    objective: 99
    sli:
      events:
        error_query: sum(rate(gateway_requests_total{outcome="failed"}[{{.window}}]))
        total_query: sum(rate(gateway_requests_total[{{.window}}]))
    alerting: {name: Gateway, page_alert: {}, ticket_alert: {disable: true}}
"""


@pytest.fixture
def slos(tmp_path):
    path = tmp_path / "gateway.yaml"
    path.write_text(SLOS, encoding="utf-8")
    return path


def run(*words):
    done = CliRunner().invoke(command, ["plan", *map(str, words)], standalone_mode=False, catch_exceptions=False)
    return int(done.return_value), done.stdout


def test_people_get_a_table_and_a_sentence(slos, golden):
    code, text = run(slos, "--rate", "12/h")
    assert code == ExitCode.PASS
    golden(Path(__file__).parent / "golden" / "slo-plan.txt", text)


def test_machines_get_the_same(slos):
    code, text = run(slos, "--rate", "12/h", "--json")
    (document,) = json.loads(text)
    assert code == ExitCode.PASS
    assert document["alerts"][0]["tiers"][0]["least_bad_events"] == 3
    assert document["alerts"][0]["tiers"][0]["burns"][2] == {
        "errors": 0.1,
        "mean": None,
        "p95": None,
        "reset": None,
        "budget_spent": None,
    }


def test_a_page_out_of_reach_fails(slos):
    slos.write_text(SLOS.replace("objective: 99", "objective: 80"), encoding="utf-8")
    code, text = run(slos, "--rate", "12/h")
    assert code == ExitCode.FAIL
    assert "the page alert can never fire" in text


@pytest.mark.parametrize(
    "words",
    [
        ["--rate", "many"],
        ["--rate", "0/h"],
        ["--rate", "1/h", "--prometheus", "http://x"],
        ["--every", "often"],
        ["--every", "0s"],
        ["--every", "6m"],
    ],
)
def test_a_traffic_that_is_none_is_a_mistake_of_the_command(slos, words):
    with pytest.raises(UsageError):
        run(slos, *words)


@pytest.mark.parametrize("scale", [3.0, 40.0, 2000.0, 1e6])
def test_a_law_that_falls_is_asked_seldom_and_known_everywhere(scale):
    asked = []

    def law(step):
        asked.append(step)
        return math.exp(-((step / scale) ** 2))

    found, wanted = falling(law, 50_000), np.exp(-((np.arange(50_000) / scale) ** 2))
    assert len(asked) < 500
    assert found.sum() == pytest.approx(wanted.sum(), rel=5e-4, abs=5e-3)
    # The 95 % quantile is exact.
    assert np.argmax(found <= 0.05) == np.argmax(wanted <= 0.05)


def test_rules_evaluated_often_take_little_longer_to_plan():
    # 12 times as many evaluations, each in a law of 12 times as many parts: all of them took 25 s, and 1 s before.
    seldom, often = (plan(both(), 12 / 3600, every=every) for every in (60.0, 5.0))
    for one, other in zip(_means(seldom), _means(often), strict=True):
        assert one == pytest.approx(other, rel=0.01)


def _means(found):
    return [at.mean for alert in found.alerts for tier in alert.tiers for at in tier.detections if at.mean is not None]
