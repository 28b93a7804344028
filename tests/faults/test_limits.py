"""Faults by limits of a process, on real ones: no more open files, no file may be written; and a full file system."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys

import pytest

from holdfast import faults
from holdfast.errors import TargetError
from holdfast.faults.ways import notes
from holdfast.model.hands import Disks, Limits
from targets import Targets, eventually

WORKER = """
import json, os, sys
for line in sys.stdin:
    try:
        if line == "open\\n":
            os.close(os.dup(0))
        else:
            with open("grows", "ab", buffering=0) as file:
                file.write(bytes(4096)); os.fsync(file.fileno())
        print("done", flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
"""
"""Opens a file or writes one when it is told, and says what came of it."""
FAMILY = {"fds": "open", "file_limit": "write"}
SAID = {"fds": "Too many open files", "file_limit": "File too large"}


@pytest.fixture
def two(tmp_path):
    targets = Targets(tmp_path).embedded(Limits)
    for name in ("engine-1", "engine-2"):
        begin(targets, name)
    yield targets
    targets.close()
    for one in targets.running.values():
        one.stdin.close()
        one.stdout.close()


def begin(targets, name, command=(sys.executable, "-SE", "-c", WORKER)):
    (targets.folder / name).mkdir(exist_ok=True)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    targets.start(name, *command, cwd=targets.folder / name, **pipes)


def try_it(targets, name, word):
    """What a replica says when it is told to open or to write."""
    targets.running[name].stdin.write(word + "\n")
    targets.running[name].stdin.flush()
    return targets.running[name].stdout.readline().strip()


@pytest.mark.parametrize("name", FAMILY)
def test_it_bites_the_target_and_nobody_beside_and_goes(two, name):
    fault, word = faults.find(name), FAMILY[name]
    strike, beside = two.strike(name, "engine-1"), two.strike(name, "engine-2")
    before = [two.hand(Limits).limits(one.target, fault.kind) for one in (strike, beside)]
    assert try_it(two, "engine-1", word) == "done"
    fault.apply(two, strike)
    eventually(lambda: fault.bites(two, strike), within=fault.bites_within)
    assert try_it(two, "engine-1", word) == SAID[name]
    assert not fault.bites(two, beside).seen
    assert try_it(two, "engine-2", word) == "done"
    assert not fault.gone(two, strike).seen
    fault.undo(two, strike)
    eventually(lambda: fault.gone(two, strike), within=fault.gone_within)
    assert not fault.bites(two, strike).seen
    assert try_it(two, "engine-1", word) == "done"
    assert [two.hand(Limits).limits(one.target, fault.kind) for one in (strike, beside)] == before
    assert list(two.folder.glob("*.json")) == []


@pytest.mark.parametrize("name", FAMILY)
def test_undoing_twice_or_what_was_never_done_changes_nothing(two, name):
    fault, strike = faults.find(name), two.strike(name, "engine-1")
    before = two.hand(Limits).limits(strike.target, fault.kind)
    for _ in range(2):
        fault.undo(two, strike)
        assert fault.gone(two, strike).seen
    assert two.hand(Limits).limits(strike.target, fault.kind) == before


@pytest.mark.parametrize("name", FAMILY)
def test_a_blind_one_is_never_seen_to_bite(two, name):
    fault, strike = faults.find(name), two.strike(name, "engine-1")
    notes.keep(two, strike, {})  # it wrote its note and did nothing
    assert not fault.bites(two, strike).seen


@pytest.mark.parametrize("name", FAMILY)
def test_a_successor_has_limits_of_its_own(two, name):
    fault, strike = faults.find(name), two.strike(name, "engine-1")
    fault.apply(two, strike)
    two.kill(strike.target)
    assert not fault.bites(two, strike).seen
    fault.undo(two, strike)  # what it noted is of a process that is gone
    begin(two, "engine-1")
    assert fault.gone(two, strike).seen
    assert try_it(two, "engine-1", FAMILY[name]) == "done"


@pytest.mark.parametrize("name", FAMILY)
def test_a_target_that_is_gone_is_refused(two, name):
    strike = two.strike(name, "engine-1")
    two.kill(strike.target)
    with pytest.raises(TargetError):
        faults.find(name).apply(two, strike)


def test_what_was_noted_is_set_whoever_undoes_it(two):
    # A limit that is not the usual one comes back as it was, from the note alone.
    resource.prlimit(two.running["engine-1"].pid, resource.RLIMIT_NOFILE, (77, 1024))
    fault, strike = faults.find("fds"), two.strike("fds", "engine-1")
    fault.apply(two, strike)
    (note,) = two.folder.glob("*.json")
    assert (note.name, json.loads(note.read_text())) == (f"holdfast-{strike.id}.json", {strike.target.unit: 77})
    fault.undo(two, strike)
    assert resource.prlimit(two.running["engine-1"].pid, resource.RLIMIT_NOFILE) == (77, 1024)


def test_some_files_may_be_left(two):
    fault, strike = faults.find("fds"), two.strike("fds", "engine-1", left=1)
    fault.apply(two, strike)
    assert try_it(two, "engine-1", "open") == "done"
    assert not fault.bites(two, strike).seen  # it has room for one: it is not struck yet


def test_a_program_that_the_write_would_kill_is_refused(two):
    two.kill(two.identity("engine-1"))
    begin(two, "engine-1", ("/bin/sh", "-c", "read line; :"))
    with pytest.raises(TargetError, match="does not ignore SIGXFSZ"):
        faults.find("file_limit").apply(two, two.strike("file_limit", "engine-1"))


# A file system of its own.

DISK = faults.find("disk_full")


class Folders:
    """Each replica's data lies in the folder that it runs in."""

    def __init__(self, folder):
        self._folder = folder

    def folder(self, identity):
        return str(self._folder / identity.name)


@pytest.fixture
def disks(two):
    two.hands["places"] = Folders(two.folder)
    two.embedded(Disks)
    mounted = [two.folder / name for name in ("engine-1", "engine-2")]
    for folder in mounted:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "holdfast-test", folder], check=True)
    for name in ("engine-1", "engine-2"):  # they stand in what was there before
        two.kill(two.identity(name))
        begin(two, name)
    yield two
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system needs root")
def test_a_full_disk_bites_the_target_and_nobody_beside_and_goes(disks):
    strike, beside = disks.strike("disk_full", "engine-1"), disks.strike("disk_full", "engine-2")
    assert not DISK.bites(disks, strike).seen
    assert DISK.gone(disks, strike).seen
    DISK.apply(disks, strike)
    assert DISK.bites(disks, strike) == (True, "No space left on device")
    assert try_it(disks, "engine-1", "write") == "No space left on device"
    assert not DISK.bites(disks, beside).seen
    assert try_it(disks, "engine-2", "write") == "done"
    assert not DISK.gone(disks, strike).seen
    for _ in range(2):
        DISK.undo(disks, strike)
        assert DISK.gone(disks, strike).seen
    assert try_it(disks, "engine-1", "write") == "done"
    assert [one.name for one in (disks.folder / "engine-1").iterdir() if one.name.startswith(".")] == []


def test_a_folder_on_a_shared_disk_is_never_filled(two):
    two.hands["places"] = Folders(two.folder)
    two.embedded(Disks)
    strike = two.strike("disk_full", "engine-1")
    with pytest.raises(TargetError, match="is no file system of its own"):
        DISK.apply(two, strike)
    assert not DISK.bites(two, strike).seen
    DISK.undo(two, strike)
    assert DISK.gone(two, strike).seen
    assert list((two.folder / "engine-1").iterdir()) == []
