"""The faults of answers on an engine without a door: broken by the proxy on its clients' way, proved on the same."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from answer_faults import ANSWERS
from harness import Harness
from holdfast import faults
from holdfast.chaos.ledger import Ledger
from holdfast.chaos.strike import Striker, Wanted
from holdfast.clock import SystemClock
from holdfast.errors import TargetError
from holdfast.faults.ways import toxics
from holdfast.faults.ways.engine import Engine
from holdfast.model.hands import Link
from proxied import Proxied
from targets import Targets, eventually

SERVER = Path(__file__).parents[1] / "support" / "streaming.py"
every = pytest.mark.parametrize(("name", "options"), ANSWERS)


class Linked:
    """Every engine's way through one proxy; none has a door."""

    def __init__(self, proxied):
        self.proxied = proxied

    def link(self, identity):
        if not identity.name.startswith("engine"):
            raise TargetError(f"what is said to {identity.name} takes no proxy")
        return Link(identity.name, f"http://{self.proxied.api}")


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    proxied = Proxied()
    targets = Targets(tmp_path_factory.mktemp("two"), hands={"links": Linked(proxied)})
    for name in ("engine-1", "engine-2"):
        port = Harness.free_port()
        targets.start(name, sys.executable, str(SERVER), str(port))
        proxied.proxy(name, port)
        eventually(lambda name=name: Engine(toxics.api(targets, targets.identity(name))).chat().whole)
    yield targets
    targets.close()
    proxied.end()


@pytest.fixture
def platform(two):
    yield two
    two.hands["links"].proxied.ask("POST", "/reset")


@every
def test_it_bites_the_one_spares_the_other_and_is_gone_when_undone(platform, name, options):
    fault, strike = faults.find(name), platform.strike(name, "engine-1", **options)
    beside = replace(strike, target=platform.identity("engine-2"))
    assert not fault.bites(platform, strike).seen
    fault.reach(platform, strike)
    fault.apply(platform, strike)
    sight = eventually(lambda: fault.bites(platform, strike), within=fault.bites_within)
    assert sight.detail
    assert not fault.bites(platform, beside).seen
    assert Engine(toxics.api(platform, beside.target)).chat().whole
    assert not fault.gone(platform, strike).seen
    for _ in range(2):
        fault.undo(platform, strike)
    eventually(lambda: fault.gone(platform, strike), within=fault.gone_within)
    assert not fault.bites(platform, strike).seen


@every
def test_where_the_proxy_has_it_and_does_nothing_nothing_is_seen(platform, name, options):
    fault, strike = faults.find(name), platform.strike(name, "engine-1", **options)
    well = Engine(toxics.api(platform, strike.target))
    assert not fault.effect(well, fault.read(strike.options), {"struck": 0, "matched": 9}).seen


def test_a_fault_of_some_answers_is_seen_by_those_that_were_struck(platform):
    fault, strike = faults.find("status"), platform.strike("status", "engine-1", status=503, first=1, after=1)
    engine = Engine(toxics.api(platform, strike.target))
    fault.apply(platform, strike)
    assert fault.bites(platform, strike) == (False, "0 of 0 requests were struck")
    assert [engine.chat().status for _ in range(3)] == [200, 503, 200]
    assert fault.bites(platform, strike) == (True, "1 of 3 requests were struck")


def test_its_lease_ends_it_and_renewing_puts_that_off(platform):
    fault, strike = faults.find("no_done"), platform.strike("no_done", "engine-1", lease=0.8)
    fault.apply(platform, strike)
    fault.renew(platform, replace(strike, lease=20.0))
    assert toxics.told(platform, strike)["lease"] > 15
    fault.renew(platform, strike)
    eventually(lambda: fault.gone(platform, strike), within=5)
    fault.renew(platform, strike)  # what is over stays over
    assert toxics.told(platform, strike) == {}


def test_a_proxy_that_is_gone_is_never_seen_through_and_has_nothing_to_be_taken_back(two):
    class Nowhere:
        def link(self, identity):
            return Link(identity.name, "http://127.0.0.1:1")

    away = Targets(two.folder, hands={"links": Nowhere()}, running=two.running)
    fault, strike = faults.find("status"), two.strike("status", "engine-1")
    fault.undo(away, strike)
    assert not fault.bites(away, strike).seen
    assert not fault.gone(away, strike).seen


def test_a_target_that_is_no_longer_what_it_was_is_not_struck(platform):
    strike = platform.strike("status", "engine-1")
    with pytest.raises(TargetError, match="no longer what it was"):
        faults.find("status").apply(platform, replace(strike, target=replace(strike.target, unit="1@1")))


def test_an_engine_with_neither_door_nor_proxy_is_refused_before_anything_is_asked_for(two, tmp_path):
    alone = Targets(tmp_path, running=two.running)
    book = Ledger(tmp_path / "faults.ndjson", SystemClock())
    striker = Striker(driver=alone, ledger=book, clock=SystemClock(), run="run-1", seed=0)
    with pytest.raises(TargetError, match="targets have no links"):
        striker.strike(Wanted(fault="status", role="engine", names=("engine-1",)))
    assert [entry.step for entry in book.entries()] == ["refused"]


@every
def test_struck_and_restored_it_stands_in_the_ledger_like_any_other(platform, tmp_path, name, options):
    book = Ledger(tmp_path / "faults.ndjson", SystemClock())
    striker = Striker(driver=platform, ledger=book, clock=SystemClock(), run="run-1", seed=0)
    (struck,) = striker.strike(Wanted(fault=name, role="engine", names=("engine-1",), options=options))
    striker.restore(struck)
    assert [entry.step for entry in book.entries()] == ["asked", "applied", "observed", "undone", "gone"]
