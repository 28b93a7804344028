"""`holdfast chaos`: one experiment by itself, seen to bite and seen gone; let go on Ctrl-C; nothing is ever left."""

from __future__ import annotations

import json
import os
import signal

import pytest
import yaml

from bench import ROOT, until
from harness import as_json

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(200)]

HANG = yaml.safe_load((ROOT / "chaos" / "engine-hang.yaml").read_text())


def hang(bench, name="hang", *, seconds=60, strike=None, **more):
    """The experiment in which one engine stands still, changed."""
    document = json.loads(json.dumps({**HANG, **more}))
    document["method"][0]["provider"]["arguments"].update(strike or {})
    document["method"][1]["provider"]["arguments"]["seconds"] = seconds
    bench.write(f"chaos/{name}.yaml", yaml.safe_dump(document))
    return name


def ledger(bench):
    path = bench.platform().ledger()
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def holding(bench, since):
    """Whether an experiment that began after so many entries saw its fault bite."""
    return any(one["step"] == "observed" for one in ledger(bench)[since:])


def test_a_fault_that_bit_and_is_gone_ends_with_0_and_a_record(up):
    code, text = up.do("chaos", "run", hang(up), "--for", "1s", "--json")
    told = as_json(text)
    assert (code, told["exit_code"], told["unseen"], told["left"]) == (0, 0, [], []), text
    assert [one["step"] for one in told["steps"]] == ["asked", "applied", "observed", "undone", "gone"]
    (folder,) = up.runs.glob("chaos-*-hang-*")
    assert {path.name for path in folder.iterdir()} == {"journal.json", "steps.ndjson"}
    assert json.loads((folder / "journal.json").read_text())["status"] == "completed"


def test_what_it_would_do_is_said_and_not_done(up):
    before = len(ledger(up))
    code, text = up.do("chaos", "run", hang(up), "--dry-run")
    assert code == 0, text
    assert "send SIGSTOP to engine-" in text
    assert "nothing is touched" in text
    assert (len(ledger(up)), up.engines_ready()) == (before, 3)


def test_a_dry_run_of_what_would_be_refused_ends_with_2(up):
    code, text = up.do("chaos", "run", hang(up, strike={"count": 9}), "--dry-run")
    assert code == 2, text
    assert "9 ready replicas of 'engine' are wanted, 3 are there" in text


def test_too_few_targets_are_refused_and_nothing_was_struck(up):
    code, text = up.do("chaos", "run", hang(up, strike={"count": 9}))
    assert code == 10, text
    assert "9 ready replicas of 'engine' are wanted" in text
    assert ledger(up)[-1]["step"] == "refused"
    last = max(up.runs.glob("chaos-*-hang-*/journal.json"))
    assert "not held: every strike was refused" in last.read_text()


def test_one_that_is_not_seen_to_bite_in_time_ends_with_10(up):
    # Nobody sees a crash loop within a tenth of a second; it is undone all the same.
    name = hang(up, "blind", seconds=1, strike={"fault": "crash_loop", "within": 0.1})
    up.write("chaos/blind.yaml", (up.root / "chaos/blind.yaml").read_text().replace("fault: stop", "fault: crash_loop"))
    code, text = up.do("chaos", "run", name)
    assert code == 10, text
    assert "not seen to bite: crash_loop of engine-" in text
    assert up.do("chaos", "status") == (0, "no fault is open\n")


def test_a_mistake_in_the_file_ends_with_2_before_anything_is_struck(up):
    before = len(ledger(up))
    code, text = up.do("chaos", "run", hang(up, strike={"fault": "stpo"}))
    assert (code, len(ledger(up))) == (2, before), text
    assert "did you mean stop?" in text


def test_a_steady_state_that_does_not_hold_ends_with_1(up):
    state = {**HANG["steady-state-hypothesis"], "title": "three engines are ready"}
    state["probes"] = [{**state["probes"][0], "tolerance": {"type": "range", "range": [3, 3]}}]
    code, text = up.do("chaos", "run", hang(up, **{"steady-state-hypothesis": state}), "--for", "1s")
    assert code == 1, text
    assert "the steady state that the file names did not hold" in text


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_asked_once_it_lets_go_and_plays_its_rollbacks(up, number, code):
    since = len(ledger(up))
    run = up.start("chaos", "run", hang(up))
    until(lambda: holding(up, since), 60, "the fault")
    run.send_signal(number)
    text, _ = run.communicate(timeout=60)
    assert run.returncode == code, text
    assert ledger(up)[-1]["step"] == "gone"
    assert f"let go by {number.name}" in text
    (folder,) = sorted(up.runs.glob("chaos-*-hang-*"))[-1:]
    journal = json.loads((folder / "journal.json").read_text())
    # The hold of 60 s ended, or never began, and then came the rollback: that order counts, not how long it took.
    assert [one["status"] for one in journal["run"]] in (["succeeded", "failed"], ["succeeded"])
    assert all("LetGoError" in str(one["exception"]) for one in journal["run"][1:])
    assert [one["status"] for one in journal["rollbacks"]] == ["succeeded"]
    assert journal["run"][-1]["end"] <= journal["rollbacks"][0]["start"]


def test_asked_twice_it_undoes_without_waiting_for_the_toolkit(up):
    # The second action is somebody else's and knows nothing of letting go: it would take a minute.
    name = hang(up, "deaf")
    document = yaml.safe_load((up.root / "chaos/deaf.yaml").read_text())
    document["method"][1]["provider"] = {"type": "process", "path": "sleep", "arguments": "60"}
    up.write("chaos/deaf.yaml", yaml.safe_dump(document))
    since = len(ledger(up))
    run = up.start("chaos", "run", name)
    until(lambda: holding(up, since), 60, "the fault")
    run.send_signal(signal.SIGINT)
    until(lambda: run.poll() is not None or ledger(up)[-1]["step"] in {"lapsed", "undone", "gone"}, 30, "letting go")
    run.send_signal(signal.SIGINT)
    text, _ = run.communicate(timeout=30)
    assert run.returncode == 130, text
    until(lambda: up.do("chaos", "status")[0] == 0, 30, "no open fault")


def test_who_holds_it_is_told_and_another_may_take_it_back(up):
    since = len(ledger(up))
    run = up.start("chaos", "run", hang(up))
    until(lambda: holding(up, since), 60, "the fault")
    code, text = up.do("chaos", "status", "--json")
    (found,) = json.loads(text)["open"]
    assert (code, found["fault"], found["holder"].partition("@")[0]) == (11, "stop", str(run.pid))
    code, text = up.do("chaos", "run", "engine-kill")
    assert code == 75, text
    assert "another run is using the platform" in text
    code, text = up.do("chaos", "undo", "--json")
    assert (code, json.loads(text)["step"]) == (0, "gone")
    text, _ = run.communicate(timeout=60)
    assert run.returncode == 10, text  # it was not held as long as it was to be


def test_kill_9_leaves_a_clean_platform(up):
    since = len(ledger(up))
    run = up.start("chaos", "run", hang(up))
    until(lambda: holding(up, since), 60, "the fault")
    os.kill(run.pid, signal.SIGKILL)
    run.communicate(timeout=10)
    until(lambda: up.do("chaos", "status")[0] == 0, 30, "the reaper")
    assert up.engines_ready() == 3


def test_the_list_has_faults_and_experiments(up):
    code, text = up.do("chaos", "list", "--json")
    told = json.loads(text)
    rows = {row["name"]: row for row in told["faults"]}
    assert (code, rows["kill"]["lacks"], rows["stop"]["hands"]) == (0, [], ["Processes"])
    assert "engine-hang" in {one["name"] for one in told["experiments"]}
