"""`holdfast slo test` with the real promtool: right rules pass, wrong ones are told, and nothing passes unseen."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from holdfast.errors import InfrastructureError
from holdfast.model.slo import (
    DAY,
    AlertPolicy,
    Calendar,
    ErrorRatio,
    Events,
    RatioTimeslices,
    Rolling,
    Threshold,
    Timeslices,
)
from holdfast.model.verdict import State
from holdfast.objectives.trial import judged, junit_of, outcome, tried
from holdfast.platforms.tools import Program
from holdfast.slo.promtests.files import asked_of, rules_of
from holdfast.slo.rules import rule_file
from holdfast.sources.promtool import Answer, Promtool, failures_in, find
from holdfast.testing import an_slo

TODAY = datetime(2026, 11, 22, tzinfo=UTC)
BOTH = {
    "alert": "Gateway",
    "page": AlertPolicy(labels={"team": "us"}),
    "ticket": AlertPolicy(),
    "labels": {"owner": "us"},
}
WITHIN_A_SECOND = Events(
    error_query='sum(rate(d_count[{{.window}}])) - sum(rate(d_bucket{le="1"}[{{.window}}]))',
    total_query="sum(rate(d_count[{{.window}}]))",
)
TWO_SERVICES = Events(
    error_query='sum(rate({__name__=~"a|b",code="500"}[{{.window}}]))',
    total_query="sum(rate(a[{{.window}}])) + sum(rate(b[{{.window}}]))",
)
A_GAUGE = Threshold(query='max(temperature{room="a"})', op="lt", value=70)
UNSOLVABLE = Events(error_query="sum(rate(a[{{.window}}])) * 2", total_query="sum(rate(a[{{.window}}]))")


@pytest.fixture(scope="module")
def promtool():
    try:
        return find(os.environ)
    except InfrastructureError as error:
        pytest.skip(str(error))


def run(slo, folder, promtool, change=lambda text: text, asked=".5m."):
    """The answers of the SLO's tests about rules that were changed; only of files whose name contains this."""
    text = rule_file([slo], TODAY)
    tests = asked_of(slo, text, TODAY)
    for name, content in {**rules_of(slo, change(text), TODAY), **tests}.items():
        (folder / name).write_text(content, encoding="utf-8")
    return judged(slo, [promtool.test(folder / name) for name in tests if asked in name], 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"least_bad": 5, "dead_after": 60},
        {"indicator": TWO_SERVICES},
        {"budgeting": Timeslices(length=300, target=0.9)},
        {"budgeting": Timeslices(length=60, target=0.5), "indicator": WITHIN_A_SECOND},
        {"budgeting": Timeslices(length=420, target=0.9)},
        {"budgeting": RatioTimeslices(length=600), "indicator": WITHIN_A_SECOND},
        {"window": Rolling(length=2 * DAY), "indicator": WITHIN_A_SECOND},
        {"window": Rolling(length=7 * DAY)},
        {"window": Rolling(length=90 * DAY)},
        {"window": Calendar(unit="day", count=3, start=datetime(2026, 1, 5, tzinfo=UTC)), "indicator": WITHIN_A_SECOND},
        {"window": Calendar(unit="quarter", start=datetime(2026, 1, 1, tzinfo=UTC)), "indicator": A_GAUGE},
        {"indicator": ErrorRatio(query="sum(rate(b[{{.window}}])) / sum(rate(a[{{.window}}]))")},
        {"page": AlertPolicy(disabled=True), "ticket": AlertPolicy(disabled=True)},
    ],
    ids=str,
)
def test_the_rules_as_they_are_made_pass(changes, tmp_path, promtool):
    (found,) = tried([an_slo(**{**BOTH, **changes})], tmp_path, promtool, TODAY)
    assert (found.state, found.failed, found.checks > 50) == (State.PASS, (), True)


@pytest.mark.parametrize(
    ("right", "wrong", "case"),
    [
        ("> 0.06", "> 0.0603", "6.006000% bad"),
        pytest.param("owner: us", "owner: them", "each event weighs the same", marks=pytest.mark.slow),
        pytest.param("[30d]", "[1h]", "each event weighs the same", marks=pytest.mark.slow),
        ("sloth_tier", "tier", "page slow fires"),
        pytest.param("team: us", "team: them", "bad:", marks=pytest.mark.slow),
    ],
)
def test_a_wrong_rule_is_told_by_the_case_that_shows_it(right, wrong, case, tmp_path, promtool):
    found = run(an_slo(**BOTH), tmp_path, promtool, lambda text: text.replace(right, wrong))
    assert found.state is State.FAIL
    assert any(case in one.case for one in found.failed)


@pytest.mark.parametrize(
    ("right", "wrong", "case"),
    [
        ("[3d]", "[6d]", "a window holds what is within it and no more"),
        ("> 2.35", "> 2.585", "2.45 bad events fire"),
        ("* 12 > 2.35", "* 13.2 > 2.35", "2.25 bad events fire nothing that looks back 3d"),
        ("avg_over_time", "max_over_time", "what falls silent is given its mean of a day, 1500, and all of it is bad"),
        ("[5m] offset 1m", "[10m] offset 1m", "where nobody looked nothing is missed"),
        ("[19m]", "[38m]", "samples of gateway_requests_total without an answer are told"),
        ("[5m] offset 14m", "[10m] offset 14m", "where nobody looked, no answer is missing"),
        ("[5m] offset 14m", "[5m] offset 12m", "a service that has just begun owes no answer"),
        ("max without (owner", "sum without (owner", "a label that is renamed is no second service"),
    ],
)
def test_what_is_wrong_in_days_is_told_by_records_that_are_given(right, wrong, case, tmp_path, promtool):
    found = run(an_slo(**BOTH), tmp_path, promtool, lambda text: text.replace(right, wrong), asked=".4d.")
    assert found.state is State.FAIL
    assert case in [one.case for one in found.failed]


def test_rules_that_prometheus_would_not_load_fail(tmp_path, promtool):
    found = run(an_slo(**BOTH), tmp_path, promtool, lambda text: text.replace("sum_over_time(", "sum_over_tim("))
    assert found.state is State.FAIL
    assert "sum_over_tim" in found.sentence


def test_an_sli_that_cannot_be_tested_is_unknown(tmp_path, promtool):
    (found,) = tried([an_slo(**BOTH, indicator=UNSOLVABLE)], tmp_path, promtool, TODAY)
    assert found.state is State.UNKNOWN
    assert found.sentence.startswith("gateway/availability: cannot write tests for this SLI: no series was found")


def test_nothing_tested_is_nothing_shown():
    assert outcome([]) is State.UNKNOWN
    assert judged(an_slo(), [], 0).state is State.UNKNOWN


@pytest.mark.parametrize("script", ["exit 0", "kill -9 $$", "echo SUCCESS; exit 1"])
def test_a_promtool_that_does_not_say_success_has_shown_nothing(script, tmp_path):
    fake = tmp_path / "promtool"
    fake.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    fake.chmod(0o755)
    answer = Promtool(Program(name="promtool", path=fake, version=(2,))).test(tmp_path)
    assert judged(an_slo(), [answer], 5).state is State.FAIL


def test_a_promtool_that_never_ends_is_trouble_of_the_machine(tmp_path):
    fake = tmp_path / "promtool"
    fake.write_text("#!/bin/sh\nexec sleep 60\n", encoding="utf-8")
    fake.chmod(0o755)
    with pytest.raises(InfrastructureError, match=r"did not end within 0\.2 s"):
        Promtool(Program(name="promtool", path=fake, version=(2,)), within=0.2).test(tmp_path)


def test_every_failure_that_promtool_prints_is_read():
    text = (
        "  FAILED:\n"
        '    expr: "# a case\\nup{job=\\"a\\"}", time: 5m,\n        exp: {} 1E+00\n        got: nil\n'
        '    expr: "up", time: 1h,\n        exp:\n        got: {} 2E+00\n\n'
    )
    first, second = failures_in(text)
    assert (first.case, first.expr, first.at, first.wanted, first.got) == (
        "a case",
        'up{job="a"}',
        "5m",
        "{} 1E+00",
        "nil",
    )
    assert (second.case, second.wanted, second.got) == ("", "", "{} 2E+00")


def test_junit_has_a_case_for_each_slo():
    slo = an_slo()
    trials = [judged(slo, [Answer(good=True, text="SUCCESS")], 3), judged(replace(slo, name="other"), [], 0)]
    text = junit_of(trials)
    assert 'tests="2" failures="0" errors="1"' in text
    assert '<error message="gateway/other: no test was run"' in text


@pytest.mark.parametrize("words", [["--json"], []])
def test_the_command_ends_with_what_is_true(words, tmp_path, monkeypatch, promtool):
    from holdfast.cli.objectives.trial import command

    monkeypatch.chdir(tmp_path)
    (tmp_path / "slo.yaml").write_text(
        """\
version: prometheus/v1
service: gateway
slos:
  - name: impossible
    objective: 99
    sli:
      events:
        error_query: sum(rate(a[{{.window}}])) * 2
        total_query: sum(rate(a[{{.window}}]))
    alerting: {page_alert: {disable: true}, ticket_alert: {disable: true}}
""",
        encoding="utf-8",
    )
    done = CliRunner().invoke(command, ["slo.yaml", *words], standalone_mode=False)
    assert done.return_value == 10, done.output
    if words:
        assert json.loads(done.stdout)["slos"][0]["state"] == "UNKNOWN"
    else:
        assert done.stdout.startswith("UNKNOWN  gateway/impossible: cannot write tests for this SLI")


@pytest.mark.slow
def test_a_gauge_can_be_tested_too(tmp_path, promtool):
    slo = an_slo(**BOTH, indicator=A_GAUGE)
    assert run(slo, tmp_path, promtool).state is State.PASS
