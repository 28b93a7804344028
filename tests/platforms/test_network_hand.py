"""Whose packets are whose on one machine: a port that one replica has alone, and one that several share."""

from __future__ import annotations

import socket

import pytest

from holdfast.errors import TargetError
from holdfast.model.hands import Address, Network
from holdfast.model.platform import Identity
from holdfast.platforms.document import VERSION, Document, Member, Overseer
from holdfast.platforms.embedded import EmbeddedPlatform
from holdfast.platforms.layout import layout
from holdfast.platforms.packets import knock

PORTS = {"engine-1": 8001, "engine-2": 8002, "gateway-1": 8000, "gateway-2": 8000, "receiver": 8003}


LINKS = {"engine-1": 9001}


def a_member(name, port):
    role = name.split("-")[0]
    more = {"ready": "", "metrics": "", "program": "", "version": "", "log": ""}
    more |= {"faults": role != "receiver", "link": LINKS.get(name, 0)}
    return Member(name=name, role=role, port=port, admin=port + 100, **more)


@pytest.fixture
def network(tmp_path):
    record = Document(
        version=VERSION,
        phase="up",
        profile="sim",
        options={},
        started=0.0,
        fingerprint="f",
        supervisor=Overseer(pid=0, ticks=0, socket=""),
        endpoints={},
        processes=tuple(a_member(name, port) for name, port in PORTS.items()),
    )
    return EmbeddedPlatform(layout(tmp_path), record).hand(Network)


def identity(name, unit="7@42"):
    return Identity(name=name, role=name.split("-")[0], unit=unit)


def test_a_replica_alone_on_its_port_is_struck_there_and_not_at_its_admin_port(network):
    assert network.addresses(identity("engine-1")) == (Address("127.0.0.1", 8001),)


def test_replicas_that_share_a_port_cannot_be_told_apart_by_it(network):
    with pytest.raises(TargetError, match="gateway-1 shares port 8000 with gateway-2") as caught:
        network.addresses(identity("gateway-1"))
    assert "kill_connections" in caught.value.hint


def test_clients_that_come_through_the_proxy_have_a_way_of_their_own(network):
    assert network.ways(identity("engine-1")) == (Address("127.0.0.1", 9001),)
    with pytest.raises(TargetError, match="clients of engine-2 take no way of their own"):
        network.ways(identity("engine-2"))


@pytest.mark.parametrize("name", ["receiver", "nobody"])
def test_what_may_not_be_touched_has_no_address(network, name):
    with pytest.raises(TargetError, match=f"{name} is not on the list"):
        network.addresses(identity(name))
    with pytest.raises(TargetError, match=f"{name} is not on the list"):
        network.connections(identity(name))


@pytest.mark.parametrize("unit", ["", "999999@1", "namespace/uid"])
def test_one_that_is_gone_has_no_connections(network, unit):
    assert network.connections(identity("engine-1", unit)) == ()


def test_a_knock_is_answered_or_refused():
    with socket.create_server(("127.0.0.1", 0)) as door:
        address = Address(*door.getsockname())
        assert knock(address, 1.0, 3) == ("open",) * 3
    assert knock(address, 1.0) == ("refused",)
