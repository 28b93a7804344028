"""Faults by control groups, on real processes in real groups: too little processor time, too little memory."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast import faults
from holdfast.errors import TargetError
from holdfast.model.hands import Groups
from holdfast.platforms import cgroups, pids, sidecars
from targets import Targets, eventually

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="control groups need root"),
    pytest.mark.skipif(
        not {"cpu", "memory"} <= set(cgroups.here()), reason="no control groups for cpu and memory are mounted here"
    ),
]
HUNGRY = (sys.executable, "-SE", "-c", "x = []\nwhile True:\n    x.append(bytes(4096)) if len(x) < 10000 else None")
"""Wants all the time there is, and takes 40 MB bit by bit, as fast as it may."""
GROWING = (
    *(sys.executable, "-SE", "-c"),
    "import time\nx = []\nwhile True:\n    x.append(bytes(65536)) if len(x) < 5000 else None\n    time.sleep(0.01)",
)
"""Takes 6 MB a second for most of a minute: it is sure to want more after the strike."""
IDLE = (sys.executable, "-SE", "-c", "import signal; signal.pause()")
FAMILY = ("cpu_quota", "cpu_stress", "memory_stress", "oom")
BUSY = {"cpu_quota": HUNGRY, "oom": GROWING, "cpu_stress": IDLE, "memory_stress": IDLE}
"""What each fault's target must do to be struck: who wants nothing loses nothing."""
OPTIONS = {"memory_stress": {"mebibytes": 8, "left": 4}, "cpu_stress": {"cores": 0.1, "workers": 2}}


@pytest.fixture
def world(tmp_path):
    targets = Targets(tmp_path).embedded(Groups)
    yield targets
    targets.hand(Groups).dissolve("abc123")
    targets.close()
    assert sidecars.of("abc123") == ()


def a_strike(world, name, command=None):
    for one in ("engine-1", "engine-2"):
        world.start(one, *(command or BUSY[name]))
    return world.strike(name, "engine-1", **OPTIONS.get(name, {}))


@pytest.mark.parametrize("name", FAMILY)
def test_it_bites_the_target_and_nobody_beside_and_goes(world, name):
    fault, strike = faults.find(name), a_strike(world, name)
    beside = world.identity("engine-2")
    home = cgroups.here()["cpu"].home(world.running["engine-2"].pid)
    assert not fault.bites(world, strike).seen
    fault.apply(world, strike)
    eventually(lambda: fault.bites(world, strike), within=fault.bites_within)
    assert not fault.bites(world, replace(strike, target=beside)).seen
    assert not fault.gone(world, strike).seen
    fault.undo(world, strike)
    eventually(lambda: fault.gone(world, strike), within=fault.gone_within)
    assert not fault.bites(world, strike).seen or name == "oom"
    assert world.identity("engine-2") == beside
    assert cgroups.here()["cpu"].home(world.running["engine-1"].pid) == home
    assert sidecars.of(strike.id) == ()


@pytest.mark.parametrize("name", FAMILY)
def test_undoing_twice_or_what_was_never_done_changes_nothing(world, name):
    fault, strike = faults.find(name), a_strike(world, name, IDLE)
    for _ in range(2):
        fault.undo(world, strike)
        assert fault.gone(world, strike).seen
    assert world.identity("engine-1") == strike.target


@pytest.mark.parametrize("name", FAMILY)
def test_a_blind_one_is_never_seen_to_bite(world, name):
    fault, strike = faults.find(name), a_strike(world, name)
    assert not fault.bites(world, strike).seen
    world.hand(Groups).confine(world.identity("engine-2"), strike.id, cpus=0.05)  # it struck another one
    eventually(lambda: world.hand(Groups).census(strike.id).throttled or BUSY[name] is not HUNGRY)
    assert not fault.bites(world, strike).seen


@pytest.mark.parametrize(("name", "options"), [("cpu_quota", {"cores": 1.0}), ("oom", {"mebibytes": 64.0})])
def test_a_target_that_wants_no_more_than_it_may_have_is_not_seen_to_be_struck(world, name, options):
    fault, strike = faults.find(name), replace(a_strike(world, name, IDLE), options=options)
    fault.apply(world, strike)
    assert not fault.bites(world, strike).seen


@pytest.mark.parametrize("name", FAMILY)
def test_it_is_undone_by_another_process_after_the_target_died_and_was_replaced(world, name):
    fault, strike = faults.find(name), a_strike(world, name, IDLE)
    fault.apply(world, strike)
    world.running["engine-1"].kill()  # `oom` may have been faster
    world.running["engine-1"].wait(5)
    world.start("engine-1")
    successor = world.identity("engine-1")
    told = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); from targets import Targets;"
        "from holdfast.platforms.hands.groups import Groups; Groups(Targets(Path('.'))).dissolve('abc123')"
    )
    support = str(Path(__file__).parents[1] / "support")
    subprocess.run([sys.executable, "-c", told, support], check=True, timeout=60)
    assert fault.gone(world, strike).seen
    assert world.identity("engine-1") == successor


def test_neighbours_end_by_themselves_when_nobody_renews_their_lease(world):
    fault = faults.find("cpu_stress")
    strike = replace(a_strike(world, "cpu_stress"), lease=5.0)  # enough to be seen on a busy machine
    fault.apply(world, strike)
    eventually(lambda: fault.bites(world, strike))
    eventually(lambda: sidecars.of(strike.id) == (), within=30)  # and nobody undid anything


def test_neighbours_that_are_renewed_go_on(world):
    fault = faults.find("cpu_stress")
    strike = replace(a_strike(world, "cpu_stress"), lease=3.0)
    fault.apply(world, strike)
    eventually(lambda: fault.bites(world, strike))
    started = sidecars.of(strike.id)

    def outlived():
        fault.renew(world, strike)
        return min(map(pids.age, started)) > 4.0  # more than a lease

    eventually(outlived, every=0.3)
    assert sidecars.of(strike.id) == started


def test_one_that_is_confined_already_is_refused(world):
    strike = a_strike(world, "cpu_quota", IDLE)
    faults.find("cpu_quota").apply(world, strike)
    with pytest.raises(TargetError, match="is confined already"):
        faults.find("cpu_quota").apply(world, replace(strike, id="abc124"))
    assert world.hand(Groups).census("abc124") is None
