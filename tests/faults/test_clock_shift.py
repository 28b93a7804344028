"""`clock_shift` on real servers under libfaketime: what they date their answers by is shifted, and nobody else's."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from holdfast import faults
from holdfast.errors import TargetError
from holdfast.model.hands import Clocks
from targets import Targets, eventually

SHIFT = faults.find("clock_shift")
SERVER = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *_): pass
server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""
KNOWN = (Path(os.environ.get("HOLDFAST_LIBFAKETIME", "-")), *Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
LIBRARY = next((str(path) for path in KNOWN if path.is_file()), "")
with_library = pytest.mark.skipif(not LIBRARY, reason="no libfaketime here (apt install libfaketime)")


class Dated(Targets):
    """Targets whose data folders and readiness the hand can look up."""

    def begin(self, name, library):
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        told = {"LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"), "FAKETIME_CACHE_DURATION": "1"}
        environment = {**os.environ, **told, "DONT_FAKE_MONOTONIC": "1"}
        words = (sys.executable, "-SE", "-c", SERVER)
        self.start(name, *words, env=environment, stdout=subprocess.PIPE)
        port = int(self.running[name].stdout.readline())
        self.record.processes.append(SimpleNamespace(name=name, ready=f"http://127.0.0.1:{port}/"))

    def folder_of(self, identity):
        return str(self.folder / identity.name)


@pytest.fixture
def world(tmp_path):
    targets = Dated(tmp_path)
    targets.record = SimpleNamespace(processes=[])
    targets.hands["places"] = SimpleNamespace(folder=targets.folder_of)
    targets.embedded(Clocks)
    yield targets
    targets.close()
    for one in targets.running.values():
        one.stdout.close()


@with_library
@pytest.mark.parametrize("seconds", [300.0, -86400.0])
def test_it_bites_the_target_and_nobody_beside_and_goes(world, seconds):
    for name in ("engine-1", "engine-2"):
        world.begin(name, LIBRARY)
    strike, beside = world.strike("clock_shift", "engine-1", seconds=seconds), world.identity("engine-2")
    assert not SHIFT.bites(world, strike).seen
    SHIFT.apply(world, strike)
    eventually(lambda: SHIFT.bites(world, strike), within=SHIFT.bites_within)
    assert not SHIFT.bites(world, replace(strike, target=beside)).seen
    assert not SHIFT.gone(world, strike).seen
    for _ in range(2):
        SHIFT.undo(world, strike)
        eventually(lambda: SHIFT.gone(world, strike), within=SHIFT.gone_within)
    assert world.identity("engine-1") == strike.target  # it was not restarted
    assert list((world.folder / "engine-1").iterdir()) == []


@with_library
def test_undoing_one_that_was_never_done_leaves_the_shift_of_another(world):
    world.begin("engine-1", LIBRARY)
    strike = world.strike("clock_shift", "engine-1")
    SHIFT.apply(world, strike)
    SHIFT.undo(world, replace(strike, id="abc124"))
    eventually(lambda: SHIFT.bites(world, strike), within=SHIFT.bites_within)


def test_a_replica_that_reads_the_machines_own_clock_is_refused_and_never_seen_to_be_struck(world):
    world.begin("engine-1", "")
    strike = world.strike("clock_shift", "engine-1")
    with pytest.raises(TargetError, match="reads the machine's own clock"):
        SHIFT.apply(world, strike)
    assert not SHIFT.bites(world, strike).seen
    for _ in range(2):
        SHIFT.undo(world, strike)
        assert SHIFT.gone(world, strike).seen


def test_a_shift_too_small_to_be_seen_is_refused(world):
    world.begin("engine-1", "")
    with pytest.raises(TargetError, match="cannot be told from none"):
        SHIFT.apply(world, world.strike("clock_shift", "engine-1", seconds=2.0))
