"""JUnit: valid XML whatever the text, and nothing in it greener than the verdict."""

from __future__ import annotations

from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.judge import judge
from holdfast.model.verdict import Report, State
from holdfast.report.junit import junit
from holdfast.testing import a_check, a_report, a_timeline, a_verdict


def parsed(*reports):
    return fromstring(junit(reports).encode())


def case_of(root, name):
    return next(case for case in root.iter("testcase") if case.get("name") == name)


def is_green(case):
    return case.find("failure") is None and case.find("error") is None and case.find("skipped") is None


def test_one_suite_a_scenario_and_one_case_an_expectation_with_its_line():
    root = parsed(judge(a_timeline()))
    (suite,) = root.findall("testsuite")
    names = [case.get("name") for case in suite.findall("testcase")]
    assert names == [
        "slo:gateway/availability[baseline,recovery]",
        "slo:gateway/availability[fault]",
        "slo:gateway/ttft[baseline,recovery]",
        "recovery:gateway/availability",
        "alert:EngineDown",
        "trust",
    ]
    case = suite.find("testcase")
    assert (case.get("classname"), case.get("file"), case.get("line")) == (
        "engine-kill", "scenarios/engine-kill.yaml", "14",
    )  # fmt: skip
    assert "n: 540\nbad: 0\n" in case.find("system-out").text
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("6", "0", "0")


def test_fail_is_a_failure_with_its_sentence():
    root = parsed(a_report((a_verdict(State.FAIL, id="x", sentence="9 of 10 were bad."),)))
    failure = case_of(root, "x").find("failure")
    assert (failure.get("type"), failure.get("message")) == ("FAIL", "9 of 10 were bad.")
    assert failure.text == "scenarios/engine-kill.yaml:14:5: 9 of 10 were bad."


@pytest.mark.parametrize("state", [State.UNKNOWN, State.NOT_RESTORED])
def test_what_was_not_decided_is_an_error_of_that_type(state):
    root = parsed(a_report((a_verdict(state, id="x"),)))
    assert case_of(root, "x").find("error").get("type") == state.value
    assert root.find("testsuite").get("errors") == "1"


def test_trust_is_an_error_when_a_check_did_not_pass():
    root = parsed(a_report(checks=(a_check(), a_check(State.NOT_RESTORED, name="fault gone", seen="still there"))))
    error = case_of(root, "trust").find("error")
    assert (error.get("type"), error.get("message")) == ("NOT_RESTORED", "fault gone: still there")


def test_nothing_expected_is_an_error():
    assert not is_green(case_of(parsed(a_report(())), "expectations"))


def test_nothing_checked_is_an_error():
    assert not is_green(case_of(parsed(a_report(checks=())), "trust"))


def test_a_run_worse_than_its_parts_is_an_error():
    assert case_of(parsed(a_report(state=State.NOT_RESTORED)), "trust").find("error").get("type") == "NOT_RESTORED"


def test_no_report_at_all_is_an_error():
    root = parsed()
    assert (root.get("tests"), root.get("errors")) == ("1", "1")


def test_no_two_cases_share_a_name_so_that_none_can_hide_another():
    twice = (a_verdict(id="x"), a_verdict(State.FAIL, id="x"), a_verdict(id="x #2"), a_verdict(id="trust"))
    root = parsed(a_report(twice), a_report(twice))
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(set(names)) == len(names) == 10  # (4 expectations + trust) x 2 runs of one scenario
    assert root.get("failures") == "2"


@settings(deadline=None)
@given(st.lists(st.from_type(Report), max_size=3))
def test_any_text_gives_xml_that_parses_and_is_green_only_where_all_passed(reports):
    root = parsed(*reports)
    cases = list(root.iter("testcase"))
    assert int(root.get("tests")) == len(cases) > 0
    assert int(root.get("failures")) + int(root.get("errors")) == sum(not is_green(case) for case in cases)
    all_passed = bool(reports) and all(report.state is State.PASS for report in reports)
    assert all(is_green(case) for case in cases) == all_passed


@given(st.text(alphabet=st.characters(codec=None, categories=None)))
def test_the_message_keeps_every_character_that_xml_can_hold(text):
    failure = case_of(parsed(a_report((a_verdict(State.FAIL, id="x", sentence=text),))), "x").find("failure")
    kept = [one for one in text if one >= " " and not 0xD800 <= ord(one) <= 0xDFFF and ord(one) not in (0xFFFE, 0xFFFF)]
    assert all(one in failure.get("message") for one in kept)


def test_a_forbidden_character_is_spelled_out():
    root = parsed(a_report((a_verdict(State.FAIL, id="x", sentence="a\x00b\x1b\ud800\uffff\r\n"),)))
    assert case_of(root, "x").find("failure").get("message") == "a\\x00b\\x1b\\ud800\\uffff\\r\n"
