"""Faults of a link on a real proxy before real servers: seen by what a client sees, undone, ended by their lease."""

from __future__ import annotations

import sys

import pytest

from holdfast import faults
from holdfast.errors import TargetError
from holdfast.faults.ways import links as ways
from holdfast.model.fault import Strike
from holdfast.model.hands import Link
from proxied import Proxied
from targets import Targets, eventually

SERVER = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"x" * 20000)
    def log_message(self, *words): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer)
print(server.server_port, flush=True)
server.serve_forever()
"""
FAULTS = {
    "latency": {"latency": 300, "jitter": 100},
    "bandwidth": {"rate": 20},
    "slicer": {"average_size": 10, "size_variation": 9, "delay": 200},
    "reset_peer": {},
    "timeout": {},
    "limit_data": {"bytes": 1000},
    "link_down": {},
}
every = pytest.mark.parametrize(("name", "options"), FAULTS.items(), ids=FAULTS)


class Linked:
    """The hand, on a proxy of the test's own."""

    def __init__(self, proxied):
        self.proxied, self.listens = proxied, {}

    def link(self, identity):
        if identity.name not in self.listens:
            raise TargetError(f"what is said to {identity.name} takes no proxy")
        return Link(identity.name, f"http://{self.proxied.api}")


@pytest.fixture(scope="module")
def proxied():
    running = Proxied()
    yield running
    running.end()


@pytest.fixture(scope="module")
def world(proxied, tmp_path_factory):
    linked = Linked(proxied)
    targets = Targets(tmp_path_factory.mktemp("targets"), hands={"links": linked})
    for name in ("engine-1", "engine-2"):
        # Its port is chosen once, so that a successor listens where the proxy looks for it.
        port = free_port()
        targets.start(name, sys.executable, "-c", SERVER, str(port))
        linked.listens[name] = proxied.proxy(name, port)
        eventually(lambda name=name: ways.ask(("127.0.0.1", linked.listens[name]), Link("", "").question).pieces)
    yield targets
    targets.close()


def free_port():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


@pytest.fixture
def platform(world, proxied):
    yield world
    proxied.ask("POST", "/reset")


def state(platform, name="engine-1"):
    told = platform.hands["links"].proxied.ask("GET", f"/proxies/{name}")[1]
    return told["enabled"], told["toxics"]


CLEAN = (True, [])


@every
def test_it_bites_on_its_target_alone_and_is_undone(platform, name, options):
    fault, strike = faults.find(name), platform.strike(name, "engine-1", **options)
    other = platform.strike(name, "engine-2", id="other", **options)
    assert not fault.bites(platform, strike).seen
    fault.apply(platform, strike)
    sight = eventually(lambda: fault.bites(platform, strike), within=fault.bites_within)
    assert "past it" in sight.detail
    assert not fault.bites(platform, other).seen
    assert not fault.gone(platform, strike).seen
    fault.undo(platform, strike)
    eventually(lambda: fault.gone(platform, strike), within=fault.gone_within)
    assert not fault.bites(platform, strike).seen
    assert state(platform) == CLEAN


@every
def test_undo_without_it_and_twice_changes_nothing(platform, name, options):
    fault, strike = faults.find(name), platform.strike(name, "engine-1", **options)
    fault.undo(platform, strike)
    assert fault.gone(platform, strike).seen
    fault.apply(platform, strike)
    fault.undo(platform, strike)
    fault.undo(platform, strike)
    assert fault.gone(platform, strike).seen
    assert state(platform) == CLEAN


@every
def test_undoing_one_leaves_another_of_the_same_kind(platform, name, options):
    fault = faults.find(name)
    mine, other = (platform.strike(name, "engine-1", id=own, **options) for own in ("one", "two"))
    fault.apply(platform, mine)
    fault.apply(platform, other)
    fault.undo(platform, mine)
    assert fault.gone(platform, other).seen is False
    assert state(platform) != CLEAN
    fault.undo(platform, other)
    assert state(platform) == CLEAN


@every
def test_one_that_does_nothing_is_never_seen_to_bite(platform, name, options):
    fault = faults.find(name)
    blind = type("Blind", (type(fault),), {"apply": lambda *_: None})()
    strike = platform.strike(name, "engine-1", **options)
    blind.apply(platform, strike)
    assert [blind.bites(platform, strike).seen for _ in range(3)] == [False] * 3


@every
def test_it_ends_with_its_lease_unless_that_is_renewed_and_a_renewal_strikes_nothing(platform, name, options):
    fault = faults.find(name)
    strike = platform.strike(name, "engine-1", lease=0.6, **options)
    fault.apply(platform, strike)
    fault.renew(platform, strike)
    assert state(platform) != CLEAN
    eventually(lambda: state(platform) == CLEAN, within=3)
    fault.renew(platform, strike)
    assert state(platform) == CLEAN


@pytest.mark.parametrize("name", ["reset_peer", "link_down"])
def test_it_is_undone_when_the_target_died_and_was_replaced(platform, name):
    fault, strike = faults.find(name), platform.strike(name, "engine-1")
    fault.apply(platform, strike)
    platform.kill(strike.target)
    assert not fault.bites(platform, strike).seen  # nobody answers past the proxy either: nothing can be told
    platform.restore("engine")
    fault.undo(platform, strike)
    eventually(lambda: fault.gone(platform, strike), within=fault.gone_within)
    assert platform.identity("engine-1") != strike.target


def test_a_target_that_is_no_longer_what_it_was_is_not_struck(platform):
    strike = Strike(id="x", fault="reset_peer", target=platform.identity("engine-1"))
    platform.kill(strike.target)
    platform.restore("engine")
    eventually(
        lambda: ways.ask(("127.0.0.1", platform.hands["links"].listens["engine-1"]), Link("", "").question).pieces
    )
    for name in ("reset_peer", "link_down"):
        with pytest.raises(TargetError, match="is no longer what it was"):
            faults.find(name).apply(platform, strike)
    assert state(platform) == CLEAN


def test_cuts_of_others_show_a_limit_that_no_answer_of_our_own_reaches(platform):
    fault, strike = faults.find("limit_data"), platform.strike("limit_data", "engine-1", bytes=30_000)
    fault.apply(platform, strike)
    assert not fault.bites(platform, strike).seen
    port = platform.hands["links"].listens["engine-1"]
    # HTTP/1.1 keeps the connection, so that two answers of 20 kB pass on one and reach the limit of 30 kB.
    ways.ask(("127.0.0.1", port), b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" * 2)
    sight = fault.bites(platform, strike)
    assert (sight.seen, sight.detail) in {(True, "1 connections were cut"), (False, sight.detail)}


def test_a_proxy_that_is_not_there_is_never_seen_through(platform):
    class Nowhere:
        def link(self, identity):
            return Link(identity.name, "http://127.0.0.1:1")

    away = Targets(platform.folder, hands={"links": Nowhere()}, running=platform.running)
    fault, strike = faults.find("latency"), platform.strike("latency", "engine-1")
    fault.undo(away, strike)
    for part in (fault.bites, fault.gone, fault.apply):
        with pytest.raises(Exception, match="does not answer"):
            part(away, strike)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("latency", {"latency": 1}),
        ("bandwidth", {}),
        ("slicer", {"average_size": 3, "size_variation": 3}),
        ("limit_data", {"byte": 1}),
    ],
)
def test_options_that_make_no_sense_are_refused(name, options):
    with pytest.raises(TargetError, match="does not take these options"):
        faults.find(name).read(options)
