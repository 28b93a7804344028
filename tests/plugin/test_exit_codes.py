"""What a pipeline reads: only a session in which every expectation was proved ends with 0."""

from __future__ import annotations

import pytest

from holdfast.errors import ExitCode

FAILING_TEST = "def test_of_somebody_else():\n    assert False\n"
SLO_FAULT = "slo:gateway/availability[fault]"


def marking(mark: str, name: str = SLO_FAULT) -> str:
    """A conftest that puts a mark on one expectation."""
    return f"""
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                if item.name == {name!r}:
                    item.add_marker({mark})
    """


def test_each_end_of_a_run_has_its_code(project, story):
    code, stored = story
    assert project.run(stored).ret == code


def test_nothing_is_collected_without_the_option(project, good):
    found = project.pytester.runpytest_inprocess("scenarios", good)
    assert found.ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_nothing_collected_keeps_its_own_code(project, good):
    project.path.unlink()
    assert project.run(good).ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_other_tests_alone_are_no_proof(project, good):
    project.pytester.makepyfile(test_other="def test_it():\n    pass\n")
    found = project.run(good, where="test_other.py")
    assert (found.ret, found.parseoutcomes()) == (ExitCode.UNKNOWN, {"passed": 1})
    found.stdout.fnmatch_lines(["no expectation was judged", "exit code 10 (UNKNOWN)"])


@pytest.mark.parametrize(
    "words",
    [
        ["-k", "recovery"],
        ["-m", "not holdfast or holdfast(scenario='engine-dies')", "-k", "not trust"],
        ["--deselect", f"scenarios/engine-dies.yaml::{SLO_FAULT}"],
    ],
    ids=["-k", "-m", "--deselect"],
)
def test_a_deselected_expectation_is_not_proved_unless_that_is_allowed(project, good, words):
    found = project.run(good, *words)
    assert (found.ret, "deselected" in found.parseoutcomes()) == (ExitCode.UNKNOWN, True)
    found.stdout.fnmatch_lines(["scenarios/engine-dies.yaml::* was not run"])
    assert project.run(good, "--holdfast-partial", *words).ret == ExitCode.PASS


def test_all_deselected_keeps_pytests_code(project, good):
    assert project.run(good, "-m", "holdfast(gate='another')").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_one_expectation_by_its_id_is_a_partial_answer(project, good):
    assert project.run(good, where=project.ids[0]).ret == ExitCode.UNKNOWN
    assert project.run(good, "--holdfast-partial", where=project.ids[0]).ret == ExitCode.PASS


@pytest.mark.parametrize("word", ["--ignore=scenarios/second.yaml", "--ignore-glob=*/second.yaml"])
def test_an_ignored_scenario_is_missed(project, good, word):
    project.scenario("second", project.text.replace("engine-dies", "second"))
    found = project.run(good, word)
    assert found.ret == ExitCode.UNKNOWN
    found.stdout.fnmatch_lines(["scenarios/second.yaml was not run"])
    assert project.run(good, where="scenarios/engine-dies.yaml").ret == ExitCode.PASS


@pytest.mark.parametrize("partial", [[], ["--holdfast-partial"]], ids=["whole", "partial"])
def test_all_skipped_is_no_proof_ever(project, good, partial):
    project.pytester.makeconftest("""
        import pytest

        @pytest.fixture(autouse=True)
        def not_today():
            pytest.skip("not today")
    """)
    found = project.run(good, *partial)
    assert (found.ret, found.parseoutcomes()) == (ExitCode.UNKNOWN, {"skipped": 4})


def test_one_skipped_is_no_proof_unless_that_is_allowed(project, good):
    project.pytester.makeconftest(marking("pytest.mark.skip"))
    assert project.run(good).ret == ExitCode.UNKNOWN
    assert project.run(good, "--holdfast-partial").ret == ExitCode.PASS


@pytest.mark.parametrize("partial", [[], ["--holdfast-partial"]], ids=["whole", "partial"])
@pytest.mark.parametrize("code", [ExitCode.FAIL, ExitCode.UNKNOWN])
def test_a_failure_that_was_expected_is_no_proof_ever(project, code, partial, stories):
    project.pytester.makeconftest(marking("pytest.mark.xfail", project.names[0]))
    found = project.run(project.stored(**stories[code]), *partial)
    assert (found.ret, found.parseoutcomes()["xfailed"]) == (ExitCode.UNKNOWN, 1)


def test_an_expectation_that_is_expected_to_fail_without_being_run_is_not_proved(project, good):
    project.pytester.makeconftest(marking("pytest.mark.xfail(run=False)"))
    assert project.run(good).ret == ExitCode.UNKNOWN


@pytest.mark.parametrize("way", ["option", "environment"])
def test_collecting_alone_is_no_proof(project, good, way, monkeypatch):
    if way == "environment":
        monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only")
    found = project.run(good, *(["--collect-only"] if way == "option" else []))
    assert found.ret == ExitCode.UNKNOWN
    found.stdout.fnmatch_lines(["--collect-only: nothing was judged"])


def test_a_session_that_a_test_ends_with_0_is_not_green(project, good):
    project.pytester.makepyfile(test_first="import pytest\n\ndef test_it():\n    pytest.exit('enough', returncode=0)\n")
    found = project.pytester.runpytest_inprocess("--holdfast", good, "test_first.py", "scenarios")
    assert found.ret == ExitCode.UNKNOWN


def test_unknown_stopped_at_the_first_is_still_unknown(project, stories):
    assert project.run(project.stored(**stories[ExitCode.UNKNOWN]), "-x").ret == ExitCode.UNKNOWN


def test_a_failing_test_of_somebody_else_makes_unknown_a_failure(project, stories):
    project.pytester.makepyfile(test_other=FAILING_TEST)
    stored = project.stored(**stories[ExitCode.UNKNOWN])
    assert project.run(stored, "test_other.py").ret == ExitCode.FAIL


def test_a_broken_fixture_beside_unknown_is_a_failure(project, stories):
    project.pytester.makeconftest("""
        import pytest

        @pytest.fixture(autouse=True)
        def torn():
            yield
            raise RuntimeError("torn")
    """)
    assert project.run(project.stored(**stories[ExitCode.UNKNOWN])).ret == ExitCode.FAIL


def test_a_fault_left_behind_is_said_even_when_only_other_expectations_were_asked(project, stories):
    # The objective itself holds: it passes, and the session still ends with 11.
    stored = project.stored(**stories[ExitCode.NOT_RESTORED])
    found = project.run(stored, "--holdfast-partial", "-k", "fault")
    assert (found.ret, found.parseoutcomes()) == (ExitCode.NOT_RESTORED, {"passed": 1, "deselected": 3})


def test_a_fault_left_behind_is_worse_than_any_failing_test(project, stories):
    project.pytester.makepyfile(test_other=FAILING_TEST)
    assert project.run(project.stored(**stories[ExitCode.NOT_RESTORED]), "test_other.py").ret == ExitCode.NOT_RESTORED


def test_a_broken_scenario_stops_the_session_as_pytest_does(project, good):
    project.scenario("broken", project.text.replace("during: [fault]", "during: [folt]"))
    found = project.run(good)
    assert found.ret == pytest.ExitCode.INTERRUPTED == ExitCode.USAGE


def test_a_project_that_is_no_project_is_a_usage_error(project, good):
    assert project.run(good, where="nowhere").ret == pytest.ExitCode.USAGE_ERROR


def test_without_a_platform_nothing_is_known(project):
    found = project.run("--holdfast-state=none")
    assert (found.ret, found.parseoutcomes()) == (ExitCode.UNKNOWN, {"unknown": 4})


def test_a_stored_run_of_other_files_proves_nothing(project, good):
    project.path.write_text(project.text.replace("objective: 90%", "objective: 80%"))
    found = project.run(good)
    assert (found.ret, found.parseoutcomes()) == (ExitCode.UNKNOWN, {"unknown": 4})
    found.stdout.fnmatch_lines(["*was made from other contents of scenarios/engine-dies.yaml."])


def test_a_scenario_without_a_stored_run_is_unknown(project, good):
    project.scenario("second", project.text.replace("engine-dies", "second"))
    found = project.run(good)
    assert (found.ret, found.parseoutcomes()) == (ExitCode.UNKNOWN, {"passed": 4, "unknown": 4})
