"""Eight inputs that give generated SLO rules a false OK: what the verdict says of each, and what our rules do.

A verdict counts events over the run's phases and never reads a recorded budget. The native rules, which dashboards and
alerts read, are played by Prometheus' own tool.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace

import pytest
import yaml

from guards import guards, mends
from holdfast.errors import InfrastructureError
from holdfast.expect.slo import SloHolds
from holdfast.judge import judge
from holdfast.model.slo import AlertPolicy
from holdfast.model.timeline import Series
from holdfast.model.verdict import State
from holdfast.platforms.tools import cache_folder, locate
from holdfast.slo.rules import rule_file
from holdfast.sources.prometheus import Prometheus
from holdfast.testing import a_place, a_scenario, a_timeline, a_ttft_slo, an_slo

SLOTH = "Sloth's rules"
FAIL, UNKNOWN = State.FAIL, State.UNKNOWN
IDLE = "an idle hour makes the SLI NaN, and with it the budget of the next 30 days"
CLEAN = "a service that never failed has no error series, so no SLI and no budget at all"
DEAD = "a service dead for four hours: no alert, and the whole budget remains"
UNEVEN = "the mean of 5-minute ratios weighs a quiet minute like a busy one, and halves the budget that was used"
RENAMED = "renaming a label breaks the rule: vector contains metrics with the same labelset"
SPARSE = "at 10 requests an hour a single failure pages"
BORN = "the first errors ever, a series born at 50, count as none"
EDGE = "an interpolated quantile jumps from 0.5 s to 1.25 s at a bucket's edge, or does not"


def answered(answer):
    """The default story, with a Prometheus that answers each error query so, and the total truly."""
    story = a_timeline()
    rate = {"metric": {}, "value": [0, "12"]}

    def query(promql, at):
        if promql.endswith("s]"):
            return []
        return answer() if "5.." in promql else [rate]

    taken = Prometheus(query).take(story.scenario, story.anchor)
    return judge(a_timeline(metrics=replace(story.metrics, counted=taken.counted, trouble=taken.trouble))).state


def held(objective=0.99, **changes):
    """One SLO expected in baseline and recovery."""
    slo = an_slo(objective=objective, **changes)
    return SloHolds(slo=slo, during=("baseline", "recovery"), objective=objective, where=a_place())


@guards(SLOTH, IDLE, UNKNOWN)
def test_a_ratio_of_nothing_is_no_number():
    return answered(lambda: [{"metric": {}, "value": [0, "NaN"]}])


@guards(SLOTH, CLEAN, UNKNOWN)
def test_an_error_series_that_is_not_there_is_no_zero():
    return answered(list)


@guards(SLOTH, DEAD, UNKNOWN, FAIL)
@pytest.mark.parametrize("clients", ["lost as well", "served all the same"])
def test_a_target_that_is_no_longer_scraped_is_not_healthy(clients):
    bad = {"recovery": 300} if clients == "lost as well" else {"fault": 4}
    story = a_timeline(bad=bad, outcome="connect")
    up = Series(name="up", labels={}, points=tuple((float(t), 1.0) for t in range(51)))
    return judge(replace(story, metrics=replace(story.metrics, series=(up,)))).state


@guards(SLOTH, UNEVEN, FAIL)
def test_each_request_weighs_the_same():
    # 25 of 1200 bad in 100 busy seconds (2.1 %), none of 12 in 125 quiet ones: 25 of 1212 are 2.06 %, where 1 % may be.
    # The mean over time, (2.1 % x 100 + 0 % x 125) / 225 = 0.93 %, would have been good enough.
    lengths = {"warmup": 10.0, "baseline": 100.0, "fault": 1.0, "recovery": 125.0}
    scenario = a_scenario(lengths=lengths, expect=(held(),), chaos=None)
    start = scenario.phase("recovery").start
    return judge(
        a_timeline(
            scenario=scenario,
            bad={"baseline": 25},
            edit=lambda rows: rows[(rows["due"] < start) | (rows["due"] * 12 % 120 < 0.5)].reset_index(drop=True),
        )
    ).state


@guards(SLOTH, RENAMED, UNKNOWN)
@pytest.mark.parametrize("way", ["two series", "an error"])
def test_a_query_that_breaks_on_labels_is_no_number(way):
    def answer():
        if way == "an error":
            raise ValueError("execution: vector cannot contain metrics with the same labelset")
        return [{"metric": {"owner": owner}, "value": [0, "0"]} for owner in "ab"]

    return answered(answer)


@guards(SLOTH, SPARSE, UNKNOWN)
def test_one_bad_request_of_a_few_is_neither_kept_nor_broken():
    # 1 of 45: between 0.1 % and 10 %, where 1 % may be. No alarm, and no pass.
    scenario = a_scenario(rate=1.0, expect=(held(),), chaos=None)
    return judge(a_timeline(scenario=scenario, bad={"baseline": 1})).state


@guards(SLOTH, BORN, UNKNOWN)
def test_errors_that_prometheus_cannot_see_are_seen_by_the_clients():
    story = a_timeline(bad={"fault": 50})
    blind = tuple(replace(one, bad=0.0) for one in story.metrics.counted)
    return judge(replace(story, metrics=replace(story.metrics, counted=blind))).state


@guards("histogram_quantile", EDGE, FAIL)
def test_latency_is_the_share_under_a_bound_and_never_an_interpolation():
    # 6 % of 2700 start after more than 0.5 s, where 5 % may: a quantile of 0.94 would have said 0.5 s.
    lengths = {"warmup": 10.0, "baseline": 100.0, "fault": 1.0, "recovery": 125.0}
    expect = (SloHolds(slo=a_ttft_slo(bound=0.5), during=("baseline", "recovery"), objective=0.95, where=a_place()),)
    scenario = a_scenario(lengths=lengths, expect=expect, chaos=None)
    # 12/s x 225 s = 2700; 200 slow ones are 7.4 %, whose lower bound 6.6 % is beyond 5 %.
    return judge(a_timeline(scenario=scenario, slow={"baseline": 90, "recovery": 110})).state


# The native rules, over series of one sample a minute.


@pytest.fixture(scope="module")
def promtool():
    try:
        return locate(["promtool"], path=os.environ["PATH"], cache=cache_folder(os.environ))["promtool"]
    except InfrastructureError as error:
        pytest.skip(str(error))


@pytest.fixture
def is_true(promtool, tmp_path):
    """Whether PromQL gives 1 at a time, over series named by the response code; also what promtool said."""

    def ask(expression, at, objective=0.99, *, labels=None, **series):
        slo = an_slo(
            objective=objective, alert="Gateway", page=AlertPolicy(), ticket=AlertPolicy(), labels=labels or {}
        )
        (tmp_path / "rules.yaml").write_text(rule_file([slo]), encoding="utf-8")
        names = {name: f'gateway_requests_total{{code="{name[1:]}"}}' for name in series if name[0] == "c"}
        given = [{"series": names.get(name, name), "values": values} for name, values in series.items()]
        asked = {"expr": expression, "eval_time": at, "exp_samples": [{"labels": "{}", "value": 1}]}
        test = {"interval": "1m", "input_series": given, "promql_expr_test": [asked]}
        document = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
        (tmp_path / "test.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
        done = subprocess.run(
            [promtool.path, "test", "rules", tmp_path / "test.yaml"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **promtool.environment},
        )
        print(done.stdout, done.stderr)
        assert "SUCCESS" in done.stdout or "FAILED" in done.stdout + done.stderr, done.stderr
        return done.returncode == 0

    return ask


REMAINING = "slo:period_error_budget_remaining:ratio"
MONTH = "slo:sli_error:ratio_rate30d"


def test_the_rules_work_on_a_service_that_is_busy_and_sometimes_fails(is_true):
    # The controls: 2 % errors from the first minute on; and none, though a series for them is there.
    assert is_true(f"count({MONTH} > 0.019 < 0.021)", "60m", c200="0+980x60", c500="0+20x60")
    assert is_true(f"count({REMAINING} == 1)", "60m", c200="0+60x60", c500="0+0x60")


@mends("Sloth's rules, generated", IDLE, "an hour without requests burns nothing, and the budget stays a number")
def test_an_idle_hour_leaves_the_budget_a_number(is_true):
    assert is_true(f"count({REMAINING} == 1)", "3h", c200="0+60x60 3600+0x60 3600+60x120", c500="0+0x240")


@mends("Sloth's rules, generated", CLEAN, "no error series is zero errors: the whole budget is there")
def test_a_service_that_never_failed_has_its_whole_budget(is_true):
    assert is_true(f"count({REMAINING} == 1)", "3h", c200="0+60x180")


@mends("Sloth's rules, generated", DEAD, "no data pages within 15 minutes, and the time counts as bad")
def test_a_dead_service_pages(is_true):
    alerts = 'count(count(ALERTS{alertstate="firing"}))'
    assert is_true(alerts, "150m", c200="0+60x120 stale", c500="0+0x120 stale")


@mends("Sloth's rules, generated", UNEVEN, "the ratio of a period is that of its events")
def test_the_budget_used_is_that_of_the_requests(is_true):
    # 2 h at 1000/min with 1 % errors, then 2 h at 2/min with none: 0.998 % of all requests.
    busy = {"c200": "0+990x120 118802+2x120", "c500": "0+10x120 1200+0x120"}
    assert is_true(f"count({MONTH} > 0.009)", "4h", **busy)


@mends("Sloth's rules, generated", RENAMED, "no rule sums a series that bears a user's label")
def test_a_renamed_label_breaks_no_rule(is_true):
    same = 'sloth_id="gateway-availability", sloth_service="gateway", sloth_slo="availability", sloth_window="5m"'
    name = "slo:sli_error:ratio_rate5m"
    # What the rules recorded under the label's old value, until the very minute that they are asked about.
    old = {f'{name}{{{same}, owner="a"}}': "0x90"}
    for metric in (MONTH, "slo:current_burn_rate:ratio", REMAINING):
        assert is_true(f'count({metric}{{owner="b"}})', "90m", labels={"owner": "b"}, c200="0+60x90", **old)


@mends("Sloth's rules, generated", SPARSE, "an alert needs three bad events")
def test_one_failure_of_ten_an_hour_pages_nobody(is_true):
    sparse = " ".join(f"{n}x5" for n in range(26))
    quiet = 'sum(ALERTS{alertstate="firing"}) or vector(0)'
    assert is_true(f"({quiet}) == bool 0", "153m", 0.999, c200=sparse, c500="0x150 1x5")


@mends("Sloth's rules, generated", BORN, "what a new series holds at first counts as errors")
def test_the_first_errors_ever_count(is_true):
    assert is_true("count(slo:sli_error:ratio_rate1h > 0)", "150m", c200="0+100x240", c500="_x120 50x120")
