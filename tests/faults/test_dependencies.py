"""Dependencies that are away, silent, full or wrong: real processes, a real Redis, and a second one beside it."""

from __future__ import annotations

import os
import socket

import pytest

from holdfast import faults
from holdfast.errors import InfrastructureError, TargetError
from holdfast.faults.ways.store import RefusedError, SilentError, Store
from holdfast.platforms.tools import cache_folder, locate
from targets import Targets, eventually

OF_REDIS = ("redis_pause", "redis_full", "redis_wrong")


@pytest.fixture
def targets(tmp_path):
    driver = Targets(tmp_path)
    yield driver
    driver.close()


@pytest.fixture
def sleepers(targets):
    for name in ("engine-1", "engine-2"):
        targets.start(name, "sleep", "60")
    return targets


class Ports(dict):
    """Implements `model.hands.Stores`: a port by the replica's name."""

    def store(self, identity):
        return "127.0.0.1", self[identity.name]


def a_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def redises(targets, tmp_path):
    """Two of them: the one that is struck, and the decoy."""
    try:
        found = locate(["redis-server"], path=os.environ["PATH"], cache=cache_folder(os.environ))["redis-server"]
    except InfrastructureError as error:
        pytest.skip(str(error))
    ports = targets.hands["stores"] = Ports({"redis-1": a_port(), "redis-2": a_port()})
    for name, port in ports.items():
        (tmp_path / name).mkdir()
        words = (found.path, "--port", port, "--bind", "127.0.0.1", "--dir", tmp_path / name, "--save", "")
        environment = {**os.environ, **found.environment}
        targets.start(name, *map(str, words), env=environment, stdout=(tmp_path / f"{name}.log").open("wb"))
    stores = {name: Store("127.0.0.1", port) for name, port in ports.items()}
    for store in stores.values():
        eventually(store.answers)
    targets.ready = lambda name: stores[name].answers()
    return targets, stores["redis-1"], stores["redis-2"]


# Down.


def test_what_is_down_stays_down_and_comes_back_when_undone(sleepers):
    fault, strike = faults.find("down"), sleepers.strike("down", "engine-1")
    assert not fault.bites(sleepers, strike).seen
    fault.apply(sleepers, strike)
    assert fault.bites(sleepers, strike).detail.endswith("no longer exists, engine-1 does not run")
    assert not fault.gone(sleepers, strike).seen
    fault.undo(sleepers, strike)
    assert fault.gone(sleepers, strike).seen
    assert not fault.bites(sleepers, strike).seen
    fault.undo(sleepers, strike)  # twice
    assert sleepers.identity("engine-1") == sleepers.replicas("engine")[0].identity


def test_one_that_was_restarted_is_not_down(sleepers):
    fault, strike = faults.find("down"), sleepers.strike("down", "engine-1")
    sleepers.kill(strike.target)
    sleepers.restore("engine")
    assert fault.bites(sleepers, strike).detail.endswith("engine-1 is back")
    assert not fault.bites(sleepers, strike).seen


def test_what_is_down_leaves_its_neighbour_running(sleepers):
    fault, strike = faults.find("down"), sleepers.strike("down", "engine-1")
    beside = sleepers.strike("down", "engine-2")
    fault.apply(sleepers, strike)
    assert not fault.bites(sleepers, beside).seen
    assert sleepers.alive(beside.target)


def test_a_successor_is_never_taken_down_for_its_forerunner(sleepers):
    fault, strike = faults.find("down"), sleepers.strike("down", "engine-1")
    sleepers.kill(strike.target)
    sleepers.restore("engine")
    with pytest.raises(TargetError, match="no longer exists"):
        fault.apply(sleepers, strike)
    assert sleepers.replicas("engine")[0].ready


def test_undoing_what_was_never_down_changes_nothing(sleepers):
    fault, strike = faults.find("down"), sleepers.strike("down", "engine-1")
    fault.undo(sleepers, strike)
    assert sleepers.alive(strike.target)
    assert fault.gone(sleepers, strike).seen


# Redis.


def state(store):
    """All that a fault could leave behind."""
    settings = [store.ask("CONFIG", "GET", name) for name in ("maxmemory", "maxmemory-policy")]
    return sorted(store.ask("KEYS", "*")), settings, store.ask("HGETALL", "usage:harness")


@pytest.mark.parametrize("name", OF_REDIS)
def test_a_store_is_struck_alone_and_gets_back_what_it_had(redises, name):
    driver, store, beside = redises
    for one in (store, beside):
        one.ask("HSET", "usage:harness", "requests", 7)
        one.ask("CONFIG", "SET", "maxmemory", 50_000_000, "maxmemory-policy", "allkeys-lru")
    fault, strike, before = faults.find(name), driver.strike(name, "redis-1"), state(store)
    assert not fault.bites(driver, strike).seen
    fault.apply(driver, strike)
    seen = eventually(lambda: fault.bites(driver, strike))
    assert seen.detail
    assert not fault.gone(driver, strike).seen
    assert not fault.bites(driver, driver.strike(name, "redis-2")).seen
    eventually(lambda: state(beside) == before)  # a probe's key lives for a millisecond
    fault.undo(driver, strike)
    eventually(lambda: fault.gone(driver, strike))
    fault.undo(driver, strike)
    eventually(lambda: state(store) == before)


@pytest.mark.parametrize("name", OF_REDIS)
def test_a_blind_one_is_never_seen_to_bite(redises, name):
    driver, _, _ = redises
    blind, strike = faults.find(name), driver.strike(name, "redis-1")  # nothing is applied
    assert not any(blind.bites(driver, strike).seen for _ in range(20))


@pytest.mark.parametrize("name", OF_REDIS)
def test_undoing_what_never_struck_a_store_changes_nothing(redises, name):
    driver, store, _ = redises
    store.ask("HSET", "usage:harness", "requests", 7)
    store.ask("CONFIG", "SET", "maxmemory", 50_000_000)
    before, strike = state(store), driver.strike(name, "redis-1")
    faults.find(name).undo(driver, strike)
    assert state(store) == before
    assert faults.find(name).gone(driver, strike).seen


@pytest.mark.parametrize("name", OF_REDIS)
def test_a_store_that_died_and_came_back_is_seen_to_be_free_of_it(redises, name):
    driver, store, _ = redises
    fault, strike = faults.find(name), driver.strike(name, "redis-1")
    fault.apply(driver, strike)
    driver.kill(strike.target)
    with pytest.raises(SilentError):
        fault.undo(driver, strike)  # who cannot look must not say that it is undone
    assert not fault.gone(driver, strike).seen
    driver.restore("redis")
    eventually(store.answers)
    fault.undo(driver, strike)
    eventually(lambda: fault.gone(driver, strike))


def test_applying_again_does_not_forget_what_was_there_first(redises):
    driver, store, _ = redises
    store.ask("CONFIG", "SET", "maxmemory", 50_000_000)
    store.ask("HSET", "usage:harness", "requests", 7)
    before = state(store)
    for name in ("redis_full", "redis_wrong"):
        fault, strike = faults.find(name), driver.strike(name, "redis-1")
        fault.apply(driver, strike)
        if name == "redis_wrong":
            fault.apply(driver, strike)
        else:
            with pytest.raises(RefusedError, match="OOM"):
                fault.apply(driver, strike)
        fault.undo(driver, strike)
        eventually(lambda: state(store) == before)


def test_a_pause_ends_with_its_lease_although_nobody_undoes_it(redises):
    driver, _, _ = redises
    fault, strike = faults.find("redis_pause"), driver.strike("redis_pause", "redis-1", lease=3.0)
    fault.apply(driver, strike)
    assert fault.bites(driver, strike).seen
    eventually(lambda: fault.gone(driver, strike), within=20)
    fault.renew(driver, strike)  # too late: what has ended is not struck anew
    assert not fault.bites(driver, strike).seen


def test_a_pause_that_is_renewed_lasts_longer(redises):
    driver, store, _ = redises
    fault, strike = faults.find("redis_pause"), driver.strike("redis_pause", "redis-1", lease=2.0)
    fault.apply(driver, strike)
    fault.renew(driver, driver.strike("redis_pause", "redis-1", lease=60.0))
    with pytest.raises(SilentError):
        store.ask("DEL", "anything", within=3.0)
    fault.undo(driver, strike)
    assert fault.gone(driver, strike).seen


def test_a_store_that_is_down_is_not_taken_for_one_that_is_paused(redises):
    driver, _, _ = redises
    strike = driver.strike("redis_pause", "redis-1")
    driver.kill(strike.target)
    assert faults.find("redis_pause").bites(driver, strike) == (False, "it answers nothing at all")


def test_the_key_of_redis_wrong_may_be_chosen_and_need_not_exist(redises):
    driver, store, _ = redises
    fault, strike = faults.find("redis_wrong"), driver.strike("redis_wrong", "redis-1", key="session:1")
    fault.apply(driver, strike)
    assert fault.bites(driver, strike).seen
    with pytest.raises(RefusedError, match="WRONGTYPE"):
        store.ask("HGETALL", "session:1")
    fault.undo(driver, strike)
    assert store.ask("KEYS", "*") == []
