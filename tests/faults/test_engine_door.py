"""Faults that an engine has when its door asks it to, on two real engines: one is struck, the other must not be."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, replace

import pytest

from answer_faults import ANSWERS
from holdfast import faults
from holdfast.errors import TargetError
from holdfast.faults.ways import door
from holdfast.faults.ways.engine import Engine
from holdfast.model.hands import Door
from targets import Targets, eventually

TOKEN = "a-token-for-the-tests-alone"
CALIBRATION = {
    "name": "h100",
    "max_num_seqs": 8,
    "max_num_batched_tokens": 256,
    "max_model_len": 4096,
    "kv_cache_tokens": 16384,
    "c0": 0.002,
    "c_prefill": 0.0,
    "c_seq": 0.0,
    "c_kv": 0.0,
}
ENGINES = [
    ("core_dead", {}),
    ("core_dead", {"detected": 0.1}),
    ("engine_hang", {}),
    ("kv_exhaustion", {"percent": 90.0}),
    ("cold_prefix_cache", {}),
    ("throttled_clock", {"factor": 0.25}),
    ("xid", {"code": 79}),
    ("xid", {"code": 63}),
    ("ecc_errors", {"rate": 20.0}),
    ("rank_lost", {"timeout": 0.1}),
]


@dataclass
class Rigged:
    """The hands of engines started here: doors and places by name."""

    at: dict

    def door(self, identity):
        return Door(url=f"http://127.0.0.1:{self.at[identity.name][1]}", token=TOKEN)

    def ports(self, identity):
        return self.at[identity.name]


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def engines(folder, *names, kind=Targets):
    """Real engines with doors; ready when /health says so."""
    token, calibration = folder / "token", folder / "calibration.json"
    token.touch(0o600)
    token.write_text(TOKEN)
    calibration.write_text(json.dumps(CALIBRATION))
    rig = Rigged({name: (free_port(), free_port()) for name in names})
    targets = kind(folder, hands={"doors": rig, "places": rig})
    targets.ready = lambda name: healthy(f"http://127.0.0.1:{rig.at[name][0]}")
    # As the platform numbers them: the devices of a host are counted through, so nobody's own first is number 0.
    for number, (name, (port, admin)) in enumerate(rig.at.items(), start=1):
        args = [
            "--gpu-index",
            number,
            "--port",
            port,
            "--model",
            "chat",
            "--calibration",
            calibration,
            "--fault-port",
            admin,
        ]
        args += ["--fault-token-file", token, "--fault-state", folder / f"{name}.next"]
        targets.start(name, sys.executable, "-m", "refplatform.engine", *map(str, args), stderr=subprocess.DEVNULL)
    for name in names:
        eventually(lambda name=name: targets.ready(name), within=30)
    return targets


def healthy(url):
    with contextlib.suppress(OSError):
        return Engine(url).health(0.5) == 200
    return False


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    targets = engines(tmp_path_factory.mktemp("engines"), "engine-1", "engine-2")
    yield targets
    targets.close()


def ids():
    ids.count = getattr(ids, "count", 0) + 1
    return f"strike{ids.count}"


@pytest.fixture
def struck(two):
    """Makes strikes with a name of their own; nothing of them is left to the next test."""
    made = []

    def strike(fault, **options):
        made.append(two.strike(fault, "engine-1", id=ids(), **options))
        return made[-1]

    yield strike
    for one in made:
        faults.find(one.fault).undo(two, one)


@pytest.mark.parametrize(("name", "options"), ANSWERS + ENGINES)
def test_it_bites_the_one_spares_the_other_and_is_gone_when_undone(two, struck, name, options):
    fault, strike = faults.find(name), struck(name, **options)
    beside = replace(strike, target=two.identity("engine-2"))
    assert not fault.bites(two, strike).seen
    fault.apply(two, strike)
    sight = eventually(lambda: fault.bites(two, strike), within=fault.bites_within)
    assert sight.detail
    assert not fault.bites(two, beside).seen
    assert door.told(two, beside) == {}
    assert Engine(door.api(two, beside.target)).chat().whole
    assert not fault.gone(two, strike).seen
    for _ in range(2):
        fault.undo(two, strike)
    eventually(lambda: fault.gone(two, strike), within=fault.gone_within)
    assert not fault.bites(two, strike).seen


@pytest.mark.parametrize(("name", "options"), ANSWERS + ENGINES)
def test_where_nothing_was_done_nothing_is_seen_whatever_the_door_would_say(two, struck, name, options):
    # The look at the effect alone: as blind as if the door had taken the fault and not done it.
    fault, strike = faults.find(name), struck(name, **options)
    well = Engine(door.api(two, strike.target))
    assert not fault.effect(well, fault.read(strike.options), {"struck": 0, "matched": 9}).seen
    fault.undo(two, strike)
    assert fault.gone(two, strike).seen


def test_a_fault_of_some_answers_is_seen_by_those_that_were_struck(two, struck):
    fault, strike = faults.find("status"), struck("status", status=503, first=1, after=1)
    engine = Engine(door.api(two, strike.target))
    fault.apply(two, strike)
    assert fault.bites(two, strike) == (False, "0 of 0 requests were struck")
    assert [engine.chat().status for _ in range(3)] == [200, 503, 200]
    assert fault.bites(two, strike) == (True, "1 of 3 requests were struck")


def test_its_lease_ends_it_and_renewing_puts_that_off(two, struck):
    fault, strike = faults.find("no_done"), replace(struck("no_done"), lease=4.0)
    fault.apply(two, strike)
    fault.renew(two, replace(strike, lease=20.0))
    assert door.told(two, strike)["remaining"] > 15
    fault.renew(two, strike)
    eventually(lambda: fault.gone(two, strike), within=20)
    fault.renew(two, strike)  # what is over stays over
    assert not door.told(two, strike)["active"]


@pytest.mark.parametrize(
    ("name", "options", "problem"),
    [
        ("status", {"status": 418}, "status: Input should be"),
        ("slow_decode", {"each": 9.0, "rate": 1}, "each: .*; rate: Extra"),
        ("xid", {"gpu": 7}, "engine-1 will not have xid: .*the engine has 1 of them"),
    ],
)
def test_what_cannot_be_is_refused_with_every_reason(two, struck, name, options, problem):
    with pytest.raises(TargetError, match=problem):
        faults.find(name).apply(two, struck(name, **options))


def test_an_engine_that_is_gone_has_nothing_to_be_taken_back(tmp_path):
    rig = Rigged({"engine-1": (free_port(), free_port())})
    targets = Targets(tmp_path, hands={"doors": rig, "places": rig})
    targets.start("engine-1", "sleep", "60")
    fault, strike = faults.find("core_dead"), targets.strike("core_dead", "engine-1")
    fault.undo(targets, strike)
    fault.renew(targets, strike)
    assert not fault.bites(targets, strike).seen
    assert not fault.gone(targets, strike).seen  # nobody answers, so nobody knows
    with pytest.raises(TargetError, match="the door of engine-1 does not open"):
        fault.apply(targets, strike)
    targets.close()


# Faults of the next load.


class Supervised(Targets):
    """Starts a replica again whenever it ends, once, whoever asks."""

    lock = threading.Lock()

    def restore(self, role):
        with self.lock:
            super().restore(role)


@pytest.fixture
def supervised(tmp_path):
    """One engine that is started again whenever it ends, beside one that nobody touches."""
    targets, over = engines(tmp_path, "engine-1", "engine-2", kind=Supervised), threading.Event()

    def keep():
        while not over.wait(0.2):
            targets.restore("engine")

    keeper = threading.Thread(target=keep)
    keeper.start()
    yield targets
    over.set()
    keeper.join()
    targets.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [("engine_oom_exit", {}), ("slow_load", {"seconds": 4.0}), ("load_failure", {})],
)
def test_an_engine_that_dies_of_it_has_a_successor_that_shows_it(supervised, name, options):
    fault, strike = faults.find(name), supervised.strike(name, "engine-1", lease=5.0, **options)
    beside = supervised.identity("engine-2")
    assert not fault.bites(supervised, strike).seen
    fault.undo(supervised, strike)
    assert fault.gone(supervised, strike).seen
    assert supervised.identity("engine-1") == strike.target
    fault.apply(supervised, strike)
    eventually(lambda: fault.bites(supervised, strike), within=fault.bites_within)
    assert not fault.bites(supervised, replace(strike, target=beside)).seen
    for _ in range(2):
        fault.undo(supervised, strike)
    eventually(lambda: fault.gone(supervised, strike), within=fault.gone_within)
    assert supervised.identity("engine-2") == beside
