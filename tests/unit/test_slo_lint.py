"""Each thing an SLO can ask for that is not there is found, at its place, and what is there is left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from holdfast.model.slo import AlertPolicy, Calendar, ErrorRatio, Events, Exclusion, Rolling
from holdfast.slo.compat.plugins import STEPS
from holdfast.slo.files.read import read_slos
from holdfast.slo.lint.findings import lint, names_read
from holdfast.slo.lint.metricsfile import Catalog, from_server, read_metrics
from holdfast.slo.lint.plugins import KNOWN
from holdfast.slo.lint.remark import CODES
from holdfast.slo.lint.rules import read_rules
from holdfast.testing import a_ttft_slo, an_slo

NOW = datetime(2026, 6, 1).timestamp()  # noqa: DTZ001
METRICS = """
# TYPE gateway_requests_total counter
gateway_requests_total{code="200",outcome="ok"} 90
gateway_requests_total{code="500",outcome="failed"} 3
gateway_requests_total{code="503",outcome="failed"} 1
# TYPE gateway_ttft_seconds histogram
gateway_ttft_seconds_bucket{le="0.25"} 70
gateway_ttft_seconds_bucket{le="0.5"} 80
gateway_ttft_seconds_bucket{le="1"} 85
gateway_ttft_seconds_bucket{le="+Inf"} 94
gateway_ttft_seconds_sum 20
gateway_ttft_seconds_count 94
# TYPE gateway_latency_seconds summary
gateway_latency_seconds{quantile="0.99"} 0.7
gateway_latency_seconds_sum 20
gateway_latency_seconds_count 94
# TYPE gateway_queue gauge
gateway_queue 4
"""
TOTAL = "sum(rate(gateway_requests_total[{{.window}}]))"
ERRORS = 'sum(rate(gateway_requests_total{outcome="failed"}[{{.window}}]))'
BY_CODE = "sum by (code) (rate(gateway_requests_total[{{.window}}]))"
SLO_FILE = """\
version: prometheus/v1
service: gateway
slos:
  - name: availability
    objective: 99
    sli:
      events:
        error_query: sum(rate(gateway_requests_total{outcome="failled"}[{{.window}}]))
        total_query: sum(rate(gateway_request_total[{{.window}}]))
    alerting: {page_alert: {disable: true}, ticket_alert: {disable: true}}
  - name: ttft
    objective: 95
    labels: {sli: ttft, bound: 400ms}
    sli:
      events:
        error_query: |-
          sum(rate(gateway_ttft_seconds_count[{{.window}}]))
          - sum(rate(gateway_ttft_seconds_bucket{le="0.4"}[{{.window}}]))
        total_query: sum(rate(gateway_ttft_seconds_count[{{.window}}]))
    alerting: {page_alert: {disable: true}, ticket_alert: {disable: true}}
"""


def seen(text: str = METRICS) -> Catalog:
    return read_metrics(text, "metrics.txt")


def scraped(text: str = METRICS, **labels: str) -> Catalog:
    """The same as a server has it."""
    page = read_metrics(text, "")
    found = [
        {"__name__": one.name, **dict(labels_), **labels} for one in page.metrics.values() for labels_ in one.series
    ]
    types = {"gateway_requests_total": [{"type": "counter"}], "gateway_queue": [{"type": "gauge"}]}
    return from_server("http://prometheus", page.names, found, types)


def asks(errors: str = ERRORS, total: str = TOTAL, **changes):
    return an_slo(indicator=Events(error_query=errors, total_query=total), **changes)


def codes(*slos, catalog: Catalog | None = None, **more) -> list[str]:
    """severity/code of everything found."""
    found = lint(slos, {}, catalog or seen(), now=NOW, **more)
    return sorted(f"{one.severity} {one.problem.code.removeprefix('lint/')}" for one in found)


def hints(*slos, catalog: Catalog | None = None) -> str:
    return "\n".join(one.problem.hint for one in lint(slos, {}, catalog or seen(), now=NOW))


def whats(*slos, **more) -> str:
    return "\n".join(one.problem.what for one in lint(slos, {}, more.pop("catalog", None) or seen(), now=NOW, **more))


def test_what_is_there_is_left_alone():
    assert codes(asks()) == []
    assert codes(asks(), catalog=scraped(job="gateway")) == []


def test_a_finding_has_the_line_a_caret_under_the_matcher_a_code_and_a_hint(golden):
    slos, problems = read_slos(SLO_FILE, "slos/gateway.yaml")
    assert problems == []
    texts = {"slos/gateway.yaml": SLO_FILE, "rules.yaml": RULES}
    found = lint(slos, texts, seen(), now=NOW, rules=read_rules(RULES, "rules.yaml"))
    golden(Path(__file__).parent / "golden" / "slo-lint.txt", "\n\n".join(map(str, found)) + "\n")


def test_each_slo_of_a_file_is_searched_in_its_own_lines():
    text = SLO_FILE.replace("gateway_request_total[", "gateway_requests_total[").replace('"failled"', '"failed"')
    text = text.replace("labels: {sli: ttft, bound: 400ms}\n    ", "")
    slos, _ = read_slos(text, "f")
    (one,) = lint(slos, {"f": text}, seen(), now=NOW)
    assert (one.problem.where.line, one.problem.width) == (17, 8)


def test_without_the_text_a_finding_still_says_which_slo():
    (one,) = lint([asks(total="sum(rate(nothing_total[{{.window}}]))")], {}, seen(), now=NOW)
    assert str(one.problem.where) == "slos/gateway.yaml:7:5"


@pytest.mark.parametrize(
    ("errors", "found"),
    [
        ('sum(rate(gateway_requests_total{outcome="failed"}[{{.window}}]))', []),
        ('sum(rate(gateway_requests_total{outcome=~"failed|rejected"}[{{.window}}]))', ["warning no-value"]),
        ('sum(rate(gateway_requests_total{outcome=~"rejected|lost"}[{{.window}}]))', ["warning no-value"]),
        ('sum(rate(gateway_requests_total{code=~"5.."}[{{.window}}]))', []),
        ('sum(rate(gateway_requests_total{code=~"4.."}[{{.window}}]))', ["warning no-value"]),
        ('sum(rate(gateway_requests_total{code!~"2.."}[{{.window}}]))', []),
        ('sum(rate(gateway_requests_total{outcome="ok",code="500"}[{{.window}}]))', ["warning no-series"]),
        ('sum(rate(gateway_requests_total{reason="x"}[{{.window}}]))', ["warning no-label"]),
        ('sum(rate(gateway_requests_total{reason!="x"}[{{.window}}]))', ["warning no-label"]),
        ('sum(rate(gateway_requests_total{reason=""}[{{.window}}]))', []),
        ('sum(rate(gateway_requests_total{job="gateway",instance=~".+"}[{{.window}}]))', []),
        ('sum(rate({__name__="gateway_requests_total",outcome="failed"}[{{.window}}]))', []),
    ],
)
def test_labels_and_their_values_are_held_against_the_series(errors, found):
    assert codes(asks(errors)) == found


def test_errors_that_never_happened_are_a_warning_and_a_total_that_finds_nothing_an_error():
    nothing = 'sum(rate(gateway_requests_total{outcome="lost"}[{{.window}}]))'
    assert codes(asks(errors=nothing)) == ["warning no-value"]
    assert "error no-value" in codes(asks(total=nothing))


def test_a_server_knows_all_labels_so_one_that_is_not_there_is_an_error():
    unknown = 'sum(rate(gateway_requests_total{job="gatewy"}[{{.window}}]))'
    assert codes(asks(unknown), catalog=scraped(job="gateway")) == ["warning no-value"]
    assert codes(asks(unknown), catalog=scraped(instance="a")) == ["error no-label"]


@pytest.mark.parametrize(
    ("le", "page", "found"),
    [
        ('le="0.5"', METRICS, []),
        ('le="0.50"', METRICS, ["error edge-spelling"]),
        ('le="0.4"', METRICS, ["error not-an-edge"]),
        ('le="1"', METRICS, ["warning edge-spelling"]),  # as Go writes it; Prometheus 3 makes it 1.0
        ('le="1.0"', METRICS, ["error edge-spelling"]),
        ('le="1"', METRICS.replace('le="1"', 'le="1.0"'), ["error edge-spelling"]),  # as Python writes it
        ('le="1.0"', METRICS.replace('le="1"', 'le="1.0"'), []),
        (r'le=~"1(\\.0)?"', METRICS, []),
        (r'le=~"1(\\.0)?"', METRICS.replace('le="1"', 'le="1.0"'), []),
        (r'le=~"2(\\.0)?"', METRICS, ["error not-an-edge"]),
        ('le="+Inf"', METRICS, []),
    ],
)
def test_a_bound_must_be_an_edge_as_it_is_written(le, page, found):
    bucket = f"sum(rate(gateway_ttft_seconds_bucket{{{le}}}[{{{{.window}}}}]))"
    total = "sum(rate(gateway_ttft_seconds_count[{{.window}}]))"
    assert codes(asks(f"{total} - {bucket}", total), catalog=seen(page)) == found


def test_prometheus_3_has_whole_edges_with_a_fraction():
    # It normalises le on the way in, so a server that has le="1.0" does not know le="1".
    page = METRICS.replace('le="1"', 'le="1.0"')
    total = "sum(rate(gateway_ttft_seconds_count[{{.window}}]))"
    slo = asks(f'{total} - sum(rate(gateway_ttft_seconds_bucket{{le="1"}}[{{{{.window}}}}]))', total)
    assert codes(slo, catalog=scraped(page)) == ["error edge-spelling"]
    assert hints(slo, catalog=scraped(page)) == r'le=~"1(\\.0)?" finds it however written'


@pytest.mark.parametrize(
    ("name", "le", "bound", "found"),
    [
        ("gateway_ttft_seconds", "0.5", 0.5, []),
        ("gateway_ttft_seconds", "0.5", 0.3, ["error bound"]),
        ("gateway_ttft_seconds", "+Inf", 0.3, ["error bound"]),
        ("gateway_ttft_milliseconds", "500", 0.5, ["warning edge-spelling"]),
        ("gateway_ttft_milliseconds", "500", 0.3, ["error bound", "warning edge-spelling"]),
    ],
)
def test_the_bound_for_clients_is_the_edge_in_the_query(name, le, bound, found):
    page = METRICS.replace("gateway_ttft_seconds", name).replace('le="0.5"', f'le="{le}"')
    total = f"sum(rate({name}_count[{{{{.window}}}}]))"
    indicator = Events(
        error_query=f'{total} - sum(rate({name}_bucket{{le="{le}"}}[{{{{.window}}}}]))', total_query=total
    )
    page = page if le != "+Inf" else METRICS
    assert codes(a_ttft_slo(indicator=indicator, bound=bound), catalog=seen(page)) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("sum(gateway_requests_total) - sum(gateway_requests_total offset {{.window}})", "error counter-without-rate"),
        ("sum(avg_over_time(gateway_requests_total[{{.window}}]))", "error counter-without-rate"),
        ("sum(rate(gateway_queue[{{.window}}]))", "error rate-of-gauge"),
        ("sum(increase(gateway_queue[{{.window}}]))", "error rate-of-gauge"),
        ("sum(irate(gateway_requests_total[{{.window}}]))", "warning irate"),
        ("sum(rate(gateway_ttft_seconds_bucket[{{.window}}]))", "error every-bucket"),
        ("histogram_quantile(0.9, sum by (le) (rate(gateway_ttft_seconds_bucket[{{.window}}])))", "warning quantile"),
        ('avg_over_time(gateway_latency_seconds{quantile="0.99"}[{{.window}}])', "warning quantile"),
    ],
)
def test_a_metric_is_read_as_its_type_asks(query, found):
    assert codes(an_slo(indicator=ErrorRatio(query=query))) == [found]


@pytest.mark.parametrize(
    "query",
    [
        "avg_over_time(gateway_queue[{{.window}}]) > bool 10",
        "1 - count_over_time(gateway_requests_total[{{.window}}]) / 60",
        "sum(rate(gateway_latency_seconds_sum[{{.window}}])) / sum(rate(gateway_latency_seconds_count[{{.window}}]))",
        "sum by (le) (rate(gateway_ttft_seconds_bucket[{{.window}}]))",
        "histogram_fraction(0, 0.5, sum by (le) (rate(gateway_ttft_seconds_bucket[{{.window}}])))",
        "sum(rate(gateway_unknown_total[{{.window}}]))",
    ],
)
def test_what_a_type_allows_is_left_alone(query):
    page = f"{METRICS}gateway_unknown_total 3\n"
    assert codes(an_slo(indicator=ErrorRatio(query=query)), catalog=seen(page)) == []


@pytest.mark.parametrize(
    ("errors", "total", "found"),
    [
        (BY_CODE, TOTAL, ["error groups"]),
        ("sum(rate(gateway_requests_total[{{.window}}])) by (code)", BY_CODE, []),
        ("sum without (pod) (rate(gateway_requests_total[{{.window}}]))", TOTAL, []),  # depends on the series
        (f"clamp_min({ERRORS} - 1, 0)", TOTAL, []),
        (ERRORS, 'sum(rate(gateway_requests_total{code="200"}[{{.window}}]))', ["warning not-a-part"]),
        (ERRORS.replace("outcome=", 'code="500",outcome='), ERRORS.replace("failed", "ok"), ["warning not-a-part"]),
        (ERRORS, 'sum(rate(gateway_requests_total{outcome!="x"}[{{.window}}]))', []),
    ],
)
def test_errors_and_total_go_together(errors, total, found):
    assert codes(asks(errors, total)) == found


def test_many_groups_are_many_slos():
    def page(users):
        series = "".join(f'gateway_requests_total{{user="{n}"}} 1\n' for n in range(users))
        return seen(f"# TYPE gateway_requests_total counter\n{series}")

    by_user = "sum by (user) (rate(gateway_requests_total[{{.window}}]))"
    assert codes(asks(by_user, by_user), catalog=page(50)) == []
    assert codes(asks(by_user, by_user), catalog=page(51)) == ["warning cardinality"]
    assert "makes 51 SLOs of one" in whats(asks(by_user, by_user), catalog=page(51))


def test_an_alert_that_cannot_fire_is_found_where_it_is_wanted():
    page = AlertPolicy(annotations={"runbook_url": "https://runbooks/gateway"})
    # 30 days: 14.4 and 6 times. At 90 % the first needs 144 % errors, the second 60 %; at 80 % both are out of reach.
    assert codes(asks(objective=0.99, page=page)) == []
    assert codes(asks(objective=0.9, page=page)) == ["warning dead-tier"]
    assert codes(asks(objective=0.8, page=page)) == ["error dead-alert"]
    assert codes(asks(objective=0.8)) == []
    assert codes(asks(objective=0.8, page=page, adapt=True)) == []
    assert codes(asks(objective=0.6, ticket=AlertPolicy())) == ["warning dead-tier"]


def test_a_page_says_what_to_do():
    assert codes(asks(page=AlertPolicy())) == ["info no-runbook"]
    assert codes(asks(page=AlertPolicy(), alert_annotations={"runbook": "see wiki"})) == []


def test_exclusions_that_are_over_or_end_soon_are_told():
    def excluded(start, repeat=""):
        return asks(exclusions=(Exclusion(reason="upgrade", start=start, length=3600.0, repeat=repeat),))

    last_year, tomorrow = datetime(2025, 6, 1), datetime(2026, 6, 2)  # noqa: DTZ001
    assert codes(excluded(last_year)) == ["info exclusion-over"]
    assert codes(excluded(tomorrow)) == []
    assert codes(excluded(last_year, "FREQ=WEEKLY")) == []
    assert codes(excluded(last_year, "FREQ=WEEKLY;UNTIL=20260610T000000")) == ["warning exclusion-ends"]


def test_a_period_without_tiers_is_not_the_linters_business():
    assert codes(asks(window=Rolling(length=3600.0), page=AlertPolicy(disabled=False))) == []


RULES = """
groups:
  - name: gateway
    rules:
      - record: gateway:errors:rate5m
        expr: sum(rate(gateway_requests_total{outcome="failed"}[5m]))
      - alert: Errors
        expr: gateway:errors:rate5m > 1 or up == 0 or absent(gateway_new_total)
      - alert: Queue
        expr: |-
          gateway_queue_length
            > 10
"""


def test_rules_that_read_what_was_never_seen_are_found_unless_they_ask_just_that():
    (one,) = lint([], {}, seen(), now=NOW, rules=read_rules(RULES, "rules.yaml"))
    assert one.problem.what == "alert Queue reads gateway_queue_length, which was never seen"
    assert one.problem.hint == "did you mean gateway_queue?"


def test_what_rules_record_can_be_asked_for():
    slo = an_slo(indicator=ErrorRatio(query="gateway:errors:rate5m / 10"))
    assert codes(slo) == ["error no-metric"]
    assert codes(slo, rules=read_rules(RULES.replace("gateway_queue_length", "gateway_queue"), "rules.yaml")) == []


def test_rules_that_soon_know_no_more_of_the_calendar_are_told():
    month = Calendar(unit="month", start=datetime(2026, 1, 1))  # noqa: DTZ001
    slo = replace(asks(), window=month)

    def rules(until):
        expr = f"vector(1) and vector(time()) >= {until:.0f}"
        text = f'groups: [{{name: a, rules: [{{record: a, expr: "{expr}", labels: {{sloth_id: {slo.rule_id}}}}}]}}]'
        return read_rules(text, "rules.yaml")

    assert codes(slo, rules=rules(NOW + 90 * 86400)) == []
    assert codes(slo, rules=rules(NOW + 9 * 86400)) == ["warning rules-end"]
    assert codes(asks(), rules=rules(NOW + 9 * 86400)) == []


def test_every_name_a_query_reads_is_asked_for_once():
    assert names_read([asks(), asks()]) == ("gateway_requests_total",)


EACH = "histogram_count(rate(gateway_ttft_seconds[{{.window}}]))"
SLOW = "sum((1 - histogram_fraction(0, 0.5, rate(gateway_ttft_seconds[{{.window}}]))) * " + EACH + ")"
SLOW_OF_ALL = (
    "(1 - histogram_fraction(0, 0.5, sum(rate(gateway_ttft_seconds[{{.window}}]))))"
    " * histogram_count(sum(rate(gateway_ttft_seconds[{{.window}}])))"
)


def native():
    """A server that keeps the histogram as a native one."""
    types = {"gateway_ttft_seconds": [{"type": "histogram"}]}
    return from_server("", ["gateway_ttft_seconds"], [{"__name__": "gateway_ttft_seconds", "job": "a"}], types)


@pytest.mark.parametrize(
    ("errors", "bound", "found"),
    [
        (SLOW_OF_ALL, 0.5, []),
        (SLOW_OF_ALL, None, []),
        (SLOW_OF_ALL, 0.3, ["error bound"]),
        # The share of a replica that is idle is 0 / 0.
        (SLOW, 0.5, ["warning sum-of-fractions"]),
        (f"sum({EACH}) - {SLOW_OF_ALL}", 0.5, []),
    ],
)
def test_native_histograms_are_added_up_before_their_share_is_taken(errors, bound, found):
    assert codes(asks(errors, f"sum({EACH})", bound=bound), catalog=native()) == found


def test_a_native_histogram_that_is_seen_with_classic_buckets_is_told():
    slo = asks(SLOW_OF_ALL, f"sum({EACH})")
    # A page of metrics cannot show another.
    assert set(codes(slo)) == {"info native-histogram"}
    assert set(codes(slo, catalog=scraped(job="gateway"))) == {"error native-histogram"}


PLUGGED = """\
version: prometheus/v1
service: gateway
slo_plugins:
  overridePrevious: true
  chain:
    - {id: sloth.dev/core/validate/v1}
    - {id: sloth.dev/contrib/rule_intervals/v1, config: {interval: {default: 1m}}}
slos:
  - name: availability
    objective: 99
    plugins:
      chain:
        - {id: ours/v1, priority: -1}
        - {id: sloth.dev/contrib/remove_labels/v1}
    sli:
      events:
        error_query: sum(rate(gateway_requests_total{outcome="failed"}[{{.window}}]))
        total_query: sum(rate(gateway_requests_total[{{.window}}]))
    alerting: {page_alert: {disable: true}, ticket_alert: {disable: true}}
"""
RESOURCE = """\
apiVersion: sloth.slok.dev/v1
kind: PrometheusServiceLevel
metadata: {name: gateway}
spec:
  service: gateway
  sloPlugins: {chain: [{id: sloth.dev/contrib/info_labels/v1, config: {labels: {team: us}}}]}
  slos:
    - name: availability
      objective: 99
      plugins: {chain: [{id: sloth.dev/contrib/error_budget_exhausted_alert/v1}]}
      sli: {raw: {errorRatioQuery: "avg_over_time(gateway_queue[{{.window}}])"}}
      alerting: {pageAlert: {disable: true}, ticketAlert: {disable: true}}
"""


def plugged(text):
    """(severity, line, what the caret stands under) of each finding about plugins."""
    slos, problems = read_slos(text, "f")
    assert problems == []
    found = [one for one in lint(slos, {"f": text}, seen(), now=NOW) if one.problem.code == "lint/plugin"]
    shown = [(one.problem.source, one.problem.where.column - 1, one.problem.width) for one in found]
    marked = [source[column : column + width] for source, column, width in shown]
    return [(one.severity, one.problem.where.line, text) for one, text in zip(found, marked, strict=True)]


def test_plugins_that_native_rules_pass_over_are_told_where_they_stand():
    assert plugged(PLUGGED) == [
        ("warning", 4, "overridePrevious"),
        ("warning", 7, "sloth.dev/contrib/rule_intervals/v1"),
        ("warning", 13, "ours/v1"),
        ("info", 14, "sloth.dev/contrib/remove_labels/v1"),
    ]
    assert plugged(RESOURCE) == [
        ("warning", 6, "sloth.dev/contrib/info_labels/v1"),
        ("warning", 10, "sloth.dev/contrib/error_budget_exhausted_alert/v1"),
    ]


def test_every_plugin_that_ships_with_sloth_is_known_to_be_missed_or_not():
    assert KNOWN.keys() == STEPS.keys()


def test_every_code_is_documented():
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "lint-and-plan-slos.md").read_text(encoding="utf-8")
    assert [code for code in CODES if f"`{code}`" not in page] == []
