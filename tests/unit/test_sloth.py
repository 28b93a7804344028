"""Sloth files read strictly: what Sloth would ignore in silence is a problem with a place."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.errors import SpecError
from holdfast.slo.sloth import named_in, read_slos

GATEWAY = (Path(__file__).parents[2] / "slos" / "gateway.yaml").read_text(encoding="utf-8")
HEAD = "version: prometheus/v1\nservice: gateway\nslos:\n"
ONE = """\
  - name: availability
    objective: 99.9
    labels: {sli: availability}
    sli:
      events:
        error_query: sum(rate(bad[{{.window}}]))
        total_query: sum(rate(all[{{.window}}]))
    alerting: {name: Gateway}
"""


def problems(text):
    return [one.what for one in sorted(read_slos(text, "slos/a.yaml")[1])]


def changed(old, new):
    assert old in ONE
    return HEAD + ONE.replace(old, new)


def test_a_good_file_has_no_problems():
    assert problems(HEAD + ONE) == []


def test_the_projects_own_slos_are_read_whole():
    availability, ttft = read_slos(GATEWAY, "slos/gateway.yaml")[0]
    assert (availability.id, availability.objective, availability.sli, availability.bound) == (
        "gateway/availability",
        0.99,
        "availability",
        None,
    )
    assert (ttft.id, ttft.objective, ttft.sli, ttft.bound) == ("gateway/ttft", 0.95, "ttft", 0.5)
    assert ttft.labels == {"owner": "platform", "sli": "ttft", "bound": "500ms"}
    assert not ttft.page.disabled
    assert str(availability.where) == "slos/gateway.yaml:7:5"


def test_the_budget_is_exact():
    (slo,) = read_slos(HEAD + ONE, "f")[0]
    assert slo.budget == 0.001  # 1 - 0.999 without the dust of binary fractions


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("objective: 99.9", "objective: 100", "objective must lie between 0 and 100, got 100"),
        ("objective: 99.9", "objective: 0", "objective must lie between 0 and 100, got 0"),
        ("objective: 99.9", "objective: 99.99999999999999", "objective must lie between 0 and 100, got 100"),
        ("objective: 99.9", 'objective: "99.9"', "expected a number, got '99.9'"),
        ("objective: 99.9", "objective: true", "expected a number, got True"),
        ("objective: 99.9", "objective: nan", "expected a number, got 'nan'"),
        ("objective: 99.9", "goal: 99.9", "required key 'objective' is missing"),
        ("name: availability", "name: -x", "not a name: '-x'"),
        ("name: availability", "name: a b", "not a name: 'a b'"),
        ("sum(rate(bad[{{.window}}]))", "sum(rate(bad[5m]))", "the query has no {{.window}}"),
        ("sli: availability", "sli: avail", "clients know no SLI 'avail'"),
        ("sli: availability", "sli: ttft", "SLI ttft needs a bound"),
        ("sli: availability", "sli: ttft, bound: fast", "expected a duration such as 250ms, 40s or 5m, got 'fast'"),
        ("sli: availability", "sloth_id: x", "label 'sloth_id' belongs to the generated rules"),
        ("alerting: {name: Gateway}", "alerting: {}", "alerting needs a name, or both alerts disabled"),
        ("alerting: {name: Gateway}", "alerting: {name: G, page_alert: {off: true}}", "unknown key 'off'"),
        ("events:", "raw:", "unknown key 'raw'"),
    ],
)
def test_each_problem_alone(old, new, what):
    assert what in problems(changed(old, new))


def test_broken_promql_is_told_before_any_server_sees_it():
    (what,) = problems(changed("sum(rate(bad[{{.window}}]))", "sum(rate(bad[{{.window}}])"))
    assert what.startswith("not PromQL: ")


def test_both_alerts_disabled_need_no_name():
    text = changed(
        "alerting: {name: Gateway}", "alerting: {page_alert: {disable: true}, ticket_alert: {disable: true}}"
    )
    assert problems(text) == []


def test_two_slos_of_one_name_are_a_problem():
    assert problems(HEAD + ONE + ONE) == ["duplicate SLO 'availability'"]


def test_the_version_is_checked():
    assert problems((HEAD + ONE).replace("prometheus/v1", "sloth.slok.dev/v1")) == [
        "not a Sloth version: 'sloth.slok.dev/v1'"
    ]


def test_no_slo_at_all_is_a_problem():
    assert problems("version: prometheus/v1\nservice: gateway\nslos: []\n") == ["expected at least one item"]


def test_all_problems_of_a_file_come_together():
    text = HEAD + ONE.replace("99.9", "100") + ONE.replace("[{{.window}}]", "[5m]").replace("name: avail", "nam: avail")
    assert problems(text) == [
        "objective must lie between 0 and 100, got 100",
        "required key 'name' is missing",
        "unknown key 'nam'",
        "the query has no {{.window}}",
        "the query has no {{.window}}",
    ]


def test_an_slo_without_a_client_sli_is_read_but_has_no_witness():
    (slo,) = read_slos(changed("labels: {sli: availability}", "labels: {}"), "f")[0]
    assert slo.sli is None


def test_several_documents_may_stand_in_one_file():
    second = (HEAD + ONE).replace("service: gateway", "service: engine")
    slos, wrong = read_slos(f"{HEAD}{ONE}---\n{second}", "f")
    assert ([slo.id for slo in slos], wrong) == (["gateway/availability", "engine/availability"], [])


def test_broken_slos_are_known_by_name():
    assert named_in(HEAD + ONE.replace("99.9", "100"), "f") == {"gateway/availability"}
    assert named_in("slos: 5\n", "f") == set()


def test_what_is_not_yaml_is_refused():
    with pytest.raises(SpecError):
        read_slos("slos: [", "f")
