"""OpenSLO v1: objects that name each other become SLOs; what rules cannot do is a problem and never left out."""

from __future__ import annotations

from datetime import datetime

import pytest

from holdfast.model.slo import (
    DAY,
    Calendar,
    ErrorRatio,
    Events,
    RatioTimeslices,
    Rolling,
    Threshold,
    Timeslices,
)
from holdfast.slo.files.read import named_in, read_slos

SLO = """\
apiVersion: openslo/v1
kind: SLO
metadata:
  name: web-availability
  labels: {team: [search, web], sli: availability}
  annotations: {holdfast.dev/least-bad: '5'}
spec:
  description: Searches are answered.
  service: web
  indicator:
    metadata: {name: successful}
    spec:
      ratioMetric:
        counter: true
        bad: {metricSource: {type: Prometheus, spec: {query: 'sum(rate(bad[{{.window}}]))'}}}
        total: {metricSource: {type: Prometheus, spec: {query: 'sum(rate(all[{{ .window }}]))'}}}
  timeWindow:
    - {duration: 28d, isRolling: true}
  budgetingMethod: Occurrences
  objectives:
    - target: 0.999
"""
ALERT = """\
  alertPolicies:
    - kind: AlertPolicy
      metadata: {name: wake-up}
      spec:
        alertWhenBreaching: true
        conditions:
          - kind: AlertCondition
            metadata: {name: fast}
            spec:
              severity: page
              condition: {kind: burnrate, op: gt, threshold: 13.44, lookbackWindow: 1h}
        notificationTargets:
          - targetRef: pager
"""
SLI = """\
apiVersion: openslo/v1
kind: SLI
metadata: {name: quick}
spec:
  thresholdMetric:
    metricSource:
      metricSourceRef: ours
      spec: {query: 'histogram_quantile(0.99, sum by (le) (rate(seconds_bucket[1m])))'}
"""
SOURCE = """\
apiVersion: openslo/v1
kind: DataSource
metadata: {name: ours}
spec: {type: Prometheus, connectionDetails: {url: http://prometheus}}
"""
BAD = "bad: {metricSource: {type: Prometheus, spec: {query: 'sum(rate(bad[{{.window}}]))'}}}"
INLINE = SLO[SLO.index("  indicator:") : SLO.index("  timeWindow:")]


def one(text):
    (found,), wrong = read_slos(text, "f")
    assert [str(problem) for problem in wrong] == []
    return found


def told(text):
    return [
        (f"{each.where.line}:{each.where.column}", each.what, each.code) for each in sorted(read_slos(text, "f")[1])
    ]


def changed(*pairs, text=SLO):
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


def test_a_whole_object_is_read():
    slo = one(SLO)
    assert (slo.id, slo.objective, slo.description, slo.least_bad) == (
        "web/web-availability",
        0.999,
        "Searches are answered.",
        5,
    )
    assert slo.indicator == Events(error_query="sum(rate(bad[{{.window}}]))", total_query="sum(rate(all[{{.window}}]))")
    assert slo.window == Rolling(length=28 * DAY)
    assert slo.labels == {"team": "search,web", "sli": "availability"}
    assert (slo.sli, slo.page.disabled, slo.ticket.disabled) == ("availability", True, True)


def test_what_is_not_good_is_bad_even_where_nothing_good_was_ever_seen():
    slo = one(changed((BAD, BAD.replace("bad", "good"))))
    assert slo.indicator.error_query == (
        "(sum(rate(all[{{.window}}])))\n"
        "- ((sum(rate(good[{{.window}}]))) or (sum(rate(all[{{.window}}]))) * 0)"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "query"), [("failure", "errors offset {{.window}}"), ("success", "1 - (errors offset {{.window}})")]
)
def test_a_ratio_made_elsewhere_is_one_of_failures(kind, query):
    raw = "raw: {metricSource: {type: prometheus, spec: {query: 'errors offset {{.window}}'}}}"
    raw = f"rawType: {kind}\n        {raw}"
    total = SLO[SLO.index("        total:") : SLO.index("  timeWindow:")]
    assert one(changed((BAD, raw), (total, ""))).indicator == ErrorRatio(query=query)


def test_an_indicator_may_be_an_object_of_its_own_with_a_source_of_its_own():
    slo = changed((INLINE, "  indicatorRef: quick\n"), ("- target: 0.999", "- {target: 0.999, op: lte, value: 0.3}"))
    assert one(f"{slo}---\n{SLI}---\n{SOURCE}").indicator == Threshold(
        query="histogram_quantile(0.99, sum by (le) (rate(seconds_bucket[1m])))", op="lte", value=0.3
    )


def test_each_objective_is_an_slo_of_its_own():
    text = changed(("    - target: 0.999", "    - target: 0.999\n    - targetPercent: 99.5"))
    slos, wrong = read_slos(text, "f")
    assert wrong == []
    assert [(slo.name, slo.objective, slo.where.line) for slo in slos] == [
        ("web-availability-0", 0.999, 21),
        ("web-availability-1", 0.995, 22),
    ]
    assert named_in(text, "f") == {"web/web-availability-0", "web/web-availability-1"}
    assert named_in(SLO, "f") == {"web/web-availability"}


@pytest.mark.parametrize(
    ("written", "window"),
    [
        ("{duration: 1M, isRolling: true}", Rolling(length=30 * DAY)),
        (
            "{duration: 1Q, calendar: {startTime: 2026-01-01 12:00:00, timeZone: America/New_York}}",
            Calendar(unit="quarter", start=datetime.fromisoformat("2026-01-01T12:00"), zone="America/New_York"),
        ),
        (
            "{duration: 2w, isRolling: false, calendar: {startTime: 2026-01-05 00:00:00, timeZone: UTC}}",
            Calendar(unit="week", count=2, start=datetime.fromisoformat("2026-01-05"), zone="UTC"),
        ),
    ],
)
def test_windows_roll_or_follow_a_calendar(written, window):
    assert one(changed(("{duration: 28d, isRolling: true}", written))).window == window


def test_without_a_window_thirty_days_roll():
    assert one(changed(("  timeWindow:\n    - {duration: 28d, isRolling: true}\n", ""))).window == Rolling()


@pytest.mark.parametrize(
    ("method", "objective", "budgeting"),
    [
        ("Timeslices", "timeSliceTarget: 0.95, timeSliceWindow: 1m", Timeslices(length=60, target=0.95)),
        ("Timeslices", "timeSliceTarget: 1, timeSliceWindow: 5", Timeslices(length=300, target=1.0)),
        ("RatioTimeslices", "timeSliceWindow: 1h", RatioTimeslices(length=3600)),
    ],
)
def test_slices_of_time(method, objective, budgeting):
    text = changed(("Occurrences", method), ("- target: 0.999", f"- {{target: 0.999, {objective}}}"))
    assert one(text).budgeting == budgeting


def test_a_policy_that_asks_for_a_tier_switches_its_alert_on():
    # 28 days: 2 % of the budget in an hour is 0.02 x 672 = 13.44 times too fast
    slo = one(SLO + ALERT)
    assert (slo.alert, slo.page.disabled, slo.ticket.disabled) == ("WebAvailability", False, True)
    assert slo.page.annotations == {"notify": "pager"}


def test_policies_and_conditions_may_be_objects_of_their_own():
    condition = ALERT[ALERT.index("              severity") : ALERT.index("        notificationTargets")]
    condition = "apiVersion: openslo/v1\nkind: AlertCondition\nmetadata: {name: fast}\nspec:\n" + condition
    policy = (
        "apiVersion: openslo/v1\nkind: AlertPolicy\nmetadata: {name: wake-up}\n"
        "spec: {alertWhenBreaching: true, conditions: [{conditionRef: fast}]}\n"
    )
    text = f"{SLO}  alertPolicies: [{{alertPolicyRef: wake-up}}]\n---\n{policy}---\n{condition}"
    assert not one(text).page.disabled
    assert told(text.replace("13.44", "2")) == [
        ("34:62", "no page alert fires at 2 times the burn rate over this window", "slo/alert")
    ]
    assert told(text.replace("Ref: fast", "Ref: slow")) == [
        ("27:62", "no AlertCondition is named 'slow' in this file", "slo/reference")
    ]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("severity: page", "severity: sev1", "no alert has the severity 'sev1'"),
        ("op: gt", "op: lte", "an alert on burning too little"),
        ("1h}", "1h, alertAfter: 5m}", "alerts do not wait"),
        ("1h}", "2h}", "no page alert fires at 13.44 times the burn rate over this window"),
        ("WhenBreaching", "WhenNoData", "a policy that does not alert when breaching has no rule"),
        ("kind: burnrate", "kind: budget", "expected 'burnrate', got 'budget'"),
        ("metadata: {name: fast}", "conditionRef: fast", "either conditionRef, or kind, metadata and spec"),
    ],
)
def test_an_alert_that_no_tier_is_is_a_problem(old, new, what):
    assert what in [found for _, found, _ in told(changed((old, new), text=SLO + ALERT))]


BOTH = f"{BAD}\n        {BAD.replace('bad', 'good')}"
SLICED = "{target: 0.9, timeSliceWindow: 1m}"
SOON = "calendar: {startTime: soon, timeZone: UTC}"
SPEC = "type: Prometheus, spec: {query: 'sum(rate(bad"
QUERY = "'sum(rate(bad[{{.window}}]))'"
ROLLS = "duration: 28d, isRolling: true"
MARS = "calendar: {startTime: 2026-01-01 00:00:00, timeZone: Mars}"
LAST_DAY = "duration: 1M, calendar: {startTime: 2026-01-31 00:00:00, timeZone: UTC}"


@pytest.mark.parametrize(
    ("old", "new", "what", "code"),
    [
        ("kind: SLO", "kind: Objective", "OpenSLO has no kind 'Objective'", "format"),
        ("name: web-av", "name: Web_av", "OpenSLO takes no object named 'Web_availability'", "name"),
        ("service: web", "service: w", "not a name: 'w'", "name"),
        (SPEC, SPEC.replace("Prometheus", "Datadog"), "only Prometheus can be asked, not Datadog", "source"),
        (SPEC, SPEC.replace("type: Prometheus, ", ""), "the source's type is missing", "source"),
        (SPEC, SPEC.replace("{query", "{range: 5m, query"), "unknown key 'range'", "unknown-key"),
        (QUERY, "5", "a Prometheus source needs its query as text", "promql"),
        (QUERY, "'sum(rate(bad[5m]))'", "the query has no {{.window}}", "window"),
        (QUERY, "bad_total", "a counter says nothing without a range", "window"),
        (QUERY, QUERY.replace("rate", "rat"), "not PromQL: unknown function with name 'rat'", "promql"),
        (QUERY, QUERY.replace("bad", "all"), "the error query is the total query", "same-query"),
        (BAD, BAD.replace("bad", "good").replace("(good", "(all"), "the good query is the total query", "same-query"),
        (BAD, BOTH, "a ratioMetric is good and total, bad and total, or raw and rawType", "sli"),
        ("target: 0.999", "target: 1", "objective must lie between 0 and 1", "objective"),
        ("target: 0.999", "target: 99.9", "objective must lie between 0 and 1", "objective"),
        ("target: 0.999", "{target: 0.9, targetPercent: 90}", "an objective has target or targetPercent", "objective"),
        ("target: 0.999", "{target: 0.999, op: gt}", "op belongs to a thresholdMetric", "objective"),
        ("target: 0.999", "{target: 0.999, indicatorRef: x1}", "composites cannot be read", "composite"),
        ("target: 0.999", SLICED, "timeSliceWindow does not belong to Occurrences", "budgeting"),
        ("Occurrences", "Timeslices", "timeSliceTarget is needed by Timeslices", "budgeting"),
        (ROLLS, "duration: 28d", "a time window either rolls (isRolling: true) or has a calendar", "contradiction"),
        ("duration: 28d", "duration: 28", "expected a length such as 5m, 28d or 1M, got 28", "length"),
        ("duration: 28d", "duration: 36h", "a period cannot last 129600 seconds", "length"),
        ("isRolling: true", MARS, "no time zone is named 'Mars'", "zone"),
        ("isRolling: true", SOON, "expected a time such as 2026-11-20T02:00, got 'soon'", "time"),
        (ROLLS, LAST_DAY, "not every month has a day 31 to start at", "calendar"),
        ("least-bad: '5'", "period: 7d", "timeWindow says this in OpenSLO", "contradiction"),
        ("least-bad: '5'", "budgeting: occurrences", "budgetingMethod says this in OpenSLO", "contradiction"),
        ("least-bad: '5'", "lest-bad: '5'", "unknown annotation 'holdfast.dev/lest-bad'", "unknown-key"),
        ("sli: availability", "sli: ttft", "SLI ttft needs a bound", "client"),
        ("sli: availability", "sloth_id: x", "label 'sloth_id' belongs to the generated rules", "reserved-label"),
        ("sli: availability", "a-b: x, a.b: z", "another label is 'a_b' for Prometheus too", "label"),
        ("  indicator:\n", "  indicatorRef: x\n  indicator:\n", "an SLO needs indicator or indicatorRef", "sli"),
        (INLINE, "  indicatorRef: fast\n", "no SLI is named 'fast' in this file", "reference"),
        (INLINE, "", "an SLO needs indicator or indicatorRef", "sli"),
    ],
)  # fmt: skip
def test_each_problem_alone(old, new, what, code):
    assert (what, f"slo/{code}") in [found[1:] for found in told(changed((old, new)))]


def test_a_problem_stands_at_the_very_word():
    text = changed((QUERY, "'sum(rate(bad[5m]))'"), ("target: 0.999", "target: 1"))
    assert told(text) == [
        ("15:75", "the query has no {{.window}}", "slo/window"),
        ("21:15", "objective must lie between 0 and 1", "slo/objective"),
    ]


def test_names_are_checked_where_the_file_has_such_objects():
    service = "apiVersion: openslo/v1\nkind: Service\nmetadata: {name: shop}\nspec: {}\n"
    assert told(f"{SLO}---\n{service}") == [("9:12", "no Service is named 'web' in this file", "slo/reference")]
    assert told(f"{SLO}---\n{service.replace('shop', 'web')}") == []
    ref = SLO.replace(
        "{type: Prometheus, spec: {query: 'sum(rate(bad", "{metricSourceRef: their, spec: {query: 'sum(rate(bad"
    )
    assert ("15:47", "no DataSource is named 'their' in this file", "slo/reference") in told(f"{ref}---\n{SOURCE}")


def test_two_objects_of_one_kind_and_name_are_a_problem():
    assert told(f"{SOURCE}---\n{SOURCE}") == [("8:18", "another DataSource has the name ours", "slo/duplicate")]


def test_an_indicator_is_checked_even_where_nobody_uses_it():
    assert told(f"{SLI.replace('[1m]', '[{{.window}}]')}---\n{SOURCE}") == [
        ("8:80", "a value against a limit is measured at one time", "slo/window")
    ]


ALPHA = """\
apiVersion: openslo/v1alpha
kind: SLO
metadata: {name: slo1, displayName: One}
spec:
  service: svc01
  description: As Sloth reads it.
  budgetingMethod: Occurrences
  objectives:
    - ratioMetrics:
        good: {source: prometheus, queryType: promql, query: 'sum(rate(good[{{.window}}]))'}
        total: {source: prometheus, queryType: promql, query: 'sum(rate(all[{{.window}}]))'}
      target: 0.999
  timeWindows: [{count: 28, unit: Day}]
"""


def test_v1alpha_is_read_as_sloth_reads_it():
    slo = one(ALPHA)
    assert (slo.rule_id, slo.objective, slo.window) == ("svc01-slo1-0", 0.999, Rolling(length=28 * DAY))
    assert (slo.page.disabled, slo.ticket.disabled) == (True, True)
    assert slo.indicator.total_query == "sum(rate(all[{{.window}}]))"
    assert named_in(ALPHA, "f") == {"svc01/slo1-0"}


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("target: 0.999", "target: 99.9", "objective must lie between 0 and 1, got 99.9"),
        ("good: {source: prometheus", "good: {source: datadog", "expected 'prometheus' or 'sloth', got 'datadog'"),
        ("unit: Day", "unit: Month", "expected 'Day', got 'Month'"),
        ("count: 28", "count: 0", "a period cannot last 0 seconds"),
        ("budgetingMethod: Occurrences", "budgetingMethod: Timeslices", "expected 'Occurrences', got 'Timeslices'"),
        ("rate(good", "rate(all", "the good query is the total query"),
        ("kind: SLO", 'kind: "SLO" # one', "Sloth looks for kind in a line of its own"),
    ],
)  # fmt: skip
def test_each_problem_of_v1alpha_alone(old, new, what):
    assert what in [found for _, found, _ in told(changed((old, new), text=ALPHA))]
