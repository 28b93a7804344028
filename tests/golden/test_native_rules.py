"""Native rules played by Prometheus' own tool: every way to budget, every window, and what they must never record."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime

import pytest
import yaml

from holdfast.model.slo import (
    DAY,
    AlertPolicy,
    Calendar,
    ErrorRatio,
    Exclusion,
    RatioTimeslices,
    Rolling,
    Threshold,
    Timeslices,
)
from holdfast.slo.rules import groups_of, rule_file
from holdfast.testing import a_ttft_slo, an_slo
from promtool_says import tool

DAWN = datetime(1970, 1, 1, tzinfo=UTC)
NOW, MONTH = "slo:sli_error:ratio_rate5m", "slo:sli_error:ratio_rate30d"
TOTAL, BAD = "slo:sli_total:increase5m", "slo:sli_bad:increase5m"
EVERY = "gateway_requests_total[{{.window}}]"
ERRORS = 'sum(rate(gateway_requests_total{code="500"}[{{.window}}]))'
ALERTED = {"alert": "Gateway", "page": AlertPolicy(), "ticket": AlertPolicy()}


@pytest.fixture(params=[2, pytest.param(3, marks=pytest.mark.slow)], ids=["promtool", "promtool 3"])
def says(request, tmp_path):
    """Whether each PromQL gives 1 at its minute, over series of one sample a minute; promtool's own words if not."""
    program, environment = tool(request.param)

    def ask(slo, asked, series):
        (tmp_path / "rules.yaml").write_text(rule_file([slo], DAWN), encoding="utf-8")
        names = {name: f'gateway_requests_total{{code="{name[1:]}"}}' for name in series if name in {"c200", "c500"}}
        given = [{"series": names.get(name, name), "values": values} for name, values in series.items()]
        wanted = [
            {"expr": expr, "eval_time": f"{minute}m", "exp_samples": [{"labels": "{}", "value": 1}]}
            for expr, minute in asked
        ]
        test = {"interval": "1m", "input_series": given, "promql_expr_test": wanted}
        document = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
        (tmp_path / "test.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
        done = subprocess.run(
            [program, "test", "rules", tmp_path / "test.yaml"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **environment},
        )
        return done.stdout + done.stderr if done.returncode else "SUCCESS"

    return ask


def firing(**labels):
    """Alerts that fire, with these labels."""
    return (
        "ALERTS{" + ", ".join(f'{name}="{value}"' for name, value in {"alertstate": "firing", **labels}.items()) + "}"
    )


def near(expr, value):
    """PromQL that is 1 when there is one such series and it has this value but for rounding."""
    return f"count(abs({expr} - {value}) < 1e-9)"


@pytest.mark.parametrize(
    "slo",
    [
        an_slo(**ALERTED),
        an_slo(**ALERTED, window=Calendar(unit="month", start=DAWN)),
        an_slo(**ALERTED, budgeting=Timeslices(length=60, target=0.9)),
        an_slo(**ALERTED, exclusions=(Exclusion(reason="update", start=DAWN, length=60),)),
    ],
    ids=["plain", "calendar", "slices", "exclusion"],
)
def test_an_slo_costs_at_most_four_rules_more_than_sloths_seventeen_and_no_group_has_more_than_twenty(slo):
    sizes = [len(group["rules"]) for group in groups_of(slo, DAWN)]
    assert sum(sizes) <= 17 + 4
    assert max(sizes) <= 20


def test_an_error_query_that_is_no_number_counts_as_all_bad(says):
    # The bad events are divided by a counter that stands still: 0 / 0.
    broken = an_slo().indicator.__class__(
        error_query='sum(rate(gateway_requests_total{code="500"}[{{.window}}])) / sum(rate(still[{{.window}}]))',
        total_query="sum(rate(gateway_requests_total[{{.window}}]))",
    )
    series = {"c200": "0+60x60", "c500": "0+0x60", "still": "1x60"}
    assert says(an_slo(indicator=broken), [(near(NOW, 1), 30)], series) == "SUCCESS"


def test_more_bad_events_than_events_are_all_of_them_and_fewer_than_none_are_none(says):
    slo = an_slo()
    odd = slo.indicator.__class__(
        error_query='sum(rate(gateway_requests_total{code="500"}[{{.window}}]))',
        total_query='sum(rate(gateway_requests_total{code="200"}[{{.window}}]))',
    )
    assert says(an_slo(indicator=odd), [(near(NOW, 1), 30)], {"c200": "0+10x60", "c500": "0+20x60"}) == "SUCCESS"
    less = slo.indicator.__class__(
        error_query='sum(rate(gateway_requests_total{code="200"}[{{.window}}])) - sum(rate(more[{{.window}}]))',
        total_query='sum(rate(gateway_requests_total{code="200"}[{{.window}}]))',
    )
    assert says(an_slo(indicator=less), [(near(NOW, 0), 30)], {"c200": "0+10x60", "more": "0+11x60"}) == "SUCCESS"


def test_where_bad_is_all_less_good_and_no_good_one_was_ever_seen_all_are_bad(says):
    slow = an_slo().indicator.__class__(
        error_query='sum(rate(gateway_requests_total[{{.window}}])) - sum(rate(fast_bucket{le="0.5"}[{{.window}}]))',
        total_query="sum(rate(gateway_requests_total[{{.window}}]))",
    )
    assert says(an_slo(indicator=slow), [(near(NOW, 1), 30)], {"c200": "0+60x60"}) == "SUCCESS"
    # The control: nine of ten were fast.
    series = {"c200": "0+60x60", 'fast_bucket{le="0.5"}': "0+54x60"}
    assert says(an_slo(indicator=slow), [(near(NOW, 0.1), 30)], series) == "SUCCESS"


def test_where_no_good_one_was_ever_seen_a_ratio_slice_is_all_bad_and_an_idle_one_good(says):
    slow = an_slo().indicator.__class__(
        error_query='sum(rate(gateway_requests_total[{{.window}}])) - sum(rate(fast_bucket{le="0.5"}[{{.window}}]))',
        total_query="sum(rate(gateway_requests_total[{{.window}}]))",
    )
    slo = an_slo(indicator=slow, budgeting=RatioTimeslices(length=300))
    assert says(slo, [(near(NOW, 1), 30)], {"c200": "0+60x60"}) == "SUCCESS"
    # The control: nothing happens, fast or slow.
    assert says(slo, [(near(NOW, 0), 30)], {"c200": "0x60", 'fast_bucket{le="0.5"}': "0x60"}) == "SUCCESS"


def test_a_dead_service_burns_as_its_mean_traffic_would_until_it_is_back(says):
    slo = an_slo(**ALERTED, dead_after=300)
    # 60 a minute for 2 h, gone for 1 h, back. 300 events in 5 minutes, of which none and then all are bad.
    series = {"c200": "0+60x120 _x60 7200+60x60"}
    asked = [
        (near(TOTAL, 300), 100),
        (near(BAD, 0), 100),
        (f"count({TOTAL} > 280 < 301)", 150),
        (near(NOW, 1), 150),
        (f"count({firing(alertname='GatewayNoData')})", 150),
        (f"count({firing(alertname='Gateway', severity='page', sloth_tier='quick')})", 170),
        (near(NOW, 0), 200),
    ]
    assert says(slo, asked, series) == "SUCCESS"


def test_a_service_that_never_was_has_no_ratio_but_an_alert(says):
    asked = [(f"count({firing(alertname='GatewayNoData')})", 30), (f"count({firing()})", 30), (f"absent({NOW})", 30)]
    assert says(an_slo(**ALERTED), asked, {"other": "0x60"}) == "SUCCESS"


def test_a_target_that_comes_back_is_no_burst(says):
    # Two replicas; one is not seen for half an hour, and comes back with a counter of 6,000 failures long ago.
    series = {
        'gateway_requests_total{code="200", instance="a"}': "0+60x120",
        'gateway_requests_total{code="200", instance="b"}': "0+60x30 _x30 3600+60x60",
        'gateway_requests_total{code="500", instance="b"}': "6000x30 _x30 6000x60",
    }
    assert says(an_slo(), [(near(BAD, 0), minute) for minute in (62, 65, 70)], series) == "SUCCESS"


def test_first_errors_of_a_target_that_was_there_count_once(says):
    # 50 failures are there at minute 60, in a series that was not. In [5m] to 64, and never again.
    series = {"c200": "0+60x120", "c500": "_x60 50x60"}
    asked = [(near(BAD, 50), 60), (near(BAD, 50), 63), (near(BAD, 0), 66), (near("slo:sli_error:ratio_rate1h", 0), 50)]
    assert says(an_slo(), asked, series) == "SUCCESS"


def test_a_time_slice_is_bad_as_a_whole_and_a_busy_one_weighs_like_a_quiet_one(says):
    slo = an_slo(budgeting=Timeslices(length=300, target=0.9))
    # 20 % bad in a busy hour, none in a quiet one: half of the time was bad.
    series = {"c200": "0+800x60 48000+2x60", "c500": "0+200x60 12000+0x60"}
    asked = [(near(NOW, 1), 30), (near(NOW, 0), 100), (f"count({MONTH} > 0.45 < 0.55)", 119)]
    assert says(slo, asked, series) == "SUCCESS"


def test_a_slice_within_its_target_is_good(says):
    # 5 % bad, 10 % may be
    slo = an_slo(budgeting=Timeslices(length=300, target=0.9))
    assert says(slo, [(near(NOW, 0), 30)], {"c200": "0+95x60", "c500": "0+5x60"}) == "SUCCESS"


def test_a_ratio_slice_counts_by_its_share_and_an_idle_one_as_good(says):
    slo = an_slo(budgeting=RatioTimeslices(length=300))
    # 20 % bad in a busy hour, nothing in the next: 10 % of the time.
    series = {"c200": "0+800x60 48000+0x60", "c500": "0+200x60 12000+0x60"}
    asked = [(near(NOW, 0.2), 30), (near(NOW, 0), 100), (f"count({MONTH} > 0.09 < 0.12)", 119)]
    assert says(slo, asked, series) == "SUCCESS"


def test_a_ratio_made_elsewhere_weighs_by_time_and_nothing_over_nothing_is_no_burn(says):
    slo = an_slo(
        indicator=ErrorRatio(query="sum(rate(bad[{{.window}}])) / sum(rate(all[{{.window}}]))"), dead_after=300
    )
    # 30 % for an hour, no events in the next, and then no series.
    series = {"bad": "0+30x60 1800+0x60", "all": "0+100x60 6000+0x60"}
    asked = [(near(NOW, 0.3), 30), (near(NOW, 0), 90), (near(MONTH, 0.3), 119)]
    assert says(slo, asked, series) == "SUCCESS"
    assert says(slo, [(near(NOW, 1), 90)], {"bad": "0+30x60", "all": "0+100x60"}) == "SUCCESS"


@pytest.mark.parametrize(("op", "value", "bad"), [("lt", 5, 1), ("lte", 5, 0), ("gte", 5, 0), ("gt", 5, 1)])
def test_a_threshold_is_good_on_its_side(says, op, value, bad):
    slo = an_slo(indicator=Threshold(query="max(queue_depth)", op=op, value=value))
    assert says(slo, [(near(NOW, bad), 30)], {"queue_depth": "5x60"}) == "SUCCESS"


@pytest.mark.parametrize(
    "changes",
    [
        # The shortest slice that has two samples in it, with one a minute.
        {"budgeting": Timeslices(length=120, target=0.9)},
        {"indicator": Threshold(query="max(queue_depth)", op="lt", value=5)},
        {},
    ],
    ids=["short slices", "a gauge", "events"],
)
def test_whatever_it_measures_a_dead_service_is_bad(says, changes):
    slo = an_slo(**ALERTED, dead_after=120, **changes)
    series = {"c200": "0+60x60 stale", "c500": "0+0x60 stale", 'queue_depth{job="a"}': "1x60 stale"}
    asked = [(near(NOW, 1), 75), (f"count({MONTH} > 0.1)", 90), (f"count({firing(alertname='GatewayNoData')})", 75)]
    assert says(slo, asked, series) == "SUCCESS"


def test_an_alert_of_no_data_bears_the_labels_of_its_slo_alone(says):
    slo = an_slo(**ALERTED, indicator=Threshold(query='max(queue_depth{job="a"})', op="lt", value=5))
    assert says(slo, [(f"count({firing(job='')})", 60), (f"count({firing()})", 60)], {"other": "1x60"}) == "SUCCESS"


NO_DATA = firing(alertname="GatewayNoData")
NO_ALERT = f"absent(count({firing()}))"


def of_total(query):
    """An SLO whose total is this query."""
    return an_slo(**ALERTED, indicator=an_slo().indicator.__class__(error_query=ERRORS, total_query=query))


@pytest.mark.parametrize(
    ("total", "series"),
    [
        (f"sum(rate({EVERY}) * on(pod) info)", {"c200": "0+60x60", 'info{pod="a"}': "1x60"}),
        # Half of it dies at minute 5; what is left is no total.
        (f"sum(rate({EVERY})) + sum(rate(other[{{{{.window}}}}]))", {"c200": "0+60x60", "other": "0+60x5 stale"}),
        # Scraped every 7 minutes: no five of them hold two samples.
        (f"sum(rate({EVERY}))", {"c200": "0 _x6 420 _x6 840 _x6 1260 _x6 1680 _x6 2100"}),
    ],
    ids=["labels that do not match", "a part is missing", "scraped too seldom"],
)
def test_samples_that_give_no_total_are_told(total, series, says):
    # Dead for 9 minutes is dead; samples without a total for 14 to 19 minutes are told.
    asked = [(f"count({NO_DATA})", 30), (f"count({firing()})", 30), (NO_ALERT, 12), (f"absent({TOTAL})", 30)]
    assert says(of_total(total), asked, series) == "SUCCESS"


@pytest.mark.parametrize(
    ("total", "requests"),
    [
        (f"sum(rate({EVERY}))", "0x60"),
        (f"sum(rate({EVERY})) > 0", "0x60"),
        (f"sum(rate({EVERY})) unless on() (vector(time()) > 600)", "0x60"),
        (f"sum(rate({EVERY})) / sum(rate({EVERY})) * sum(rate({EVERY}))", "0x60"),
        (f"sum(rate({EVERY})) > 0", "0+60x20 1200x60"),
    ],
    ids=["idle", "idle is left out", "at night", "0 / 0", "idle since"],
)
def test_a_service_that_is_idle_owes_no_total(total, requests, says):
    asked = [(NO_ALERT, minute) for minute in (14, 16, 19, 20, 35, 59)]
    assert says(of_total(total), asked, {"c200": requests}) == "SUCCESS"


def test_a_service_that_has_just_begun_owes_no_total(says):
    # Before minute 40 it is missing; from its second sample on nothing is.
    asked = [(f"count({NO_DATA})", 39), *((NO_ALERT, minute) for minute in range(40, 60))]
    assert says(an_slo(**ALERTED), asked, {"c200": "_x40 0+60x30"}) == "SUCCESS"


def test_rules_that_are_new_in_an_old_service_ask_for_nothing_at_first(says):
    # No rule before 0, where the service has no total; it is told when the rules are old enough, after 14 minutes.
    asked = [*((NO_ALERT, minute) for minute in range(14)), (f"count({NO_DATA})", 15)]
    slo = of_total(f"sum(rate({EVERY}) * on(pod) info)")
    assert says(slo, asked, {"c200": "0+60x60", "info": "_x60"}) == "SUCCESS"


@pytest.mark.parametrize(("errors", "alerted"), [(3, True), (2, False)])
def test_three_errors_that_are_the_first_ever_alert_though_they_come_at_once(errors, alerted, says):
    # A counter that stands at 0 and rises by 3: four records of 3 in Prometheus 3, five in 2, of 60 and 61 in an hour.
    series = {"c200": "0x118 2x80", "c500": f"0x120 {errors}x60"}
    slow = firing(sloth_tier="slow", severity="page")
    asked = [(f"count({slow})" if alerted else NO_ALERT, 130), (NO_ALERT, 120)]
    assert says(an_slo(**ALERTED), asked, series) == "SUCCESS"


def test_what_is_excluded_does_not_count(says):
    slo = an_slo(
        **ALERTED,
        exclusions=(Exclusion(reason="update", start=datetime(1970, 1, 1, 1, tzinfo=UTC), length=3600, zone="UTC"),),
    )
    # All bad from 01:00 to 02:00, which does not count; then all good.
    series = {"c200": "0+60x60 3600+0x60 3600+60x60", "c500": "0+0x60 0+60x60 3600+0x60"}
    asked = [(near(BAD, 0), 90), (near(TOTAL, 0), 90), (near(MONTH, 0), 115), (f"count({firing()} or vector(1))", 115)]
    assert says(slo, asked, series) == "SUCCESS"
    # The last minutes of the outage are still in the first five after it.
    assert says(slo, [(f"count({MONTH} < 0.1)", 170)], series) == "SUCCESS"


def test_a_calendar_gives_a_new_budget_when_its_period_ends(says):
    # Months that begin on the first at 04:20 in Berlin, where it is an hour later than UTC: at minute 200, or 12,000 s.
    calendar = Calendar(unit="month", start=datetime(1969, 12, 1, 4, 20, tzinfo=UTC), zone="Europe/Berlin")
    name, second = "slo:sli_error:ratio_rate1month", 'slo_period="12000"'
    # 10 % bad until then, and none from there on.
    series = {"c200": "0+90x200 18000+100x100", "c500": "0+10x200 2000+0x100"}
    asked = [(near(name, 0.1), 199), (f"count({name} < 0.05)", 215), (f"count({TOTAL}{{{second}}})", 240)]
    assert says(an_slo(**ALERTED, window=calendar), asked, series) == "SUCCESS"


def test_a_tier_says_its_name_and_fires_alone(says):
    # 2 % bad of 1 % allowed for 4 h: only the slow ticket, at 1 times the budget, is beyond its threshold.
    asked = [(f"count({firing()})", 240), (f"count({firing(sloth_tier='slow', severity='ticket')})", 240)]
    assert says(an_slo(**ALERTED), asked, {"c200": "0+98x250", "c500": "0+2x250"}) == "SUCCESS"


def test_a_percentile_that_only_adapted_tiers_can_watch_is_watched(says):
    # Half of all may be slow. 14.4 x 50 % is out of reach; drawn back to 75 % it fires when all are slow.
    slo = an_slo(objective=0.5, adapt=True, **ALERTED)
    quick = firing(sloth_tier="quick", severity="page")
    assert says(slo, [(f"count({quick})", 60)], {"c200": "0+1x70", "c500": "0+99x70"}) == "SUCCESS"
    assert says(slo, [(f"count(absent({quick}))", 60)], {"c200": "0+40x70", "c500": "0+60x70"}) == "SUCCESS"


@pytest.mark.parametrize("days", [7, 14, 90])
def test_a_period_of_any_length_has_its_own_windows(days):
    slo = an_slo(**ALERTED, window=Rolling(length=days * DAY))
    factors = [rule["expr"] for group in groups_of(slo) for rule in group["rules"] if "alert" in rule]
    assert any(
        f"ratio_rate{days}d" in rule["record"]
        for group in groups_of(slo)
        for rule in group["rules"]
        if "record" in rule
    )
    assert factors


def test_rules_that_hold_for_a_time_need_to_know_the_day():
    with pytest.raises(ValueError, match="the day"):
        rule_file([a_ttft_slo(window=Calendar(unit="month", start=DAWN))])
