"""Sloth's custom resource: the same SLOs in camel case, and what is ours in annotations."""

from __future__ import annotations

import pytest

from holdfast.model.slo import DAY, Rolling
from holdfast.slo.files.read import named_in, read_slos

RESOURCE = """\
apiVersion: sloth.slok.dev/v1
kind: PrometheusServiceLevel
metadata:
  name: gateway
  namespace: monitoring
  annotations:
    team: platform
    holdfast.dev/period: 28d
    holdfast.dev/exclude: |
      - {reason: rollout, start: 2026-11-20T02:00, for: 2h, zone: Europe/Berlin}
spec:
  service: gateway
  labels: {owner: platform}
  slos:
    - name: availability
      objective: 99.9
      labels: {sli: availability}
      sli:
        events:
          errorQuery: sum(rate(bad[{{.window}}]))
          totalQuery: sum(rate(all[{{.window}}]))
      alerting:
        name: Gateway
        ticketAlert: {disable: true}
    - name: freshness
      objective: 99
      sli:
        raw: {errorRatioQuery: 'avg_over_time(stale[{{.window}}])'}
      alerting: {pageAlert: {disable: true}, ticketAlert: {disable: true}}
"""


def told(old, new):
    assert old in RESOURCE
    return [
        (f"{one.where.line}:{one.where.column}", one.what, one.code)
        for one in sorted(read_slos(RESOURCE.replace(old, new), "f")[1])
    ]


def test_a_resource_is_read_like_a_file():
    (availability, freshness), wrong = read_slos(RESOURCE, "f")
    assert wrong == []
    assert (availability.id, freshness.id) == ("gateway/availability", "gateway/freshness")
    assert availability.labels == {"owner": "platform", "sli": "availability"}
    assert (availability.page.disabled, availability.ticket.disabled) == (False, True)
    assert str(availability.where) == "f:15:7"


def test_annotations_count_for_every_slo_of_the_resource():
    slos, _ = read_slos(RESOURCE, "f")
    assert {slo.window for slo in slos} == {Rolling(length=28 * DAY)}
    assert [[one.reason for one in slo.exclusions] for slo in slos] == [["rollout"], ["rollout"]]


DEAD = "the quick tier of the page alert can never fire: 228% of events would have to be bad"  # 13.44 x 0.17


@pytest.mark.parametrize(
    ("old", "new", "where", "what", "code"),
    [
        ("errorQuery", "error_query", "20:11", "required key 'errorQuery' is missing", "missing-key"),
        ("period: 28d", "period: 28", "8:26", "expected text, got 28", "type"),
        ("period: 28d", "period: '28'", "8:26", "expected a duration such as 40s, got 28 without a unit", "value"),
        ("holdfast.dev/pe", "holdfast.dev/po", "8:5", "unknown annotation 'holdfast.dev/poriod'", "unknown-key"),
        ("period: 28d", 'period: "["', "8:26", "not YAML: expected the node content, but found '<stream end>'", "yaml"),
        ("zone: Europe/Berlin", "zone: Berlin", "10:7", "no time zone is named 'Berlin'", "zone"),
        ("namespace: m", "namespace: M", "5:14", "Kubernetes takes no object named 'Monitoring'", "name"),
        ("  service: g", "  x-holdfast: {}\n  service: g", "12:3", "unknown key 'x-holdfast'", "unknown-key"),
        ("name: availability", f"name: {'a' * 129}", "15:13", "a name has at most 128 letters, got 129", "name"),
        ("objective: 99.9", "objective: 83", "16:18", DEAD, "dead-tier"),
        ("ServiceLevel", "ServiceLevel # ours", "2:1", "Sloth looks for kind in a line of its own", "told-apart"),
    ],
)
def test_each_problem_is_told_at_its_place(old, new, where, what, code):
    assert (where, what, f"slo/{code}") in told(old, new)


def test_a_period_and_a_calendar_exclude_each_other_in_annotations_too():
    calendar = "holdfast.dev/calendar: '{unit: month, start: 2026-01-01, zone: UTC}'\n    holdfast.dev/exclude"
    assert told("holdfast.dev/exclude", calendar) == [
        ("9:28", "period and calendar exclude each other", "slo/contradiction")
    ]


def test_what_a_broken_resource_names_is_known():
    assert named_in(RESOURCE.replace("99.9", "1000"), "f") == {"gateway/availability", "gateway/freshness"}


@pytest.mark.parametrize("text", ["metadata: 5", "spec: []", "spec: {slos: {}}", "metadata: {annotations: [1]}"])
def test_any_tree_is_read_or_refused(text):
    slos, wrong = read_slos(f"apiVersion: sloth.slok.dev/v1\nkind: PrometheusServiceLevel\n{text}\n", "f")
    assert slos == []
    assert wrong != []
