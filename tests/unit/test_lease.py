"""A lease is a run's right to hold faults: it ends with its time, with its holder, with a boot, and when revoked."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from holdfast.chaos.lease import LENGTH, Leases
from holdfast.chaos.ledger import Ledger
from holdfast.clock import VirtualClock
from holdfast.model.platform import Identity
from holdfast.platforms import pids

ME = str(pids.incarnation(os.getpid()))


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def leases(tmp_path, clock):
    return Leases(tmp_path / "faults.leases", clock)


def test_without_one_nobody_holds_anything(leases):
    assert not leases.valid("run")
    assert not leases.revoked("run")
    assert leases.find("run") is None
    assert list(leases.all()) == []


def test_it_holds_for_its_length_and_not_a_moment_longer(leases, clock):
    leases.renew("run", ME)
    clock.sleep(LENGTH - 0.001)
    assert leases.valid("run")
    clock.sleep(0.001)
    assert not leases.valid("run")


def test_it_is_at_most_thirty_seconds():
    assert LENGTH <= 30


def test_it_is_put_off_by_renewing(leases, clock):
    for _ in range(5):
        leases.renew("run", ME)
        clock.sleep(LENGTH / 2)
    assert leases.valid("run")


def test_it_ends_with_its_holder(leases):
    holder = subprocess.Popen(["sleep", "60"])
    leases.renew("run", str(pids.incarnation(holder.pid)))
    assert leases.valid("run")
    holder.kill()
    holder.wait(5)
    assert not leases.valid("run")


def test_a_process_that_was_given_the_same_pid_later_does_not_hold_it(leases):
    leases.renew("run", f"{os.getpid()}@1")
    assert not leases.valid("run")


def test_one_of_before_the_last_boot_holds_nothing(leases, clock):
    # The monotonic clock begins anew: what was to end in its second 5020 would hold for more than an hour.
    clock.now = 5000.0
    leases.renew("run", ME)
    clock.now = 30.0
    assert not leases.valid("run")


def test_revoked_it_holds_nothing_and_cannot_be_renewed(leases):
    leases.renew("run", ME)
    leases.revoke("run")
    assert (leases.valid("run"), leases.revoked("run")) == (False, True)
    leases.renew("run", ME)
    assert (leases.valid("run"), leases.revoked("run")) == (False, True)


def test_what_was_never_held_can_be_revoked(leases):
    leases.revoke("run")
    assert leases.revoked("run")


def test_released_it_is_as_if_it_had_never_been(leases):
    leases.renew("run", ME)
    leases.release("run")
    leases.release("run")
    assert leases.find("run") is None


def test_runs_have_leases_of_their_own(leases):
    leases.renew("one", ME)
    leases.renew("two", ME)
    leases.revoke("two")
    assert (leases.valid("one"), leases.valid("two")) == (True, False)
    assert [(one.run, one.revoked) for one in leases.all()] == [("one", False), ("two", True)]


@pytest.mark.parametrize(
    "text",
    ["", "{", "5", "null", "{}", '{"run": "run"}', '{"run": "run", "holder": 5, "until": "x", "more": 1}', "\udcff"],
)
def test_a_file_that_is_no_lease_holds_nothing(leases, text):
    leases.folder.mkdir()
    (leases.folder / "run.json").write_bytes(text.encode(errors="surrogateescape"))
    assert not leases.valid("run")
    assert list(leases.all()) == []


@pytest.mark.parametrize("until", ["NaN", "Infinity", "-Infinity", "1e99"])
def test_a_time_that_never_comes_holds_nothing(leases, until):
    leases.folder.mkdir()
    (leases.folder / "run.json").write_text(f'{{"run": "run", "holder": "{ME}", "until": {until}}}')
    assert not leases.valid("run")


@pytest.mark.parametrize(("field", "value"), [("until", "soon"), ("until", None), ("holder", 5), ("holder", None)])
def test_a_lease_with_a_field_of_another_kind_holds_nothing(leases, clock, field, value):
    leases.folder.mkdir()
    whole = {"run": "run", "holder": ME, "until": clock.monotonic() + 5, "revoked": False, field: value}
    (leases.folder / "run.json").write_text(json.dumps(whole))
    assert not leases.valid("run")


def test_a_name_with_a_way_out_stays_in_the_folder(leases):
    leases.renew("../../escape", ME)
    assert [path.name for path in leases.folder.iterdir()] == ["escape.json"]


def test_a_reader_never_sees_half_of_one(leases):
    # The file is replaced whole: whoever opened it before goes on reading the old one.
    leases.renew("run", ME)
    with (leases.folder / "run.json").open() as before:
        leases.revoke("run")
        assert json.load(before)["revoked"] is False
    assert [path.name for path in leases.folder.iterdir()] == ["run.json"]


def test_a_fault_without_a_valid_lease_has_lapsed(tmp_path, clock):
    book = Ledger(tmp_path / "faults.ndjson", clock)
    target = Identity(name="engine-1", role="engine", unit="7@1")
    for run in ("held", "left"):
        book.write(id=run, run=run, fault="kill", step="asked", target=target)
    book.leases.renew("held", ME)
    assert [one.id for one in book.lapsed_faults()] == ["left"]
    clock.sleep(LENGTH)
    assert [one.id for one in book.lapsed_faults()] == ["left", "held"]  # newest first, by when they were first asked
