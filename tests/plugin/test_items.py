"""Every expectation is a test at its own line, and says what a person needs to act."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import holdfast
from holdfast.errors import ExitCode
from holdfast.plugin.items import unique

SRC = Path(holdfast.__file__).parent


def cases(project, *words: str) -> list[ET.Element]:
    """The test cases of a JUnit file with lines in it."""
    project.run("--junitxml=junit.xml", "-o", "junit_family=xunit1", *words)
    return list(ET.parse(project.root / "junit.xml").iter("testcase"))


def test_there_is_one_test_for_each_expectation_and_one_for_trust(project, good):
    found = project.run(good, "--collect-only", "-q")
    assert [line for line in found.outlines if "::" in line][:4] == list(project.ids)


def test_a_test_stands_at_its_line(project, good):
    found = [(case.get("file"), int(case.get("line")) + 1, case.get("name")) for case in cases(project, good)]
    assert found == [
        ("scenarios/engine-dies.yaml", line, name) for line, name in zip(project.lines, project.names, strict=True)
    ]


def test_junit_holds_no_green_unknown(project, stories):
    found = cases(project, project.stored(**stories[ExitCode.UNKNOWN]))
    states = {
        case.get("name"): {one.get("name"): one.get("value") for one in case.iter("property")}["holdfast_state"]
        for case in found
    }
    failed = {case.get("name") for case in found if case.find("failure") is not None}
    assert failed == {name for name, state in states.items() if state != "PASS"} == {project.names[0]}


def test_a_failure_says_state_sentence_numbers_line_and_report(project, stories):
    found = project.run(project.stored(**stories[ExitCode.FAIL]))
    found.stdout.fnmatch_lines(
        [
            "FAIL: 60 of 539 requests were bad*",
            "    n * 539",
            "    prometheus bad * 60",
            "scenarios/engine-dies.yaml:15:5",
            ">   15 |   - {slo: gateway/availability, during: [[]baseline, recovery[]]}",
            "evidence */runs/*-engine-dies-*",
            "FAILED scenarios/engine-dies.yaml::slo:gateway/availability[[]baseline,recovery[]]*",
        ]
    )
    assert "Traceback" not in found.stdout.str()


@pytest.mark.parametrize(
    ("code", "letters", "word"),
    [
        (ExitCode.UNKNOWN, "[?]...", "3 passed, 1 unknown"),
        (ExitCode.NOT_RESTORED, "...!", "3 passed, 1 not restored"),
        (ExitCode.FAIL, "F...", "1 failed, 3 passed"),
    ],
)
def test_each_state_has_its_letter_and_word(project, stories, code, letters, word):
    found = project.run(project.stored(**stories[code]))
    found.stdout.fnmatch_lines([f"scenarios/engine-dies.yaml {letters}*", f"*{word}*"])


def test_what_is_unknown_is_explained_in_the_summary(project, stories):
    found = project.run(project.stored(**stories[ExitCode.UNKNOWN]))
    found.stdout.fnmatch_lines(
        [
            "UNKNOWN: 3 of 539 requests were bad*Too few to decide*",
            "UNKNOWN      engine-dies  */runs/*-engine-dies-*",
            f"{project.ids[0].replace('[', '[[]')} is UNKNOWN",
            "exit code 10 (UNKNOWN)",
        ]
    )


def test_doubt_in_the_record_fails_the_test_of_trust(project, stories):
    found = project.run(project.stored(**stories[ExitCode.NOT_RESTORED]))
    found.stdout.fnmatch_lines(["NOT_RESTORED: platform restored: *", "exit code 11 (NOT_RESTORED)"])


def test_a_broken_scenario_shows_its_problems_and_not_our_code(project, good):
    project.scenario("broken", project.text.replace("during: [fault]", "during: [folt]"))
    found = project.run(good)
    found.stdout.fnmatch_lines(
        [
            "scenarios/broken.yaml:16:*no phase named 'folt'",
            "*{slo: gateway/availability, during: [[]folt[]]*",
            "* ^^^^",
            "*hint: did you mean fault[?]",
        ]
    )
    assert "Traceback" not in found.stdout.str()
    assert ".py" not in found.stdout.str().partition("ERRORS")[2]


@pytest.mark.parametrize(
    ("words", "passed"),
    [
        (["-m", "holdfast(gate='quickstart')"], 4),
        (["-m", "holdfast(scenario='engine-dies')"], 4),
        (["-m", "holdfast"], 4),
        (["-k", "recovery"], 2),
        (["-k", "trust"], 1),
        (["-k", "engine-dies and not trust"], 3),
    ],
)
def test_marks_and_words_select(project, good, words, passed):
    assert project.run(good, "--holdfast-partial", *words).parseoutcomes()["passed"] == passed


def test_fixtures_and_marks_of_a_conftest_apply(project, good):
    project.pytester.makeconftest("""
        import pytest

        @pytest.fixture(scope="module")
        def platform():
            print("platform is set up")
            yield
            print("platform is taken down")

        @pytest.fixture(autouse=True)
        def seen(request, platform):
            assert request.node.get_closest_marker("holdfast").kwargs["gate"] == "quickstart"
    """)
    found = project.run(good, "-s")
    assert found.ret == ExitCode.PASS
    assert [found.stdout.str().count(f"platform is {what}") for what in ("set up", "taken down")] == [1, 1]


def test_a_test_beside_can_use_the_outcome(project, good):
    project.pytester.makepyfile(
        test_beside="""
        def test_requests(holdfast_outcome):
            outcome = holdfast_outcome("engine-dies")
            assert len(outcome.timeline.load.requests) > 800
            assert outcome.report.state == "PASS"
        """
    )
    project.run(good, "test_beside.py").assert_outcomes(passed=5)
    project.pytester.runpytest_inprocess("test_beside.py").assert_outcomes(skipped=1)


def test_a_copy_kept_as_evidence_is_no_scenario(project, good):
    found = project.run(good, "-o", "norecursedirs=", where=".")
    assert (found.ret, found.parseoutcomes()) == (ExitCode.PASS, {"passed": 4})


def test_the_platforms_folder_may_come_from_the_environment(project, monkeypatch):
    monkeypatch.setenv("HOLDFAST_STATE", "elsewhere")
    project.run().stdout.fnmatch_lines(["UNKNOWN: There is no record: *elsewhere*"])


def test_expectations_of_one_name_stay_apart():
    assert unique(["a", "b", "a", "a"]) == ["a", "b", "a#2", "a#3"]


def test_importing_the_plugin_brings_in_nothing_heavy():
    code = """
import json, sys, pytest
before = set(sys.modules)
import holdfast.plugin
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [name for name in json.loads(done.stdout) if name.split(".")[0] not in sys.stdlib_module_names] == [
        "holdfast",
        "holdfast.plugin",
    ]


def test_a_session_without_the_option_has_only_the_cheap_module(project):
    project.pytester.makepyfile(
        test_it="""
        import sys

        def test_modules():
            assert [name for name in sys.modules if name.startswith("holdfast")] == ["holdfast", "holdfast.plugin"]
            assert not {"pandas", "numpy", "pydantic", "locust", "chaoslib", "rich"} & set(sys.modules)
        """
    )
    # Other plugins of this machine may import what they like.
    words = ("-p", "no:locust", "-p", "no:playwright", "test_it.py")
    assert project.pytester.runpytest_subprocess(*words).ret == pytest.ExitCode.OK


def test_only_the_public_api_of_pytest_is_used():
    private = re.compile(r"_pytest|(session|config|item|node|reporter|terminalreporter)\._[a-z]")
    files = sorted((SRC / "plugin").glob("*.py"))
    assert files
    assert [f"{file.name}: {found[0]}" for file in files for found in private.finditer(file.read_text())] == []
