"""`dns_fail` and `bad_certificate` on a real proxy: seen by what a client sees, undone, ended by a lease."""

from __future__ import annotations

import shutil
import socket
import sys
from dataclasses import replace

import pytest

from holdfast import faults
from holdfast.errors import TargetError
from holdfast.model.hands import Link
from holdfast.platforms import certificates
from proxied import Proxied
from targets import Targets, eventually

DOMAIN = "platform.internal"
OPENSSL = shutil.which("openssl")
SERVER = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"x" * 20000)
    def log_message(self, *words): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
FAULTS = [("dns_fail", "answer", one) for one in ("nxdomain", "servfail", "silence")]
FAULTS += [("bad_certificate", "shown", one) for one in ("expired", "other_ca", "other_name")]
every = pytest.mark.parametrize(("name", "option", "value"), FAULTS, ids=lambda one: one)
each = pytest.mark.parametrize(("name", "option", "value"), [FAULTS[0], FAULTS[3]], ids=lambda one: one)
pytestmark = pytest.mark.skipif(not OPENSSL, reason="no openssl here")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


class Linked:
    """The hand, on a proxy of the test's own whose engines have names and certificates."""

    def __init__(self, api, authority):
        self.api, self.authority, self.bare = api, authority, False

    def link(self, identity):
        link = Link(identity.name, f"http://{self.api}", host=f"{identity.name}.{DOMAIN}")
        return link if self.bare else link._replace(resolver=self.api, authority=str(self.authority))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ways")
    engines = ("engine-1", "engine-2")
    certificates.make(folder / "tls", {name: f"{name}.{DOMAIN}" for name in engines}, OPENSSL)
    ports = {name: free_port() for name in engines}
    routes = ",".join(f"{name}=127.0.0.1:{free_port()}=127.0.0.1:{ports[name]}=tls" for name in engines)
    proxied = Proxied(more=("--routes", routes, "--domain", DOMAIN, "--certificates", str(folder / "tls")))
    targets = Targets(folder, hands={"links": Linked(proxied.api, folder / "tls" / "ca.pem")})
    for name, port in ports.items():
        targets.start(name, sys.executable, "-c", SERVER, str(port))
    targets.proxied = proxied
    eventually(
        lambda: all(faults.find("latency").gone(targets, targets.strike("latency", one)).seen for one in engines)
    )
    yield targets
    targets.close()
    proxied.end()


@pytest.fixture
def platform(world):
    world.hands["links"].bare = False
    yield world
    world.proxied.ask("POST", "/reset")


def toxics(platform, name="engine-1"):
    return platform.proxied.ask("GET", f"/proxies/{name}/toxics")[1]


@every
def test_it_bites_on_its_target_alone_and_is_undone(platform, name, option, value):
    fault, strike = faults.find(name), platform.strike(name, "engine-1", **{option: value})
    beside = replace(strike, id="other", target=platform.identity("engine-2"))
    assert not fault.bites(platform, strike).seen
    fault.apply(platform, strike)
    eventually(lambda: fault.bites(platform, strike), within=fault.bites_within)
    assert not fault.bites(platform, beside).seen
    assert not fault.gone(platform, strike).seen
    for _ in range(2):
        fault.undo(platform, strike)
        eventually(lambda: fault.gone(platform, strike), within=fault.gone_within)
    assert not fault.bites(platform, strike).seen
    assert toxics(platform) == []


@every
def test_one_of_another_kind_is_not_taken_for_it(platform, name, option, value):
    kinds = [one for fault, _, one in FAULTS if fault == name]
    other = kinds[(kinds.index(value) + 1) % len(kinds)]
    fault = faults.find(name)
    fault.apply(platform, platform.strike(name, "engine-1", **{option: other}))
    assert not fault.bites(platform, platform.strike(name, "engine-1", **{option: value})).seen


@each
def test_it_ends_with_its_lease_unless_that_is_renewed_and_a_renewal_strikes_nothing(platform, name, option, value):
    fault, strike = faults.find(name), platform.strike(name, "engine-1", lease=0.6, **{option: value})
    fault.apply(platform, strike)
    fault.renew(platform, strike)
    assert toxics(platform) != []
    eventually(lambda: toxics(platform) == [], within=3)
    fault.renew(platform, strike)
    assert toxics(platform) == []


@each
def test_it_is_refused_and_never_seen_where_there_is_nothing_to_spoil(platform, name, option, value):
    platform.hands["links"].bare = True
    fault, strike = faults.find(name), platform.strike(name, "engine-1", **{option: value})
    for part in (fault.apply, fault.bites):
        with pytest.raises(TargetError) as caught:
            part(platform, strike)
        assert caught.value.hint in ("holdfast up --set names=platform.internal", "holdfast up --set tls=on")
    assert toxics(platform) == []


@each
def test_a_target_that_answers_nobody_proves_nothing(platform, name, option, value):
    fault, strike = faults.find(name), platform.strike(name, "engine-1", **{option: value})
    fault.apply(platform, strike)
    platform.kill(strike.target)
    assert not fault.bites(platform, strike).seen
    platform.restore("engine")
    fault.undo(platform, strike)
    eventually(lambda: fault.gone(platform, strike), within=fault.gone_within)


def test_a_name_server_that_is_gone_is_not_taken_for_one_that_is_silent(platform):
    fault, strike = faults.find("dns_fail"), platform.strike("dns_fail", "engine-1", answer="silence")
    link = platform.hands["links"].link(strike.target)._replace(resolver="127.0.0.1:1")
    away = Targets(platform.folder, hands={"links": type("Away", (), {"link": lambda *_: link})()})
    assert fault.bites(away, strike).detail == "the name server says nothing to anything"


@pytest.mark.parametrize("name", ["latency", "timeout", "reset_peer", "limit_data", "slicer", "bandwidth", "link_down"])
def test_faults_of_links_are_seen_through_tls_as_well(platform, name):
    options = {"limit_data": {"bytes": 1000}, "bandwidth": {"rate": 20}, "slicer": {"average_size": 500}}.get(name, {})
    fault, strike = faults.find(name), platform.strike(name, "engine-1", **options)
    assert not fault.bites(platform, strike).seen
    fault.apply(platform, strike)
    eventually(lambda: fault.bites(platform, strike), within=fault.bites_within)
    fault.undo(platform, strike)
    eventually(lambda: fault.gone(platform, strike), within=fault.gone_within)
