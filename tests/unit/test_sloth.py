"""Sloth files read strictly: what Sloth would ignore in silence is a problem with a place."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.errors import SpecError
from holdfast.model.slo import ErrorRatio, Events
from holdfast.slo.files.read import named_in, read_slos
from holdfast.slo.files.sloth import File
from holdfast.spec.shapes import shaped
from holdfast.spec.source import read

GATEWAY = Path(__file__).parents[1] / "golden" / "good-project" / "slos" / "gateway.yaml"
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


def codes(text):
    return [one.code for one in sorted(read_slos(text, "slos/a.yaml")[1])]


def changed(old, new):
    assert old in ONE
    return HEAD + ONE.replace(old, new)


def test_a_good_file_has_no_problems():
    assert problems(HEAD + ONE) == []


def test_a_whole_file_is_read():
    availability, ttft = read_slos(GATEWAY.read_text(encoding="utf-8"), "slos/gateway.yaml")[0]
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


def test_blanks_around_the_window_mean_the_same():
    (slo,), wrong = read_slos((HEAD + ONE).replace("{{.window}}", "{{ .window }}"), "f")
    assert wrong == []
    assert slo.indicator == Events(error_query="sum(rate(bad[{{.window}}]))", total_query="sum(rate(all[{{.window}}]))")


def test_a_ratio_made_elsewhere_is_read():
    text = changed("events:", "raw: {error_ratio_query: 'errors:ratio5m + 0 * errors:ratio[{{.window}}]'}")
    text = "\n".join(line for line in text.splitlines() if "_query: sum" not in line)
    (slo,), wrong = read_slos(text.replace(":ratio[{{.window}}]", ":ratio offset {{.window}}"), "f")
    assert wrong == []
    assert slo.indicator == ErrorRatio(query="errors:ratio5m + 0 * errors:ratio offset {{.window}}")


QUERY = "sum(rate(bad[{{.window}}]))"


@pytest.mark.parametrize(
    ("old", "new", "what", "code"),
    [
        ("objective: 99.9", "objective: 100", "objective must lie between 0 and 100, got 100", "objective"),
        ("objective: 99.9", "objective: 0", "objective must lie between 0 and 100, got 0", "objective"),
        (
            "objective: 99.9",
            "objective: 99.99999999999999",
            "objective must lie between 0 and 100, got 100",
            "objective",
        ),
        ("objective: 99.9", "objective: 0.00000000001", "objective must lie between 0 and 100, got 1e-11", "objective"),
        ("objective: 99.9", 'objective: "99.9"', "expected a number, got '99.9'", "type"),
        ("objective: 99.9", "objective: true", "expected a number, got True", "type"),
        ("objective: 99.9", "objective: nan", "expected a number, got 'nan'", "type"),
        ("objective: 99.9", "goal: 99.9", "required key 'objective' is missing", "missing-key"),
        ("name: availability", "name: -x", "not a name: '-x'", "name"),
        ("name: availability", "name: a b", "not a name: 'a b'", "name"),
        ("name: availability", "name: a", "not a name: 'a'", "name"),
        ("name: availability", "name: yes", "YAML readers differ on 'yes'", "yaml"),
        ("name: availability", "name: !!str aa", "YAML readers differ on the tag tag:yaml.org,2002:str", "yaml"),
        ("objective: 99.9", "objective: 077", "YAML readers differ on '077'", "yaml"),
        (QUERY, "sum(rate(bad[5m]))", "the query has no {{.window}}", "window"),
        (QUERY, "sum(rate(bad[2{{.window}}]))", "2{{.window}} is another length for every window", "window"),
        (QUERY, 'x{a="{{b"}[{{.window}}]', "only {{.window}} is filled in", "template"),
        (QUERY, "bad[{{.window}}]", "a range of samples is no number", "promql"),
        (QUERY, "(rate(bad[1m])[{{.window}}:])", "a range of samples is no number", "promql"),
        (QUERY, "'\"{{.window}}\"'", "a text is no number", "promql"),
        (
            QUERY,
            "mad_over_time(bad[{{.window}}])",
            "mad_over_time is experimental: most Prometheus servers refuse it, and Sloth does",
            "promql",
        ),
        (
            QUERY,
            "'sum(rate(bad[{{.window}}])) # why'",
            "the comment would swallow the bracket that rules put behind the query",
            "promql",
        ),
        (QUERY, "sum( rate(all[{{ .window }}]))", "the error query is the total query", "same-query"),
        (QUERY, "sum(rate(bad[{{.window}}] offset 60))", "a length of time without a unit: offset 60", "promql"),
        (QUERY, "max_over_time(bad[{{.window}}:60])", "a length of time without a unit: [5m:60", "promql"),
        (QUERY, "a offset {{.window}} @ 1e400", "a length of time without a unit: @ 1e", "promql"),
        ("sli: availability", "sli: avail", "clients know no SLI 'avail'", "client"),
        ("sli: availability", "sli: ttft", "SLI ttft needs a bound", "client"),
        (
            "sli: availability",
            "sli: ttft, bound: fast",
            "expected a duration such as 250ms, 40s or 5m, got 'fast'",
            "client",
        ),
        ("sli: availability", "sloth_id: x", "label 'sloth_id' belongs to the generated rules", "reserved-label"),
        ("sli: availability", "a-b: x", "Prometheus takes no label or annotation named 'a-b'", "label"),
        ("sli: availability", 'a: ""', "an empty text is the same as none", "empty"),
        ("sli: availability", "version: 1", "expected text, got 1", "type"),
        ("alerting: {name: Gateway}", "alerting: {}", "alerting needs a name, or both alerts disabled", "alert-name"),
        (
            "alerting: {name: Gateway}",
            "alerting: {name: G, page_alert: {off: true}}",
            "unknown key 'off'",
            "unknown-key",
        ),
        (
            "alerting: {name: Gateway}",
            "alerting: {name: G, labels: {alertname: x}}",
            "label 'alertname' belongs to the generated rules",
            "reserved-label",
        ),
        (
            "{name: Gateway}",
            "{name: G, annotations: {summary: 'on {{ $label.x }}'}}",
            "no alert has a variable $label",
            "template",
        ),
        (
            "{name: Gateway}",
            "{name: G, annotations: {summary: 'on {{ $value'}}",
            "a template is not closed",
            "template",
        ),
        ("{name: Gateway}", "{name: G, labels: {a: is it?}}", "YAML readers differ on 'is it?'", "yaml"),
        ("events:", "raw:", "unknown key 'error_query'", "unknown-key"),
        (
            "    alerting:",
            "    plugins: {overridePrevious: true}\n    alerting:",
            "overridePrevious leaves no plugin at all",
            "plugins",
        ),
    ],
)
def test_each_problem_alone(old, new, what, code):
    text = changed(old, new)
    assert what in problems(text)
    assert f"slo/{code}" in codes(text)


def test_a_go_plugin_is_refused_with_what_to_do_instead():
    head = ONE.split("      events:", maxsplit=1)[0]
    plugin = f"{HEAD}{head}      plugin: {{id: a/b, options: {{x: z}}}}\n    alerting: {{name: A}}\n"
    slos, (problem,) = read_slos(plugin, "f")
    assert slos == []
    assert (problem.what, problem.hint) == ("an SLI made by a Go plugin cannot be read", "write events or raw")
    assert problem.where.line == 8


def test_two_kinds_of_indicator_are_one_too_many():
    text = changed("      events:", "      raw: {error_ratio_query: 'errors offset {{.window}}'}\n      events:")
    assert problems(text) == ["an SLI has either events or raw"]


@pytest.mark.parametrize(
    ("objective", "dead"),
    [
        # A tier is dead when factor x budget is 1 or more: 14.4 x 0.07 = 1.008, 6 x 0.17 = 1.02, 3 x 0.34 = 1.02.
        ("93.1", []),
        ("93", ["page quick"]),
        ("83", ["page quick", "page slow"]),
        ("66", ["page quick", "page slow", "ticket quick"]),
    ],
)
def test_a_tier_that_can_never_fire_is_a_problem(objective, dead):
    found = problems(changed("99.9", objective))
    assert {what.split(" can never")[0] for what in found} == {
        f"the {name} tier of the {severity} alert" for severity, name in (one.split() for one in dead)
    }


def test_only_an_alert_that_is_enabled_has_dead_tiers():
    text = changed("99.9", "83").replace("{name: Gateway}", "{name: Gateway, page_alert: {disable: true}}")
    assert problems(text) == []


def test_a_dead_tier_may_be_lowered_instead():
    assert problems(changed("99.9", "83").replace("    labels:", "    x-holdfast: {tiers: adapt}\n    labels:")) == []


def test_broken_promql_is_told_before_any_server_sees_it():
    (what,) = problems(changed("sum(rate(bad[{{.window}}]))", "sum(rate(bad[{{.window}}])"))
    assert what.startswith("not PromQL: ")


def test_the_caret_stands_under_the_query_and_not_under_the_bar_before_it():
    text = changed(
        "sum(rate(bad[{{.window}}]))", "|-\n          sum(rate(bad[{{.window}}]))\n          / sum(rate(all[5m])"
    )
    (problem,) = read_slos(text, "f")[1]
    assert str(problem).splitlines()[1:3] == [
        "   10 |           sum(rate(bad[{{.window}}]))",
        "                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^",
    ]


def test_a_fixed_range_is_pointed_at_wherever_it_stands():
    text = changed("sum(rate(bad[{{.window}}]))", "|-\n          sum(rate(bad[1h]))\n          + sum(rate(worse[1h]))")
    (problem,) = read_slos(text, "f")[1]
    assert (problem.where.line, problem.where.column, problem.width) == (10, 23, 4)
    assert problem.hint == "write [{{.window}}] instead of [1h]"


def test_both_alerts_disabled_need_no_name():
    text = changed(
        "alerting: {name: Gateway}", "alerting: {page_alert: {disable: true}, ticket_alert: {disable: true}}"
    )
    assert problems(text) == []


def test_two_slos_of_one_name_are_a_problem():
    assert problems(HEAD + ONE + ONE) == ["duplicate SLO gateway/availability"]


def test_two_slos_whose_rules_would_have_one_name_are_a_problem():
    # gateway + eu-availability and gateway-eu + availability are both gateway-eu-availability
    first = HEAD + ONE.replace("name: availability", "name: eu-availability")
    second = (HEAD + ONE).replace("service: gateway", "service: gateway-eu")
    assert problems(f"{first}---\n{second}") == [
        "gateway-eu/availability and gateway/eu-availability share one sloth_id"
    ]


def test_the_version_is_checked():
    assert "not a Sloth version: 'sloth.slok.dev/v1'" in problems(
        (HEAD + ONE).replace("prometheus/v1", "sloth.slok.dev/v1")
    )


@pytest.mark.parametrize(
    "line", ["version: prometheus/v1 # Sloth", '"version": prometheus/v1', "version:\n  prometheus/v1"]
)
def test_a_version_that_sloth_would_not_see_is_a_problem(line):
    assert codes((HEAD + ONE).replace("version: prometheus/v1", line)) == ["slo/told-apart"]


@pytest.mark.parametrize("odd", ["\r", "\u2028", "\ufeff"])
def test_a_line_break_that_sloth_does_not_see_is_a_problem(odd):
    assert "slo/yaml" in codes((HEAD + ONE).replace("service: gateway\n", f"service: gateway # {odd} \n", 1))


def test_a_directive_is_a_document_of_its_own_for_sloth():
    assert codes(f"%YAML 1.1\n---\n{HEAD}{ONE}") == ["slo/yaml"]


def test_no_slo_at_all_is_a_problem():
    assert problems("version: prometheus/v1\nservice: gateway\nslos: []\n") == ["expected at least one item"]


def test_all_problems_of_a_file_come_together():
    text = HEAD + ONE.replace("99.9", "100") + ONE.replace("[{{.window}}]", "[5m]").replace("name: avail", "nam: avail")
    text += ONE.replace("99.9", "90").replace("name: availability", "name: third")
    assert problems(text) == [
        "objective must lie between 0 and 100, got 100",
        "required key 'name' is missing",
        "unknown key 'nam'",
        "the query has no {{.window}}",
        "the query has no {{.window}}",
        "the quick tier of the page alert can never fire: 144% of events would have to be bad",
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


@pytest.mark.parametrize("text", ["slos: [", "[" * 100_000, "a: *nobody"])
def test_what_is_not_yaml_is_refused(text):
    with pytest.raises(SpecError):
        read_slos(text, "f")


@pytest.mark.parametrize("text", ["5", "[]", "a: 1", "apiVersion: v1\nkind: Service\n"])
def test_what_is_no_slo_file_is_a_problem(text):
    assert codes(text) == ["slo/format"]


def test_the_shape_keeps_chains_of_plugins_for_who_runs_them():
    chain = "slo_plugins: {chain: [{id: a/b, priority: -5, config: {x: [1, {y: z}]}}]}\nslos:"
    shape, wrong = shaped(File, read((HEAD + ONE).replace("slos:", chain), "f"))
    assert wrong == []
    (use,) = shape.slo_plugins.chain
    assert (use.id, use.priority, use.config) == ("a/b", -5, {"x": [1, {"y": "z"}]})
    assert problems((HEAD + ONE).replace("slos:", chain)) == []
