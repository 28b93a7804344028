"""The watch over a run: a reaper before the first fault, a lease while this process lives, and then nothing of both."""

from __future__ import annotations

import os
import shutil
import signal

import pytest

from bench import until
from holdfast import faults
from holdfast.chaos import guard, ledger
from holdfast.chaos.guard import Watch, start_reaper, watch_of
from holdfast.chaos.strike import Striker, Wanted
from holdfast.clock import SystemClock
from holdfast.errors import InfrastructureError, TargetError
from holdfast.faults.stop import Stop

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

SHORT = 2.0
"""Seconds of a lease."""


@pytest.fixture
def book(harness):
    return ledger.of(harness.driver, SystemClock(), SHORT)


@pytest.fixture
def watch(harness, book):
    made = Watch(harness.driver, book, "run-1")
    yield made
    made.end()


def striker(harness, book, watch):
    return Striker(driver=harness.driver, ledger=book, clock=SystemClock(), run="run-1", seed=0, guard=watch)


ONE = Wanted(fault="stop", role="engine", names=("engine-1",))


def test_a_reaper_looks_on_before_the_first_fault_is_written_down(harness, book, watch):
    watch.begin()
    assert harness.reaper_of("run-1")
    assert book.leases.valid("run-1")
    assert list(book.entries()) == []


def test_it_is_started_once_however_often_something_is_struck(harness, book, watch):
    watch.begin()
    first = harness.reaper_of("run-1")
    striker(harness, book, watch).strike(ONE)
    assert harness.reaper_of("run-1") == first


def test_a_reaper_that_died_is_followed_by_another_before_the_next_fault(harness, book, watch):
    watch.begin()
    first = harness.reaper_of("run-1")
    os.kill(first, signal.SIGKILL)
    until(lambda: harness.reaper_of("run-1") != first, 10, "its end")
    striker(harness, book, watch).strike(ONE)
    assert harness.reaper_of("run-1") not in (None, first)


def test_without_a_reaper_nothing_is_struck(harness, book, watch, monkeypatch):
    monkeypatch.setattr(guard.sys, "executable", "/bin/false")
    with pytest.raises(InfrastructureError, match="the reaper of faults did not start; nothing was struck"):
        striker(harness, book, watch).strike(ONE)
    assert list(book.entries()) == []
    assert harness.stopped() == []


def test_without_a_lease_nothing_is_struck(harness, book, watch):
    shutil.rmtree(book.leases.folder, ignore_errors=True)
    book.leases.folder.write_text("a file where the folder would be")
    try:
        with pytest.raises(InfrastructureError, match="no lease could be written"):
            striker(harness, book, watch).strike(ONE)
    finally:
        book.leases.folder.unlink()
    assert harness.stopped() == []


def test_the_lease_is_renewed_long_before_it_ends(book, watch):
    watch.begin()
    first = book.leases.find("run-1").until
    until(lambda: book.leases.find("run-1").until > first, SHORT / 2, "the lease to be put off")


def test_a_revoked_lease_is_not_renewed(book, watch):
    watch.begin()
    book.leases.revoke("run-1")
    clock = SystemClock()
    since = clock.monotonic()
    until(lambda: clock.monotonic() - since > SHORT / 2, SHORT, "two more turns")
    assert not book.leases.valid("run-1")


def test_what_is_held_is_renewed_and_what_is_gone_is_not(harness, book, watch, monkeypatch):
    renewed: list[str] = []
    monkeypatch.setattr(Stop, "renew", lambda *given: renewed.append(given[2].target.name))
    (struck,) = striker(harness, book, watch).strike(ONE)
    until(lambda: renewed, 10, "the fault to be renewed")
    striker(harness, book, watch).restore(struck)
    renewed.clear()
    clock = SystemClock()
    since = clock.monotonic()
    until(lambda: clock.monotonic() - since > SHORT / 2, SHORT, "two more turns")
    assert renewed == []


def test_a_fault_that_cannot_be_renewed_keeps_no_other_from_it(harness, book, watch, monkeypatch):
    renewed: list[str] = []

    def renew(_, __, strike):
        if strike.target.name == "engine-1":
            raise TargetError("it is gone")
        renewed.append(strike.target.name)

    monkeypatch.setattr(Stop, "renew", renew)
    assert faults.find("stop").__class__ is Stop
    for name in ("engine-1", "engine-2"):
        striker(harness, book, watch).strike(Wanted(fault="stop", role="engine", names=(name,)))
    until(lambda: renewed == ["engine-2"] * 2, 10, "the other one, twice")
    assert book.leases.valid("run-1")


def test_at_the_end_lease_and_reaper_are_gone(harness, book, watch):
    watch.begin()
    watch.end()
    assert book.leases.find("run-1") is None
    until(lambda: harness.reaper_of("run-1") is None, 10, "the reaper to end")
    watch.end()  # and once more changes nothing


def test_after_an_end_it_can_begin_again(harness, book, watch):
    watch.begin()
    watch.end()
    watch.begin()
    assert book.leases.valid("run-1")
    assert harness.reaper_of("run-1")


def test_one_run_of_one_platform_has_one_watch_in_a_process(harness, book):
    first = watch_of(harness.driver, book, "run-7")
    assert watch_of(harness.driver, book, "run-7") is first
    assert watch_of(harness.driver, book, "run-8") is not first


def test_a_reaper_outlives_nobody_for_whom_nothing_is_open(harness):
    reaper = start_reaper(harness.driver.address, "run-1")
    reaper.stdin.close()
    assert reaper.wait(20) == 0
    reaper.stdout.close()
