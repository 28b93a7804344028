"""However many processes share a session, a scenario is played once and everybody judges the same record."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from holdfast.errors import ExitCode, InfrastructureError, UsageError
from holdfast.model.verdict import State
from holdfast.plugin.runs import Refused, Runs

ASK = """
import sys
from pathlib import Path
from holdfast.play import judge_run
from holdfast.plugin.runs import Runs

path, share, stored, plays = map(Path, sys.argv[1:])

def play(path):
    with plays.open("a") as file:
        file.write("played\\n")
    return judge_run(stored)

print(Runs(play, share).outcome(path).folder)
"""


@pytest.mark.slow
def test_workers_bring_every_verdict_to_the_controller(project, good):
    found = project.start(good, "-n2", "--dist", "loadgroup")
    assert (found.ret, found.parseoutcomes()) == (ExitCode.PASS, {"passed": 4})


@pytest.mark.slow
def test_the_exit_code_is_the_same_with_workers(project, stories):
    # The worst of all: whatever loses a verdict on the way loses it.
    found = project.start(project.stored(**stories[ExitCode.NOT_RESTORED]), "-n2")
    assert found.ret == ExitCode.NOT_RESTORED


@pytest.mark.slow
def test_what_workers_deselect_is_missed(project, good):
    found = project.start(good, "-n2", "-k", "not trust")
    assert (found.ret, found.parseoutcomes()) == (ExitCode.UNKNOWN, {"passed": 3})
    found.stdout.fnmatch_lines(["scenarios/engine-dies.yaml::trust was not run"])


@pytest.mark.slow
def test_each_worker_asks_a_platform_of_its_own(project):
    project.scenario("second", project.text.replace("engine-dies", "second"))
    found = project.start("-n2", "--dist", "loadfile", "--holdfast-state=one", "--holdfast-state=other")
    told = found.stdout.str()
    # Neither is up, and each says so of the folder that it looked into.
    assert (found.ret, found.parseoutcomes()) == (ExitCode.UNKNOWN, {"unknown": 8})
    assert str(project.root / "one") in told
    assert str(project.root / "other") in told


@pytest.mark.slow
def test_every_worker_may_judge_everything(project, good):
    found = project.start(good, "--dist", "each", "--tx", "2*popen")
    assert (found.ret, found.parseoutcomes()) == (ExitCode.PASS, {"passed": 8})


@pytest.mark.slow
def test_three_processes_that_ask_at_once_play_once(project, good, tmp_path):
    share = tmp_path / "share"
    share.mkdir()
    plays, stored = tmp_path / "plays", good.partition("=")[2]
    words = [sys.executable, "-c", ASK, str(project.path), str(share), stored, str(plays)]
    asking = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [one.communicate(timeout=60)[0].strip() for one in asking]
    assert (plays.read_text(), set(said)) == ("played\n", {stored})


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])
def test_a_run_that_broke_is_not_played_again(tmp_path, shared):
    played = []

    def play(path):
        played.append(path)
        raise ZeroDivisionError

    share = tmp_path if shared else None
    runs, others = Runs(play, share), Runs(play, share)
    with pytest.raises(ZeroDivisionError):
        runs.outcome(tmp_path / "a.yaml")
    for asked in (runs, others) if shared else (runs,):
        assert asked.outcome(tmp_path / "a.yaml").state is State.UNKNOWN
    assert len(played) == 1


@pytest.mark.parametrize("error", [InfrastructureError("no platform"), UsageError("no such trace", hint="look")])
def test_why_there_is_no_record_is_told_to_everybody(tmp_path, error):
    def play(path):
        raise error

    first, second = (Runs(play, tmp_path).outcome(tmp_path / "a.yaml") for _ in range(2))
    assert isinstance(first, Refused)
    assert first == second
    assert str(error) in first.why


def test_a_note_without_an_outcome_is_unknown(tmp_path):
    # A process was killed while it played: its note says so, and the lock is free again.
    def broken(path):
        raise SystemExit

    path = tmp_path / "a.yaml"
    with pytest.raises(SystemExit):
        Runs(broken, tmp_path).outcome(path)
    (note,) = tmp_path.glob("*.json")
    assert json.loads(note.read_text())["state"] == "UNKNOWN"
