"""Which replica's traffic takes the fault proxy, and what may be asked of it there."""

from __future__ import annotations

import pytest

from holdfast.errors import TargetError
from holdfast.model.hands import Link, Links
from holdfast.model.platform import Identity
from holdfast.platforms.document import VERSION, Document, Member, Overseer
from holdfast.platforms.embedded import EmbeddedPlatform
from holdfast.platforms.layout import layout


def a_member(name, port, *, ready="", metrics="", via="links", faults=True):
    role = name.split("-")[0]
    more = {"admin": 0, "program": "", "version": "", "log": "", "link": port + 1000 if via else 0}
    return Member(name=name, role=role, port=port, ready=ready, metrics=metrics, via=via, faults=faults, **more)


MEMBERS = (
    a_member("engine-1", 8001, ready="http://127.0.0.1:8001/health", metrics="http://127.0.0.1:8001/metrics"),
    a_member("engine-2", 8002, ready="http://127.0.0.1:8002/health", metrics="http://127.0.0.1:9102/metrics"),
    a_member("redis", 8003, ready="tcp://127.0.0.1:8003"),
    a_member("gateway-1", 8004, ready="http://127.0.0.1:8004/ready", via=""),
    a_member("links", 8474, ready="http://127.0.0.1:8474/version", via="", faults=False),
)


@pytest.fixture
def links(tmp_path):
    overseer = Overseer(pid=0, ticks=0, socket="")
    more = {"profile": "sim", "options": {}, "started": 0.0, "fingerprint": "f", "endpoints": {}}
    record = Document(version=VERSION, phase="up", supervisor=overseer, processes=MEMBERS, **more)
    return EmbeddedPlatform(layout(tmp_path), record).hand(Links)


def identity(name):
    return Identity(name=name, role=name.split("-")[0], unit="7@42")


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("engine-1", b"GET /metrics HTTP/1.0\r\n\r\n"),
        ("engine-2", b"GET /health HTTP/1.0\r\n\r\n"),  # its metrics are told elsewhere
        ("redis", b"INFO everything\r\nQUIT\r\n"),
    ],
)
def test_a_replica_behind_the_proxy_has_a_link_and_a_question_that_is_answered_there(links, name, question):
    assert links.link(identity(name)) == Link(name, "http://127.0.0.1:8474", question)


def test_a_replica_that_is_reached_straight_has_none(links):
    with pytest.raises(TargetError, match="what is said to gateway-1 takes no proxy") as caught:
        links.link(identity("gateway-1"))
    assert caught.value.hint == "holdfast up --set links=on"


@pytest.mark.parametrize("name", ["links", "nobody"])
def test_what_may_not_be_touched_has_none(links, name):
    with pytest.raises(TargetError, match=f"{name} is not on the list"):
        links.link(identity(name))
