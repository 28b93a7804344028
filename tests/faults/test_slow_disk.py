"""`slow_disk` on real processes in real groups: who waits for the disk waits long, and nobody beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from holdfast import faults
from holdfast.errors import TargetError
from holdfast.model.hands import Groups
from holdfast.platforms import cgroups, sidecars, synced
from targets import Targets, eventually


def lacking():
    if os.geteuid() != 0:
        return "control groups need root"
    if "io" not in cgroups.here():
        return "no control groups for blkio or io are mounted here"
    try:
        cgroups.disk(Path(tempfile.gettempdir()))
    except TargetError as error:
        return str(error)
    return ""


LACKS = lacking()
pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(LACKS), reason=LACKS)]
SLOW = faults.find("slow_disk")
IDLE = (sys.executable, "-SE", "-c", "import signal; signal.pause()")
WRITER = (sys.executable, "-SI", synced.__file__)
RATE = {"kibibytes": 1024}


@dataclass
class Folders:
    """Each replica's data in a folder of its own. Implements `model.hands.Places`."""

    root: Path

    def folder(self, identity):
        (self.root / identity.name).mkdir(exist_ok=True)
        return str(self.root / identity.name)


@pytest.fixture
def world(tmp_path):
    targets = Targets(tmp_path, hands={"places": Folders(tmp_path)}).embedded(Groups)
    for name in ("engine-1", "engine-2"):
        targets.start(name, *IDLE)
    yield targets
    targets.hand(Groups).dissolve("abc123")
    targets.close()
    assert sidecars.of("abc123") == ()


@contextmanager
def waiting(world, strike, size):
    """A program in the target's group that has begun to write so much."""
    (group,) = cgroups.here()["io"].find(strike.id)
    words = ["sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh", *WRITER, str(world.folder), str(size)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as writing:
        eventually(lambda: Path(f"/proc/{writing.pid}/stat").read_text(encoding="ascii").split()[2] == "D")
        yield writing


def home(world, name):
    return cgroups.here()["io"].home(world.running[name].pid)


def test_it_bites_the_target_and_nobody_beside_and_goes(world):
    strike = world.strike("slow_disk", "engine-1", **RATE)
    beside, before = world.identity("engine-2"), home(world, "engine-1")
    assert not SLOW.bites(world, strike).seen
    SLOW.apply(world, strike)
    eventually(lambda: SLOW.bites(world, strike), within=SLOW.bites_within)
    assert not SLOW.bites(world, replace(strike, target=beside)).seen
    assert not SLOW.gone(world, strike).seen
    eventually(lambda: world.hand(Groups).pace(beside, strike.id, 512 * 1024).inside < 0.25)  # at the bound: 0.5 s
    for _ in range(2):
        SLOW.undo(world, strike)
        eventually(lambda: SLOW.gone(world, strike))
    assert not SLOW.bites(world, strike).seen
    assert (world.identity("engine-1"), world.identity("engine-2")) == (strike.target, beside)
    assert home(world, "engine-1") == before
    assert [file for name in ("engine-1", "engine-2") for file in (world.folder / name).iterdir()] == []


def test_the_write_by_which_it_is_seen_takes_what_the_bound_allows(world):
    strike = world.strike("slow_disk", "engine-1", **RATE)
    SLOW.apply(world, strike)
    pace = world.hand(Groups).pace(strike.target, strike.id, 1024 * 1024)
    assert pace.inside > 0.7  # 1 MiB at 1 MiB/s, of which the first tenth of a second is free
    assert pace.outside < pace.inside / 2


def test_reading_is_slow_too(world):
    strike = world.strike("slow_disk", "engine-1", **RATE)
    SLOW.apply(world, strike)
    file = world.folder / "read"
    with file.open("wb") as handle:
        handle.write(bytes(1 << 20))
        os.fsync(handle)
    (group,) = cgroups.here()["io"].find(strike.id)
    words = ["sh", "-c", f'echo $$ > {group}/cgroup.procs; exec dd if="$0" of=/dev/null bs=1M iflag=direct', str(file)]
    started = time.monotonic()
    subprocess.run(words, check=True, timeout=20, stderr=subprocess.DEVNULL)
    assert time.monotonic() - started > 0.7  # 1 MiB at 1 MiB/s


def test_undoing_twice_or_what_was_never_done_changes_nothing(world):
    strike = world.strike("slow_disk", "engine-1", **RATE)
    for _ in range(2):
        SLOW.undo(world, strike)
        eventually(lambda: SLOW.gone(world, strike))
    assert world.identity("engine-1") == strike.target


def test_a_blind_one_is_never_seen_to_bite(world):
    strike = world.strike("slow_disk", "engine-1", **RATE)
    world.hand(Groups).confine(world.identity("engine-2"), strike.id, rate=1 << 20)  # it struck another one
    assert SLOW.bites(world, strike) == (False, "engine-1 is not confined")


def test_a_bound_that_slows_nothing_down_is_not_seen_to_bite(world):
    strike = world.strike("slow_disk", "engine-1", **RATE)
    world.hand(Groups).confine(strike.target, strike.id, cpus=1.0)  # a group, and another bound
    assert world.hand(Groups).holds(strike.target, strike.id)
    sight = SLOW.bites(world, strike)
    assert not sight.seen
    assert "512 KiB took" in sight.detail


def test_a_replica_that_is_still_slow_is_not_called_well(world):
    strike = world.strike("slow_disk", "engine-1", **RATE)
    world.hand(Groups).confine(strike.target, "abc124", rate=1 << 20)  # whoever did that: it goes by another mark
    try:
        SLOW.undo(world, strike)
        assert "512 KiB took" in SLOW.gone(world, strike).detail
        assert not SLOW.gone(world, strike).seen
    finally:
        world.hand(Groups).dissolve("abc124")
    eventually(lambda: SLOW.gone(world, strike))


def test_it_is_seen_at_once_also_while_the_replica_has_much_to_write(world):
    strike = world.strike("slow_disk", "engine-1", kibibytes=64)
    SLOW.apply(world, strike)
    with waiting(world, strike, 16 << 20):  # four minutes at 64 KiB/s, before a write of ours has its turn
        started = time.monotonic()
        assert SLOW.bites(world, strike).seen
        assert time.monotonic() - started < 20.0
        SLOW.undo(world, strike)
        assert sidecars.of(strike.id) == ()
    eventually(lambda: SLOW.gone(world, strike))


def test_one_that_waits_for_the_disk_goes_on_as_soon_as_it_is_undone(world):
    strike = world.strike("slow_disk", "engine-1", kibibytes=64)
    SLOW.apply(world, strike)
    with waiting(world, strike, 16 << 20) as writing:  # four minutes at 64 KiB/s
        started = time.monotonic()
        SLOW.undo(world, strike)
        assert float(writing.stdout.read().split()[-1]) > 0.0
        assert time.monotonic() - started < 20.0
    eventually(lambda: SLOW.gone(world, strike))


def test_it_is_undone_by_another_process_after_the_target_died_and_was_replaced(world):
    strike = world.strike("slow_disk", "engine-1", **RATE)
    SLOW.apply(world, strike)
    world.kill(strike.target)
    world.start("engine-1")
    successor = world.identity("engine-1")
    told = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); from targets import Targets;"
        "from holdfast.platforms.hands.groups import Groups; Groups(Targets(Path('.'))).dissolve('abc123')"
    )
    support = str(Path(__file__).parents[1] / "support")
    subprocess.run([sys.executable, "-c", told, support], check=True, timeout=60)
    assert SLOW.gone(world, strike).seen
    assert world.identity("engine-1") == successor


def test_a_target_that_is_gone_cannot_be_struck_and_nothing_is_said_of_it(world):
    strike = world.strike("slow_disk", "engine-1", **RATE)
    world.kill(strike.target)
    with pytest.raises(TargetError, match="no longer exists"):
        SLOW.apply(world, strike)
    assert world.hand(Groups).pace(strike.target, strike.id, 4096) is None
    assert world.hand(Groups).census(strike.id) is None


def test_data_that_lies_on_no_disk_is_refused_before_anything_is_made(world):
    world.hands["places"] = type("Memory", (), {"folder": lambda self, identity: "/proc"})()
    strike = world.strike("slow_disk", "engine-1", **RATE)
    for part in (SLOW.reach, SLOW.apply):
        with pytest.raises(TargetError, match="/proc lies on no disk that could be slowed down"):
            part(world, strike)
    assert world.hand(Groups).census(strike.id) is None


def test_where_nothing_can_be_written_nothing_is_said(world, tmp_path):
    world.hands["places"] = type("Memory", (), {"folder": lambda self, identity: "/proc"})()
    with pytest.raises(TargetError, match="nothing can be said of writes to /proc"):
        world.hand(Groups).pace(world.identity("engine-1"), "abc123", 4096)
