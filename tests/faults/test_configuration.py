"""Configuration as a fault, at a real gateway: what is pushed, what it makes of it, and the very bytes afterwards."""

from __future__ import annotations

import json
import socket
import sys
from types import SimpleNamespace

import pytest

from holdfast import faults
from holdfast.errors import TargetError
from holdfast.faults.ways import http
from holdfast.platforms import layout
from holdfast.platforms.hands.configuration import Configuration
from holdfast.platforms.hands.tenants import Tenants
from targets import Targets, eventually

BOTH = ("revoked_key", "bad_config")
KEYS = '{\n  "hf-one": "harness",\n  "hf-two": "neighbour"\n}\n\n'
"""Written as nobody's JSON library would: only the very bytes are the same bytes."""


def a_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Rig(Targets):
    """One gateway replica without engines, and its hands as the embedded platform has them."""

    def begin(self):
        where = layout.layout(self.folder)
        self.keys = where.keys
        self.keys.write_text(KEYS)
        platform = SimpleNamespace(where=where, allowed=frozenset({"gateway"}))
        port, admin = a_port(), a_port()
        self.gateway, self.admin = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin}"
        self.hands = {
            "configuration": Configuration(platform),
            "tenants": Tenants(platform),
            "scrapes": SimpleNamespace(metrics=lambda _: f"{self.admin}/metrics"),
        }
        words = ("--port", port, "--admin-port", admin, "--engines", "http://127.0.0.1:1", "--keys", self.keys)
        words = (sys.executable, "-m", "refplatform.gateway", *words, "--redis", "redis://127.0.0.1:1/0")
        self.start("gateway-1", *map(str, words), stdout=(self.folder / "gateway.log").open("wb"))
        eventually(lambda: http.get(f"{self.admin}/health").status == 200, within=20)
        return self

    def status(self, key):
        """What a client with that key is told: 503 for want of engines, 401 for want of a key."""
        return http.get(f"{self.gateway}/v1/models", {"authorization": f"Bearer {key}"}).status


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    rig = Rig(tmp_path_factory.mktemp("gateway"))
    yield rig.begin()
    rig.close()


@pytest.fixture
def rig(running):
    """As it was found: each test must leave the very bytes."""
    assert running.keys.read_text() == KEYS
    yield running
    assert running.keys.read_text() == KEYS
    assert list(running.folder.glob("*keys.json.*")) == []
    assert running.status("hf-one") == running.status("hf-two") == 503


@pytest.mark.parametrize("name", BOTH)
def test_it_bites_and_every_byte_comes_back(rig, name):
    fault, strike = faults.find(name), rig.strike(name, "gateway-1")
    assert not fault.bites(rig, strike).seen
    fault.apply(rig, strike)
    assert eventually(lambda: fault.bites(rig, strike)).detail
    assert not fault.gone(rig, strike).seen
    fault.undo(rig, strike)
    assert rig.keys.read_text() == KEYS
    eventually(lambda: fault.gone(rig, strike))
    fault.undo(rig, strike)


def test_who_loses_a_key_is_shut_out_and_nobody_else(rig):
    fault, strike = faults.find("revoked_key"), rig.strike("revoked_key", "gateway-1", tenant="neighbour")
    fault.apply(rig, strike)
    eventually(lambda: fault.bites(rig, strike))
    assert (rig.status("hf-two"), rig.status("hf-one")) == (401, 503)
    fault.undo(rig, strike)
    eventually(lambda: fault.gone(rig, strike))


def test_a_bad_file_shuts_nobody_out(rig):
    fault, strike = faults.find("bad_config"), rig.strike("bad_config", "gateway-1")
    fault.apply(rig, strike)
    assert eventually(lambda: fault.bites(rig, strike)) == (True, "gateway_config_last_reload_successful 0")
    assert rig.status("hf-one") == rig.status("hf-two") == 503
    fault.undo(rig, strike)
    eventually(lambda: fault.gone(rig, strike))


@pytest.mark.parametrize("name", BOTH)
def test_a_blind_one_is_never_seen_to_bite(rig, name):
    blind, strike = faults.find(name), rig.strike(name, "gateway-1")  # nothing is applied
    assert not any(blind.bites(rig, strike).seen for _ in range(5))


@pytest.mark.parametrize("name", BOTH)
def test_a_replica_that_does_not_read_again_is_not_taken_for_bitten(rig, name):
    fault, strike = faults.find(name), rig.strike(name, "gateway-1")
    rig.hands["configuration"].replace(strike.target, KEYS.encode(), strike.id)  # kept aside, and the same again
    assert not fault.bites(rig, strike).seen
    fault.undo(rig, strike)
    assert fault.gone(rig, strike).seen


@pytest.mark.parametrize("name", BOTH)
def test_undoing_what_never_was_changes_nothing(rig, name):
    strike = rig.strike(name, "gateway-1")
    faults.find(name).undo(rig, strike)
    assert faults.find(name).gone(rig, strike).seen


@pytest.mark.parametrize("name", BOTH)
def test_applying_twice_keeps_what_was_there_first(rig, name):
    fault, strike = faults.find(name), rig.strike(name, "gateway-1", tenant="neighbour")
    strike = strike if name == "revoked_key" else rig.strike(name, "gateway-1")
    fault.apply(rig, strike)
    if name == "revoked_key":
        with pytest.raises(TargetError, match="'neighbour' has no keys"):
            fault.apply(rig, strike)
    else:
        fault.apply(rig, strike)
    fault.undo(rig, strike)
    assert rig.keys.read_text() == KEYS
    eventually(lambda: fault.gone(rig, strike))


def test_two_faults_at_one_file_are_refused_for_nobody_knows_their_order(rig):
    first, second = rig.strike("bad_config", "gateway-1"), rig.strike("bad_config", "gateway-1", id="other")
    faults.find("bad_config").apply(rig, first)
    with pytest.raises(TargetError, match=r"is held by keys\.json\.abc123"):
        faults.find("bad_config").apply(rig, second)
    faults.find("bad_config").undo(rig, second)
    assert rig.keys.read_text() == '{"sk-'
    faults.find("bad_config").undo(rig, first)
    eventually(lambda: faults.find("bad_config").gone(rig, first))


def test_the_last_tenant_cannot_be_shut_out(rig):
    rig.keys.write_text(json.dumps({"hf-one": "harness"}))
    with pytest.raises(TargetError, match="'harness' has all keys"):
        faults.find("revoked_key").apply(rig, rig.strike("revoked_key", "gateway-1"))
    rig.keys.write_text(KEYS)
    eventually(lambda: rig.status("hf-two") == 503)


def test_roles_that_read_no_configuration_are_refused(rig):
    strike = rig.strike("bad_config", "gateway-1")
    other = rig.hands["configuration"]
    with pytest.raises(TargetError, match="no configuration that faults may touch"):
        other.read(type(strike.target)(name="redis", role="redis", unit=""))
