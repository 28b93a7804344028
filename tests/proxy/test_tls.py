"""TLS that ends at a real proxy, with certificates that openssl made: what verifying clients see, and what passes."""

from __future__ import annotations

import shutil
import socket
import ssl
import time

import pytest

from holdfast.errors import InfrastructureError
from holdfast.platforms import certificates
from proxied import PATIENCE, Proxied, Server, exactly, exchange, rest, sends

HOST = "engine-1.platform.internal"
OPENSSL = shutil.which("openssl")
LARGE = bytes(range(256)) * 4096
pytestmark = pytest.mark.skipif(not OPENSSL, reason="no openssl here")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("tls") / "certificates"
    certificates.make(made, {"engine-1": HOST}, OPENSSL)
    return made


class Way:
    def __init__(self, folder, serve=None):
        self.server, self.port, self.folder = Server(serve), free_port(), folder
        route = f"engine-1=127.0.0.1:{self.port}=127.0.0.1:{self.server.port}=tls"
        self.proxied = Proxied(more=("--routes", route, "--certificates", str(folder)))

    def client(self, host=HOST):
        one = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        trust = ssl.create_default_context(cafile=self.folder / "ca.pem")
        try:
            return trust.wrap_socket(one, server_hostname=host)
        except OSError:
            one.close()
            raise

    def refused(self, host=HOST):
        """Why; empty when it is believed."""
        try:
            self.client(host).close()
        except ssl.SSLCertVerificationError as error:
            return error.verify_message.partition(",")[0]
        return ""

    def end(self):
        self.proxied.end()
        self.server.close()


@pytest.fixture(scope="module")
def way(folder):
    made = Way(folder)
    yield made
    made.end()


@pytest.fixture
def toxic(way):
    yield lambda **more: way.proxied.toxic("engine-1", "certificate", **more)
    way.proxied.ask("POST", "/reset")


def observed(way):
    return way.proxied.ask("GET", "/proxies/engine-1/observed")[1]


@pytest.mark.parametrize("host", [HOST, "127.0.0.1"])
def test_a_client_that_trusts_the_authority_is_served_by_name_and_by_address(way, host):
    with way.client(host) as one:
        assert exchange(one)[0] == b"hello"
        assert one.version() == "TLSv1.3"


@pytest.mark.parametrize("host", [HOST, "127.0.0.1"])
@pytest.mark.parametrize(
    ("shown", "why"),
    [
        ("expired", "certificate has expired"),
        ("other_ca", "unable to get local issuer certificate"),
        ("other_name", "mismatch"),
    ],
)
def test_a_toxic_shows_a_certificate_that_is_refused_and_not_a_byte_passes(way, toxic, shown, why, host):
    before = observed(way)
    toxic(shown=shown)
    assert why in way.refused(host)
    after = observed(way)
    assert (after["accepted"], after["upstream"]) == (before["accepted"], before["upstream"])
    way.proxied.ask("POST", "/reset")
    assert way.refused(host) == ""


def test_connections_that_are_there_go_on(way, toxic):
    with way.client() as one:
        toxic(shown="expired")
        assert exchange(one)[0] == b"hello"
        assert way.refused()


def test_it_ends_with_its_lease(way, toxic):
    toxic(shown="expired", lease=0.3)
    assert way.refused()
    deadline = time.monotonic() + 3
    while way.refused():
        assert time.monotonic() < deadline


def test_a_client_without_tls_gets_nothing(way):
    with socket.create_connection(("127.0.0.1", way.port), PATIENCE) as one:
        one.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"HTTP" not in rest(one)[0]


def test_a_megabyte_passes_both_ways_whole(way):
    with way.client() as one:
        one.settimeout(PATIENCE)
        for at in range(0, len(LARGE), 2**16):
            one.sendall(LARGE[at : at + 2**16])
            assert exactly(one, 2**16) == LARGE[at : at + 2**16]


def test_the_end_of_an_answer_is_the_end_of_the_connection(folder):
    way = Way(folder, sends(LARGE))
    try:
        with way.client() as one:
            one.sendall(b"all of it")
            got, how, _ = rest(one)
        assert (got == LARGE, how) == (True, "closed")
    finally:
        way.end()


def test_toxics_of_bytes_work_on_what_is_said_and_not_on_what_is_encrypted(way, toxic):
    way.proxied.toxic("engine-1", "latency", latency=200)
    with way.client() as one:
        assert exchange(one)[1] >= 0.2


def test_a_dead_upstream_is_the_end_and_no_answer(folder):
    way = Way(folder)
    way.server.close()
    try:
        with way.client() as one:
            try:
                one.sendall(b"hello")
                assert one.recv(1) == b""
            except (ConnectionError, ssl.SSLEOFError):
                pass
        assert observed(way)["refused"] == 1
    finally:
        way.end()


def test_a_proxy_whose_certificate_is_not_there_says_so(tmp_path):
    import subprocess
    import sys

    words = [sys.executable, "-m", "holdfast.proxy", "--port", "0", "--certificates", str(tmp_path)]
    words += ["--routes", "a=127.0.0.1:0=127.0.0.1:1=tls"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "No such file" in done.stderr


def test_keys_are_for_their_owner_alone(folder):
    assert folder.stat().st_mode & 0o077 == 0
    assert sorted(one.name for one in folder.glob("engine-1.*.pem")) == [
        f"engine-1.{kind}.pem" for kind in ("expired", "good", "other_ca", "other_name")
    ]


def test_an_openssl_that_fails_is_told_in_its_words(tmp_path):
    with pytest.raises(InfrastructureError, match="openssl cannot make certificates"):
        certificates.make(tmp_path / "a", {"x": HOST}, str(tmp_path / "none"))
    with pytest.raises(InfrastructureError, match="openssl req failed"):
        certificates.make(tmp_path / "b", {"x": HOST}, shutil.which("false"))
