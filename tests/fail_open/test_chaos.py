"""Chaos Toolkit calls many failed runs completed: twenty situations, played by the real toolkit on real processes.

The verdict rests on the ledger, on what clients saw and on whether the method was played whole; what the toolkit says
of steady state and deviation is kept as a journal and never read.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from bench import until
from guards import guards
from holdfast.judge import judge
from holdfast.model.verdict import State
from holdfast.signals import stoppable
from rig import Rig, Sleepers, action, ended_by, experiment, hypothesis, probe, restore, strike

TOOLKIT = "Chaos Toolkit"
PASS, FAIL, UNKNOWN, NOT_RESTORED = State.PASS, State.FAIL, State.UNKNOWN, State.NOT_RESTORED


@pytest.fixture
def platform(tmp_path):
    sleepers = Sleepers(tmp_path)
    yield sleepers
    sleepers.end()


@pytest.fixture
def flag(tmp_path):
    """A file that is not there yet."""
    return str(tmp_path / "flag")


@pytest.fixture
def rig(tmp_path, platform, flag):
    """At its end whoever waits for the flag need not, and is waited for: a thread would meddle with other tests."""
    made = Rig(tmp_path / "run", platform)
    yield made
    Path(flag).touch()
    assert made.chaos is None or made.chaos.wait(20)


def state_of(timeline):
    return judge(timeline).state


def doubt(timeline, name):
    return next(one for one in judge(timeline).checks if one.name == name)


def observed(rig):
    """Wait until the fault is there."""
    until(lambda: "observed" in rig.steps(), 10, "the fault to bite")


def test_the_same_story_passes_when_nothing_is_wrong(rig):
    report = judge(rig.play(experiment(strike())))
    assert report.state is PASS, [one.seen for one in report.checks if one.state is not PASS]
    assert rig.steps() == ["asked", "applied", "observed", "undone", "gone"]


@guards(TOOLKIT, "continuous hypothesis broken for half of the samples, healed at the end: completed", FAIL)
def test_an_outage_that_healed_before_the_end_is_in_the_record(rig):
    document = experiment(strike(), **hypothesis(probe("exists", path="/")))
    # 60 of the 240 requests of the fault's phase: 25 %, where 5 % may be bad.
    found = state_of(rig.play(document, bad={"fault": 60}))
    assert (rig.journal["status"], rig.journal["deviated"]) == ("completed", False)
    return found


@guards(TOOLKIT, "fail-fast, still broken at the after-check: completed", FAIL)
def test_an_outage_that_stays_is_in_the_record(rig, flag):
    healthy = {**probe("exists", path=flag), "tolerance": False}
    document = experiment(strike(), action("touches", path=flag), **hypothesis(healthy))
    found = rig.play(document, bad={"fault": 4, "recovery": 60})  # 60 of 300 where 1 % may be
    assert (rig.journal["status"], rig.journal["deviated"]) == ("completed", True)
    return state_of(found)


@guards(TOOLKIT, "fail-fast, healed at the after-check: rollbacks skipped, the fault is left on", NOT_RESTORED)
def test_a_fault_that_no_rollback_took_back_is_undone_by_the_harness_or_told(rig, platform):
    platform.mends = False
    found = state_of(rig.play(experiment(strike(), rollbacks=())))
    assert rig.steps() == ["asked", "applied", "observed", "undone", "stuck"]
    return found


@guards(TOOLKIT, "fail-fast during a foreground action waits for all of it, however long", UNKNOWN)
def test_a_stop_during_a_long_action_undoes_the_fault_without_waiting_for_it(rig, flag):
    def stop():
        observed(rig)
        rig.stop.signal = "SIGTERM"

    found = rig.play(experiment(strike(), action("waits_for", path=flag)), during=stop)
    assert rig.steps()[-2:] == ["undone", "gone"]
    return state_of(found)


@guards(TOOLKIT, "an injector raised: completed, exit code 0", UNKNOWN)
def test_an_injector_that_raised_hit_nothing(rig):
    found = state_of(rig.play(experiment(strike(fault="kil"))))
    assert (rig.journal["status"], rig.journal["deviated"]) == ("completed", False)
    return found


@guards(TOOLKIT, "the second of two injectors raised: completed, exit code 0", UNKNOWN)
@pytest.mark.parametrize("second", [strike(fault="kil"), action("raises")], ids=["ours", "another's"])
def test_half_a_method_is_not_the_experiment(rig, second):
    found = rig.play(experiment(strike(), second))
    assert rig.steps()[-1] == "gone"
    assert f"{second['name']} failed" in doubt(found, "fault seen to bite").seen
    return state_of(found)


@guards(TOOLKIT, "the steady state was not met, so the method was not played: completed, exit code 0", UNKNOWN)
def test_an_experiment_that_never_began_proves_nothing(rig, flag):
    found = rig.play(experiment(strike(), **hypothesis(probe("exists", path=flag))))
    assert rig.steps() == []
    return state_of(found)


@guards(TOOLKIT, "a rollback raised: completed, exit code 0", NOT_RESTORED)
@pytest.mark.parametrize("order", [1, -1], ids=["before ours", "after ours"])
def test_a_rollback_that_raised_may_have_left_something(rig, order):
    # Our own fault is seen gone; of what the other rollback was to take back, the ledger knows nothing.
    found = rig.play(experiment(strike(), rollbacks=(action("raises"), restore())[::order]))
    assert rig.steps()[-1] == "gone"
    assert "raises failed" in doubt(found, "platform restored").seen
    return state_of(found)


@guards(TOOLKIT, "SIGUSR1 (exit_gracefully): interrupted, rollbacks skipped", NOT_RESTORED)
@pytest.mark.slow
def test_a_harness_ended_by_sigusr1_left_its_fault_in_the_record(tmp_path):
    return state_of(ended_by(signal.SIGUSR1, tmp_path))


@guards(TOOLKIT, "SIGUSR2: rollbacks skipped even when they are always to be played", NOT_RESTORED)
@pytest.mark.slow
def test_a_harness_ended_by_sigusr2_left_its_fault_in_the_record(tmp_path):
    return state_of(ended_by(signal.SIGUSR2, tmp_path))


@guards(TOOLKIT, "SIGKILL: no journal at all", NOT_RESTORED)
@pytest.mark.slow
def test_a_harness_ended_by_sigkill_left_its_fault_in_the_record(tmp_path):
    return state_of(ended_by(signal.SIGKILL, tmp_path))


def signalled(rig, number, flag):
    """A signal to this very process while the experiment goes on."""

    def send():
        observed(rig)
        os.kill(os.getpid(), number)

    with stoppable() as rig.stop:
        found = rig.play(experiment(strike(), action("waits_for", path=flag)), during=send)
    assert rig.stop.signal == number.name
    assert rig.steps()[-1] == "gone"
    return state_of(found)


@guards(TOOLKIT, "Ctrl-C under pytest is swallowed, rollbacks are skipped, pytest carries on", UNKNOWN)
def test_ctrl_c_ends_the_run_undoes_the_fault_and_stands_in_the_record(rig, flag):
    return signalled(rig, signal.SIGINT, flag)


@guards(TOOLKIT, "SIGTERM in a Python action: the action has failed, the run carries on", UNKNOWN)
def test_sigterm_ends_the_run_undoes_the_fault_and_stands_in_the_record(rig, flag):
    return signalled(rig, signal.SIGTERM, flag)


@guards(TOOLKIT, "a stop waits for the hypothesis' frequency before it rolls back", UNKNOWN)
def test_a_stop_waits_for_no_hypothesis(rig, flag):
    begun = []

    def stop():
        observed(rig)
        begun.append(time.monotonic())
        rig.stop.signal = "SIGTERM"
        threading.Timer(0.2, Path(flag).touch).start()

    often = {**probe("exists", path="/"), "frequency": 6}
    document = experiment(strike(), action("waits_for", path=flag), **hypothesis(often))
    found = rig.play(document, during=stop)
    assert rig.steps()[-1] == "gone"
    assert time.monotonic() - begun[0] < 6
    return state_of(found)


@guards(TOOLKIT, "a hung probe or a long background action delays the rollback without bound", UNKNOWN)
def test_an_experiment_that_hangs_is_left_behind_and_its_fault_undone(rig, flag):
    found = rig.play(experiment(strike(), action("waits_for", path=flag)), during=lambda: observed(rig))
    assert rig.steps()[-2:] == ["undone", "gone"]
    assert "had not ended" in doubt(found, "fault seen to bite").seen
    return state_of(found)


@guards(TOOLKIT, "after the first failing probe the later ones are not run", FAIL)
def test_every_expectation_is_judged_whatever_became_of_the_first(rig):
    report = judge(rig.play(experiment(strike()), bad={"baseline": 60, "fault": 4}, slow={"recovery": 60}))
    assert [one.state for one in report.verdicts] == [FAIL, PASS, FAIL, PASS, PASS]
    return report.state


@guards(TOOLKIT, "the after-check and the last continuous check overlap in two threads", FAIL)
def test_probes_share_one_thread_and_judgements_share_nothing(rig, flag):
    document = experiment(strike(), **hypothesis(probe("notes_thread", path=flag)))
    timeline = rig.play(document, bad={"fault": 60})
    assert Path(flag).read_text().split() == ["chaos", "chaos"]
    reports = []
    judging = [threading.Thread(target=lambda: reports.append(judge(timeline))) for _ in range(2)]
    for one in judging:
        one.start()
    for one in judging:
        one.join()
    assert reports[0] == reports[1]
    return reports[0].state


@guards(TOOLKIT, "rollbacks are played in the declared order, also for actions that never ran", UNKNOWN)
def test_undoing_what_never_happened_does_nothing_and_proves_nothing(rig, platform):
    before = [one.identity for one in platform.replicas("engine")]
    found = rig.play(experiment(action("raises"), rollbacks=(restore(), restore())))
    assert [one.identity for one in platform.replicas("engine")] == before
    return state_of(found)


@guards(TOOLKIT, "outside the main thread: ValueError, and nothing was played", UNKNOWN)
def test_an_experiment_that_the_toolkit_could_not_play_is_no_experiment(rig):
    # In a thread of ours it plays; what it raises itself, here because a variable is not set, is kept.
    found = rig.play(experiment(strike(), configuration={"secret": {"type": "env", "key": "HOLDFAST_IS_NOT_SET"}}))
    assert rig.steps() == []
    assert "HOLDFAST_IS_NOT_SET" in doubt(found, "fault seen to bite").seen
    return state_of(found)


@guards(TOOLKIT, "aborted by an event handler: the rest of the method is not played, rollbacks are", UNKNOWN)
def test_an_aborted_experiment_is_none(rig, flag):
    def stop():
        observed(rig)
        rig.stop.signal = "SIGTERM"
        threading.Timer(0.1, Path(flag).touch).start()

    found = rig.play(experiment(strike(), action("waits_for", path=flag), strike()), during=stop)
    assert rig.steps().count("applied") == 1
    assert rig.steps()[-1] == "gone"
    return state_of(found)


@guards(TOOLKIT, "a control that raises to veto an activity is ignored", UNKNOWN)
def test_what_may_not_be_touched_is_refused_without_any_control(rig, platform):
    veto = {"name": "veto", "provider": {"type": "python", "module": "acts"}}
    before = platform.replicas("store")
    found = rig.play(experiment(strike(role="store"), controls=[veto]))
    assert platform.replicas("store") == before
    assert rig.steps() == ["refused"]
    return state_of(found)
