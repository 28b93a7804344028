"""Faults on real processes: written down before they strike, seen to bite, undone, seen gone; refused when in doubt."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from holdfast import faults
from holdfast.chaos.ledger import Ledger
from holdfast.chaos.strike import FaultStuckError, Striker, Wanted
from holdfast.clock import VirtualClock
from holdfast.errors import TargetError, UsageError
from holdfast.model.fault import Strike
from holdfast.model.platform import Endpoints, Identity, Replica

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Sleepers:
    """A platform of `sleep` processes; `deaf` ones survive a kill, and without `mends` nothing comes back."""

    folder: Path
    deaf: bool = False
    mends: bool = True
    name: str = "sleepers"
    address: str = "nowhere"
    allowed: frozenset[str] = frozenset({"engine"})
    running: dict[str, subprocess.Popen] = field(default_factory=dict)

    def roles(self):
        return ("engine", "store")

    def endpoints(self):
        return Endpoints(gateway="", prometheus="", alerts="", api_key="")

    def ledger(self):
        return self.folder / "faults.ndjson"

    def fingerprint(self):
        return "sleepers"

    def describe(self):
        return {}

    def hand(self, kind):
        raise TargetError(f"sleepers have no {kind.__name__.lower()}")

    def start(self, name):
        self.running[name] = subprocess.Popen(["sleep", "60"])

    def replicas(self, role):
        mine = [(name, one) for name, one in sorted(self.running.items()) if name.startswith(role)]
        return tuple(
            Replica(
                identity=Identity(name=name, role=role, unit=str(one.pid)),
                running=one.poll() is None,
                ready=one.poll() is None,
            )
            for name, one in mine
        )

    def alive(self, identity):
        one = self.running[identity.name]
        return str(one.pid) == identity.unit and one.poll() is None

    def kill(self, identity):
        if not self.alive(identity):
            raise TargetError(f"{identity.name} is no longer what it was")
        if not self.deaf:
            os.kill(int(identity.unit), signal.SIGKILL)
            self.running[identity.name].wait(5)

    def restore(self, role):
        for name, one in self.running.items():
            if self.mends and name.startswith(role) and one.poll() is not None:
                self.start(name)


@pytest.fixture
def platform(tmp_path):
    sleepers = Sleepers(tmp_path)
    for name in ("engine-1", "engine-2", "engine-3", "store-1"):
        sleepers.start(name)
    yield sleepers
    for one in sleepers.running.values():
        one.kill()
        one.wait(5)


@pytest.fixture
def striker(platform):
    return a_striker(platform)


def a_striker(platform, seed=7, run="run-1"):
    clock = VirtualClock()
    return Striker(driver=platform, ledger=Ledger(platform.ledger(), clock), clock=clock, run=run, seed=seed)


TWO = Wanted(fault="kill", role="engine", count=2)


def steps(striker):
    return [entry.step for entry in striker.ledger.entries()]


def test_a_fault_is_asked_applied_observed_undone_and_gone(platform, striker):
    (struck,) = striker.strike(Wanted(fault="kill", role="engine", count=1, within=5.0))
    assert not platform.alive(struck.target)
    assert steps(striker) == ["asked", "applied", "observed"]
    assert striker.restore(struck, 30.0).step == "gone"
    assert steps(striker) == ["asked", "applied", "observed", "undone", "gone"]
    assert all(one.ready for one in platform.replicas("engine"))


def test_the_incarnation_that_comes_back_is_another_one(platform, striker):
    (struck,) = striker.strike(Wanted(fault="kill", role="engine", count=1, within=5.0))
    striker.restore(struck, 30.0)
    (now,) = [one.identity for one in platform.replicas("engine") if one.identity.name == struck.name]
    assert now.unit != struck.unit


def test_the_same_seed_chooses_the_same_targets(platform, tmp_path):
    chosen = {seed: a_striker(platform, seed).targets(TWO)[0] for seed in range(8)}
    assert all(a_striker(platform, seed).targets(TWO)[0] == targets for seed, targets in chosen.items())
    assert len({tuple(one.name for one in targets) for targets in chosen.values()}) > 1


def test_several_targets_are_struck_one_after_the_other(platform, striker):
    struck = striker.strike(Wanted(fault="kill", role="engine", count=2, within=5.0))
    assert len({entry.name for entry in struck}) == 2
    assert sum(one.ready for one in platform.replicas("engine")) == 1


def test_a_role_that_may_not_be_touched_is_refused_and_written_down(platform, striker):
    with pytest.raises(TargetError, match="role 'store' may not be touched on this platform") as caught:
        striker.strike(Wanted(fault="kill", role="store", count=1, within=5.0))
    assert caught.value.hint == "allowed: engine"
    assert steps(striker) == ["refused"]
    assert platform.replicas("store")[0].ready


@pytest.mark.parametrize("count", [0, -1, 4])
def test_too_few_targets_are_refused(platform, striker, count):
    with pytest.raises(TargetError, match=f"{count} ready replicas of 'engine' are wanted, 3 are there"):
        striker.strike(Wanted(fault="kill", role="engine", count=count, within=5.0))
    assert steps(striker) == ["refused"]
    assert sum(one.ready for one in platform.replicas("engine")) == 3


def test_replicas_that_are_down_already_are_no_targets(platform, striker):
    platform.running["engine-2"].kill()
    platform.running["engine-2"].wait(5)
    with pytest.raises(TargetError, match="2 are there"):
        striker.strike(Wanted(fault="kill", role="engine", count=3, within=5.0))


def test_a_fault_that_is_not_seen_to_bite_is_written_down_as_unseen(platform, striker):
    platform.deaf = True
    (struck,) = striker.strike(Wanted(fault="kill", role="engine", count=1, within=2.0))
    assert (struck.step, struck.detail) == ("unseen", f"not seen to bite within 2 s: {struck.unit} still runs")
    assert sum(striker.clock.slept) == pytest.approx(2.0, abs=0.1)  # virtual seconds
    assert striker.ledger.open_faults("run-1") == (struck,)


def test_a_fault_that_never_bit_is_gone_at_once(platform, striker):
    platform.deaf = True
    (struck,) = striker.strike(Wanted(fault="kill", role="engine", count=1, within=2.0))
    assert striker.restore(struck, 30.0).step == "gone"


def test_a_fault_that_was_only_asked_for_is_gone_at_once(platform, striker):
    # The harness was killed between writing "asked" and striking: the replica lives, there is nothing to take back.
    target = platform.replicas("engine")[0].identity
    asked = striker.ledger.write(id="x", run="run-0", fault="kill", step="asked", target=target)
    assert striker.restore(asked, 30.0).step == "gone"
    assert striker.ledger.open_faults() == ()


def test_a_fault_that_does_not_go_is_stuck_and_stays_open(platform, striker):
    platform.mends = False
    (struck,) = striker.strike(Wanted(fault="kill", role="engine", count=1, within=5.0))
    with pytest.raises(FaultStuckError, match=f"kill of {struck.name} was not seen gone within 30 s"):
        striker.restore(struck, 30.0)
    assert [entry.step for entry in striker.ledger.open_faults("run-1")] == ["stuck"]
    platform.mends = True
    assert striker.restore(struck, 30.0).step == "gone"  # and may be undone again
    assert striker.ledger.open_faults() == ()


def test_a_target_that_vanished_between_choice_and_strike_stays_written_down(platform, striker):
    target = platform.replicas("engine")[0].identity
    platform.running["engine-1"].kill()
    platform.running["engine-1"].wait(5)
    with pytest.raises(TargetError, match="no longer what it was"):
        faults.find("kill").apply(platform, Strike(id="x", fault="kill", target=target))


def test_an_unknown_fault_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match="no fault named 'kil'") as caught:
        faults.find("kil")
    assert caught.value.hint == "did you mean kill?"


@pytest.mark.parametrize("name", faults.names())
def test_every_fault_has_its_four_parts(name):
    fault = faults.find(name)
    assert all(callable(getattr(fault, part)) for part in ("apply", "bites", "undo", "gone"))
    assert fault.title


# The ledger.


ENGINE = Identity(name="engine-1", role="engine", unit="7@1")


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "faults.ndjson", VirtualClock())


def write(ledger, name, step, run="r"):
    return ledger.write(id=name, run=run, fault="kill", step=step, target=ENGINE)


def test_a_ledger_that_is_not_there_holds_nothing(ledger):
    assert list(ledger.entries()) == []
    assert ledger.open_faults() == ()


def test_a_step_comes_back_as_it_was_written(ledger):
    entry = write(ledger, "a", "asked")
    assert list(ledger.entries()) == [entry]
    assert (entry.target, entry.monotonic, entry.wall) == (ENGINE, 1000.0, 1_700_001_000.0)


def test_undo_goes_last_in_first_out(ledger):
    for name in ("a", "b", "c", "d"):
        write(ledger, name, "asked")
    write(ledger, "a", "observed")
    write(ledger, "b", "gone")
    write(ledger, "d", "refused")
    assert [(one.id, one.step) for one in ledger.open_faults()] == [("c", "asked"), ("a", "observed")]


@pytest.mark.parametrize("step", ["asked", "applied", "observed", "unseen", "undone", "stuck"])
def test_anything_but_gone_or_refused_may_still_be_there(ledger, step):
    write(ledger, "a", step)
    assert [one.step for one in ledger.open_faults()] == [step]


@pytest.mark.parametrize("late", ["lapsed", "undone"])
def test_one_that_was_seen_gone_is_not_opened_again_by_somebody_who_took_it_back_too(ledger, late):
    # The run and two reapers may do it at once; whoever is last has found it open before the first saw it gone.
    for step in ("asked", "applied", "undone", "gone", late):
        write(ledger, "a", step)
    assert ledger.open_faults() == ()


@pytest.mark.parametrize("again", ["applied", "observed", "unseen", "astray", "stuck"])
def test_one_that_was_seen_gone_and_strikes_again_is_open(ledger, again):
    # A harness that stood still between "asked" and the strike, and goes on after others took the fault back.
    for step in ("asked", "gone", again):
        write(ledger, "a", step)
    assert [one.step for one in ledger.open_faults()] == [again]


def test_faults_of_other_runs_can_be_told_apart(ledger):
    write(ledger, "a", "asked", run="one")
    write(ledger, "b", "asked", run="two")
    assert [one.id for one in ledger.open_faults("two")] == ["b"]
    assert [one.id for one in ledger.open_faults()] == ["b", "a"]


def test_a_torn_last_line_never_happened(ledger):
    write(ledger, "a", "asked")
    write(ledger, "b", "asked")
    ledger.path.write_bytes(ledger.path.read_bytes()[:-15])
    assert [one.id for one in ledger.open_faults()] == ["a"]


def test_what_is_written_after_a_torn_line_is_not_lost_with_it(ledger):
    write(ledger, "a", "asked")
    ledger.path.write_bytes(ledger.path.read_bytes()[:-15])
    write(ledger, "b", "asked")
    assert [one.id for one in ledger.open_faults()] == ["b"]


@pytest.mark.parametrize("line", ["5", "[]", "null", "{}", '{"id": "x"}', "\N{SNOWMAN}", ""])
def test_lines_that_are_no_entries_are_passed_over(ledger, line):
    write(ledger, "a", "asked")
    with ledger.path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    write(ledger, "b", "asked")
    assert [one.id for one in ledger.entries()] == ["a", "b"]


def test_bytes_that_are_no_text_are_passed_over(ledger):
    write(ledger, "a", "asked")
    ledger.path.write_bytes(ledger.path.read_bytes() + b"\xff\xfe\n")
    assert [one.id for one in ledger.entries()] == ["a"]


def test_a_step_that_cannot_be_kept_does_not_happen(tmp_path, platform):
    unwritable = Ledger(tmp_path / "no such folder" / "faults.ndjson", VirtualClock())
    striker = Striker(driver=platform, ledger=unwritable, clock=VirtualClock(), run="r", seed=7)
    with pytest.raises(OSError, match="No such file"):
        striker.strike(Wanted(fault="kill", role="engine", count=1, within=5.0))
    assert all(one.ready for one in platform.replicas("engine"))


def test_each_line_is_one_whole_entry(ledger):
    write(ledger, "a", "asked")
    (line,) = ledger.path.read_text().splitlines()
    assert json.loads(line)["step"] == "asked"
