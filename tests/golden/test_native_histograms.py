"""SLIs of native histograms, played by the promtool of a Prometheus 3: counted, idle, dead, born late, and misread."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import yaml

from holdfast.slo.files.read import read_slos
from holdfast.slo.rules import rule_file
from promtool_three import promtool_three

if TYPE_CHECKING:
    from pathlib import Path

DAWN = datetime(1970, 1, 1, tzinfo=UTC)
TOTAL, BAD, RATIO = "slo:sli_total:increase5m", "slo:sli_bad:increase5m", "slo:sli_error:ratio_rate5m"
SLO = """
version: prometheus/v1
service: chat
slos:
  - name: ttft
    objective: 95
    sli:
      events:
        error_query: >-
          (1 - histogram_fraction(0, 0.5, sum(rate(ttft_seconds{job="chat"}[{{.window}}]))))
          * histogram_count(sum(rate(ttft_seconds{job="chat"}[{{.window}}])))
        total_query: sum(histogram_count(rate(ttft_seconds{job="chat"}[{{.window}}])))
    alerting: {name: Ttft, page_alert: {}, ticket_alert: {}}
"""
FAILED = """
version: prometheus/v1
service: chat
slos:
  - name: availability
    objective: 99
    sli:
      events:
        error_query: sum(histogram_count(rate(ttft_seconds{job="chat", code="500"}[{{.window}}])))
        total_query: sum(histogram_count(rate(ttft_seconds{job="chat"}[{{.window}}])))
    alerting: {name: Failed, page_alert: {}, ticket_alert: {}}
"""
RAW = """
version: prometheus/v1
service: chat
slos:
  - name: ttft
    objective: 95
    sli: {raw: {error_ratio_query: '1 - histogram_fraction(0, 0.5, sum(rate(ttft_seconds{job="chat"}[{{.window}}])))'}}
    alerting: {name: Ttft, page_alert: {}, ticket_alert: {}}
"""


def histogram(quick: int, slow: int) -> str:
    """Observations under half a second and over it: schema 0 has edges at powers of two, and 0 is up to 1."""
    total = f"count:{quick + slow} sum:{quick / 4 + slow}"
    return f"{{{{schema:0 {total} offset:-1 buckets:[{quick} {slow}]}}}}"


def each(quick: int, slow: int, minutes: int, since: tuple[int, int] = (0, 0)) -> str:
    """So many more each minute."""
    return f"{histogram(*since)}+{histogram(quick, slow)}x{minutes}"


def series(instance: str = "a", **labels: str) -> str:
    inside = ",".join(f'{name}="{value}"' for name, value in {"job": "chat", "instance": instance, **labels}.items())
    return f"ttft_seconds{{{inside}}}"


def firing(alert: str) -> str:
    return f'count(ALERTS{{alertname="{alert}", alertstate="firing"}}) > bool 0'


def near(expr: str, value: float) -> str:
    return f"count(abs({expr} - {value}) < 1e-9)"


@pytest.fixture
def says(tmp_path):
    """Whether each PromQL gives 1 at its minute; promtool's own words if not."""
    program = promtool_three()

    def ask(spec: str, given: dict[str, str], asked: list[tuple[str, int]]) -> str:
        slos, problems = read_slos(spec, "slo.yaml")
        assert problems == []
        (tmp_path / "rules.yaml").write_text(rule_file(slos, DAWN), encoding="utf-8")
        wanted = [
            {"expr": expr, "eval_time": f"{minute}m", "exp_samples": [{"labels": "{}", "value": 1}]}
            for expr, minute in asked
        ]
        rows = [{"series": name, "values": values} for name, values in given.items()]
        test = {"interval": "1m", "input_series": rows, "promql_expr_test": wanted}
        document = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
        (tmp_path / "test.yaml").write_text(yaml.safe_dump(document, width=10_000), encoding="utf-8")
        return _run(program, tmp_path / "test.yaml")

    return ask


def _run(program: Path, file: Path) -> str:
    done = subprocess.run([program, "test", "rules", file], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else "SUCCESS"


def test_what_is_over_the_bound_is_bad_and_burns(says):
    # 90 quick and 10 slow a minute: 500 and 50 in five, 10 % of what 5 % may be, which is twice the budget.
    asked = [(near(TOTAL, 500), 60), (near(BAD, 50), 60), (near(RATIO, 0.1), 60)]
    assert says(SLO, {series(): each(90, 10, 60)}, asked) == "SUCCESS"
    # 90 % bad is 18 times the budget.
    assert says(SLO, {series(): each(10, 90, 60)}, [(firing("Ttft"), 60)]) == "SUCCESS"


def test_two_replicas_are_one_service_although_one_of_them_is_idle(says):
    given = {series("a"): each(90, 10, 60), series("b"): each(0, 0, 60)}
    assert says(SLO, given, [(near(TOTAL, 500), 60), (near(BAD, 50), 60)]) == "SUCCESS"


def test_an_idle_hour_burns_nothing_and_forgets_nothing(says):
    given = {series(): f"{each(90, 10, 60)} {each(0, 0, 60, since=(5400, 600))}"}
    month = "slo:sli_error:ratio_rate30d"
    asked = [(near(TOTAL, 0), 100), (near(BAD, 0), 100), (near(RATIO, 0), 100), (near(month, 0.1), 110)]
    assert says(SLO, given, asked) == "SUCCESS"


def test_a_restart_is_no_error(says):
    given = {series(): f"{each(90, 10, 30)} {each(90, 10, 30)}"}
    # Four minutes of the five around it are seen.
    assert says(SLO, given, [(f"count({RATIO} < 0.11 > 0.09)", minute) for minute in (31, 32, 34, 40)]) == "SUCCESS"


def test_where_only_classic_buckets_come_nothing_is_recorded_and_that_is_told(says):
    # The samples are there, and are no histograms.
    given = {series(): f"{each(100, 0, 60)} 6000+100x60"}
    assert says(SLO, given, [(f"count(absent({TOTAL}))", 100), (firing("TtftNoData"), 100)]) == "SUCCESS"


def test_a_sum_of_shares_is_all_bad_while_a_replica_is_idle(says):
    share = 'histogram_fraction(0, 0.5, rate(ttft_seconds{job="chat"}[{{.window}}]))'
    of_each = f'sum((1 - {share}) * histogram_count(rate(ttft_seconds{{job="chat"}}[{{{{.window}}}}])))'
    head, _, tail = SLO.partition("error_query: >-")
    spec = f"{head}error_query: '{of_each}'\n        total_query:{tail.partition('total_query:')[2]}"
    given = {series("a"): each(100, 0, 60), series("b"): each(0, 0, 60)}
    assert says(spec, given, [(near(RATIO, 1), 60)]) == "SUCCESS"


def test_a_dead_service_burns_and_is_told(says):
    given = {series(): f"{each(100, 0, 60)} stale"}
    assert says(SLO, given, [(near(RATIO, 1), 90), (firing("TtftNoData"), 90), (firing("Ttft"), 120)]) == "SUCCESS"
    assert says(SLO, {"other": "0x60"}, [(firing("TtftNoData"), 30)]) == "SUCCESS"


def test_first_errors_of_a_target_that_was_there_count_once(says):
    # 50 failures are there at minute 60, in a series that was not.
    given = {series(code="200"): each(60, 0, 120), series(code="500"): f"_x60 {histogram(50, 0)}x60"}
    asked = [(near(BAD, 0), 50), (near(BAD, 50), 60), (near(BAD, 50), 62), (near(BAD, 0), 70), (near(TOTAL, 350), 62)]
    assert says(FAILED, given, asked) == "SUCCESS"


def test_a_target_that_comes_back_is_no_burst(says):
    given = {
        series("a", code="200"): each(60, 0, 120),
        series("b", code="500"): f"{histogram(6000, 0)}x30 _x30 {histogram(6000, 0)}x60",
    }
    assert says(FAILED, given, [(near(BAD, 0), minute) for minute in (62, 65, 70)]) == "SUCCESS"


def test_buckets_of_its_own_edges_are_exact(says):
    edges = "custom_values:[0.1 0.5 2]"
    first, more = (
        f"{{{{schema:-53 count:{n} sum:{n} {edges} buckets:[{b}]}}}}" for n, b in ((0, "0 0 0"), (100, "50 45 5"))
    )
    assert says(SLO, {series(): f"{first}+{more}x60"}, [(near(RATIO, 0.05), 60)]) == "SUCCESS"


def test_a_ratio_of_a_native_histogram_weighs_by_time(says):
    given = {series(): f"{each(70, 30, 60)} {each(0, 0, 60, since=(4200, 1800))}"}
    asked = [(near(RATIO, 0.3), 30), (near(RATIO, 0), 90), (firing("Ttft"), 60)]
    assert says(RAW, given, asked) == "SUCCESS"
