"""The name server of a real proxy: names of its proxies, toxics that spoil them, leases that end it."""

from __future__ import annotations

import pytest

from holdfast.faults.ways import resolving
from proxied import Proxied, Server, connect, exchange
from targets import eventually

ENGINE = "engine.platform.internal"


@pytest.fixture(scope="module")
def named():
    running = Proxied(more=("--domain", "platform.internal"))
    server = Server()
    yield running, server
    running.end()
    server.close()


@pytest.fixture
def told(named):
    """What is said to a question; a proxy `engine` is there, without toxics."""
    running, server = named
    running.ask("POST", "/proxies", {"name": "engine", "listen": "127.0.0.1:0", "upstream": f"127.0.0.1:{server.port}"})
    yield lambda name=ENGINE: str(resolving.ask(running.api, name, 0.2))
    running.ask("DELETE", "/proxies/engine")


def test_a_proxy_has_a_name_as_long_as_it_is_there(told, named):
    assert told() == "an address"
    named[0].ask("DELETE", "/proxies/engine")
    assert told() == "NXDOMAIN"


@pytest.mark.parametrize(
    ("answer", "said"), [("nxdomain", "NXDOMAIN"), ("servfail", "SERVFAIL"), ("silence", "nothing")]
)
def test_a_toxic_says_what_is_answered_and_what_passes_is_not_touched(told, named, answer, said):
    running = named[0]
    port = int(running.ask("GET", "/proxies/engine")[1]["listen"].rpartition(":")[2])
    live = connect(port)
    assert exchange(live)[0] == b"hello"
    running.toxic("engine", "name", answer=answer)
    assert told() == said
    assert told("platform.internal") == "NOERROR"  # the server is there
    assert exchange(live)[0] == b"hello"
    fresh = connect(port)
    assert exchange(fresh)[0] == b"hello"
    running.ask("DELETE", "/proxies/engine/toxics/name")
    assert told() == "an address"
    live.close()
    fresh.close()


def test_it_ends_with_its_lease(told, named):
    named[0].toxic("engine", "name", answer="servfail", lease=0.3)
    assert told() == "SERVFAIL"
    eventually(lambda: told() == "an address", within=3)


def test_an_answer_that_is_none_is_refused(told, named):
    body = {"type": "name", "attributes": {"answer": "maybe"}}
    assert named[0].ask("POST", "/proxies/engine/toxics", body)[0] == 400


def test_nobody_is_told_names_by_a_proxy_without_a_domain(ways):
    way = ways()
    status, told = way.ask("POST", "/toxics", {"type": "name"})
    assert (status, told["error"]) == (400, f"nobody is told the name of {way.name}")
    status, told = way.ask("POST", "/toxics", {"type": "certificate"})
    assert (status, told["error"]) == (400, f"{way.name} speaks no TLS")


def test_a_server_that_is_not_there_says_nothing():
    assert str(resolving.ask("127.0.0.1:1", ENGINE, 0.2)) == "nothing"
