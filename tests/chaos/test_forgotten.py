"""What the ledger holds and nobody here can take back is told in words, with the way out, and stays to be seen."""

from __future__ import annotations

import os

import pytest
from click.testing import CliRunner

from holdfast.chaos.strike import FaultStuckError, Wanted
from holdfast.cli import cli
from holdfast.clock import SystemClock
from holdfast.errors import InfrastructureError, TargetError, UsageError
from holdfast.experiments import standing
from holdfast.faults.stop import Stop
from holdfast.model.platform import Identity
from holdfast.platforms import pids
from holdfast.platforms.hands import processes

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

CLOCK = SystemClock()
ENGINE = Identity(name="engine-1", role="engine", unit="7@1")


@pytest.fixture
def of_old(harness):
    """A fault of a version that knew it, left behind by a run that is over."""
    entry = harness.book.write(id="abc", run="run-0", fault="of-old", step="applied", target=ENGINE)
    yield entry
    harness.driver.ledger().unlink(missing_ok=True)


def test_the_next_start_is_refused_in_words_with_the_way_out(harness, of_old):
    with pytest.raises(FaultStuckError) as caught:
        standing.sweep(harness.striker("run-2"))
    assert str(caught.value) == "of-old of engine-1 by run run-0 cannot be taken back: no fault named 'of-old'"
    assert caught.value.hint == "put things right yourself, then: holdfast chaos undo --forget abc"


def test_what_else_was_left_is_taken_back_all_the_same(harness, of_old):
    harness.striker("run-1").strike(Wanted(fault="stop", role="engine", names=("engine-2",)))
    with pytest.raises(FaultStuckError, match="no fault named 'of-old'"):
        standing.sweep(harness.striker("run-2"))
    assert harness.stopped() == []
    assert [one.id for one in harness.book.open_faults()] == ["abc"]


def test_the_status_names_it_and_how_to_be_rid_of_it(harness, of_old):
    (found,) = standing.standing(harness.state, CLOCK)
    assert str(found).endswith(
        "no such fault is known, nobody can take it back: "
        "put things right yourself, then: holdfast chaos undo --forget abc"
    )


def test_forgotten_it_stands_in_nobodys_way_and_is_not_called_gone(harness, of_old):
    done = CliRunner().invoke(
        cli, ["chaos", "undo", "--forget", "abc", "--state", str(harness.state)], standalone_mode=False
    )
    assert (done.return_value, done.output) == (0, "of-old of engine-1: forgotten\n")
    standing.sweep(harness.striker("run-2"))
    assert standing.standing(harness.state, CLOCK) == ()
    (last,) = [one for one in harness.book.entries() if one.step == "forgotten"]
    assert (last.run, last.detail) == ("run-0", "by hand; nobody saw it gone")


def test_what_is_not_open_cannot_be_forgotten(harness, of_old):
    with pytest.raises(UsageError, match="no fault 'xyz' is open") as caught:
        standing.forget(harness.state, CLOCK, "xyz")
    assert caught.value.hint == "abc"


def test_nor_can_what_somebody_alive_holds(harness, of_old):
    harness.book.leases.renew("run-0", str(pids.incarnation(os.getpid())))
    with pytest.raises(InfrastructureError, match="run-0 holds a fault"):
        standing.forget(harness.state, CLOCK, "abc")
    harness.book.leases.release("run-0")


def test_a_platform_without_the_hand_that_a_fault_needs_refuses_before_anything_is_asked_for(harness, monkeypatch):
    def lacks(_):
        raise TargetError("processes cannot be signalled here")

    monkeypatch.setattr(processes, "HAND", lacks)
    with pytest.raises(TargetError, match="processes cannot be signalled here"):
        harness.striker().strike(Wanted(fault="stop", role="engine", names=("engine-1",)))
    assert [step for _, step in harness.steps()] == ["refused"]
    assert harness.book.open_faults() == ()


@pytest.mark.parametrize(("fault", "why"), [("latency", "takes no proxy"), ("core_dead", "has no door for faults")])
def test_so_does_a_target_that_lacks_what_others_have(harness, fault, why):
    with pytest.raises(TargetError, match=why):
        harness.striker().strike(Wanted(fault=fault, role="engine", names=("engine-1",)))
    assert [step for _, step in harness.steps()] == ["refused"]


def test_one_that_cannot_be_undone_any_more_is_told_the_same_way(harness, monkeypatch):
    # The hand was there when it was struck: the platform came up again without it.
    (struck,) = harness.striker().strike(Wanted(fault="stop", role="engine", names=("engine-1",)))

    def lost(*_):
        raise TargetError("engine-1 has no such hand")

    with monkeypatch.context() as without:
        without.setattr(Stop, "undo", lost)
        with pytest.raises(FaultStuckError, match="cannot be taken back: engine-1 has no such hand"):
            standing.sweep(harness.striker("run-2"))
    assert [one.id for one in harness.book.open_faults()] == [struck.id]
    standing.sweep(harness.striker("run-2"))
    assert harness.clean()
