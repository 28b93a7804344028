"""A pytest session that proved nothing ends green in many ways; with --holdfast in none of them."""

from __future__ import annotations

import pytest

from examples import write_project, write_run
from guards import guards
from holdfast import app
from holdfast.errors import ExitCode
from holdfast.project import load_scenario
from holdfast.testing import a_timeline

FAIL, UNKNOWN = ExitCode.FAIL, ExitCode.UNKNOWN
BAD = {"baseline": 60}

# What pytest-rerunfailures does: what failed is run again, and only the last time counts.
RERUNS = """
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for _ in range(3):
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        if not any(report.failed for report in reports):
            break
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    return True
"""
SKIPS = """
import pytest

@pytest.fixture(autouse=True)
def not_today():
    pytest.skip("not today")
"""
DIES = """
import os
import pytest

@pytest.fixture(autouse=True)
def dies(request):
    if request.node.name == "trust" and "PYTEST_XDIST_WORKER" in os.environ:
        os._exit(0)
"""
LEAVES = "import os\n\ndef test_it():\n    os._exit(0)\n"


@pytest.fixture(scope="module", autouse=True)
def _everything_is_imported(tmp_path_factory):
    """Pytester forgets modules that are first imported inside it, and Arrow cannot be imported twice."""
    root = tmp_path_factory.mktemp("warm")
    stored(root)


def stored(root, **story):
    """A project and the run folder of its scenario."""
    path = write_project(root)
    app.check([path], root)
    run = write_run(root / "runs" / "stored", a_timeline(scenario=load_scenario(path, root), **story))
    app.judge_folder(run)
    return run


class Session:
    """A project, a stored run of its scenario, and pytest over both."""

    def __init__(self, pytester, **story):
        self.pytester = pytester
        pytester.makepyprojecttoml(
            "[tool.pytest.ini_options]\naddopts = '-p no:cacheprovider -p no:hypothesispytest'\n"
        )
        self.words = ["scenarios", "--holdfast", f"--holdfast-judge={stored(pytester.path, **story)}"]

    def run(self, *words):
        return self.pytester.runpytest_inprocess(*self.words, *words)

    def start(self, *words):
        return self.pytester.runpytest_subprocess(*words, *self.words)


@pytest.fixture
def a_session(pytester, monkeypatch):
    for name in ("HOLDFAST_STATE", "HOLDFAST_RUNS", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER"):
        monkeypatch.delenv(name, raising=False)
    return lambda **story: Session(pytester, **story)


def test_the_same_session_passes_when_nothing_is_wrong(a_session):
    assert a_session().run().ret == ExitCode.PASS


@guards("pytest", "every test was skipped: exit code 0", UNKNOWN)
def test_all_skipped_is_no_proof(a_session, pytester):
    pytester.makeconftest(SKIPS)
    return a_session().run().ret


@guards("pytest", "PYTEST_ADDOPTS=--collect-only: exit code 0", UNKNOWN)
def test_collected_is_not_judged(a_session, monkeypatch):
    session = a_session()
    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only")
    return session.run().ret


@guards("pytest", "-k or -m deselects the failing test: exit code 0", UNKNOWN)
@pytest.mark.parametrize("words", [["-k", "trust"], ["-m", "not holdfast or holdfast", "-k", "budget"]])
def test_what_was_deselected_is_missed(a_session, words):
    session = a_session(bad=BAD)
    found = session.run(*words)
    assert found.parseoutcomes().keys() == {"passed", "deselected"}
    return found.ret


@guards("pytest", "os._exit(0) inside a test: exit code 0 and no summary", UNKNOWN)
def test_a_test_that_ends_the_process_does_not_end_it_green(a_session, pytester):
    pytester.makepyfile(test_first=LEAVES)
    return a_session(bad=BAD).start("test_first.py").ret


@guards("pytest-rerunfailures", "--reruns turns a flake into exit code 0", FAIL)
def test_run_again_it_is_the_same_record_with_the_same_answer(a_session, pytester):
    pytester.makeconftest(RERUNS)
    return a_session(bad=BAD).run().ret


@guards("pytest-xdist", "a worker that dies takes the tests with it that it had", FAIL)
@pytest.mark.slow
def test_a_worker_that_died_judging_is_a_failure(a_session, pytester):
    pytester.makeconftest(DIES)
    return a_session().start("-n1", "--max-worker-restart=0").ret
