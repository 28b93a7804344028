"""What a client may be told about its connections: certificates, keeping them, and how long each step may take."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.load import reply
from holdfast.load.endpoint import Endpoint
from holdfast.load.outcome import outcome_of
from holdfast.load.prompt import Prompts
from holdfast.load.transport import Client, Deadlines, Trust
from holdfast.model.load import Arrival

PATIENT = Deadlines(connect=1.0, first_byte=2.0, gap=2.0, total=5.0)
ARRIVAL = Arrival(due=0.0, prompt_tokens=8, answer_tokens=5)


def ask(url: str, endpoint: Endpoint = Endpoint(), deadlines: Deadlines = PATIENT, **how):  # noqa: B008 - frozen
    client = Client(url, deadlines=deadlines, **how)
    try:
        exchange = endpoint.send(client, endpoint.body(Prompts(1), ARRIVAL, "sim"), {})
    finally:
        client.close()
    *_, answer = endpoint.reading(exchange)
    return exchange, answer, outcome_of(exchange, answer, endpoint.wanted)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A self-signed certificate for 127.0.0.1, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "cert.pem", folder / "key.pem"
    names = ["-subj", "/CN=holdfast-test", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    try:
        command = ["openssl", "req", "-x509", *made, *names, "-out", files[0], "-keyout", files[1]]
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl here to make a certificate")
    return files


@pytest.fixture(scope="session")
def safe_server(certificate):
    script = Path(__file__).with_name("sse_server.py")
    with subprocess.Popen([sys.executable, script, *certificate], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"https://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def test_a_certificate_that_nobody_vouches_for_is_not_believed(safe_server):
    exchange, _, (outcome, error) = ask(f"{safe_server}/ok")
    assert (outcome, exchange.status) == ("connect", None)
    assert "CERTIFICATE_VERIFY_FAILED" in error


def test_a_named_certificate_is_believed(safe_server, certificate):
    exchange, answer, (outcome, error) = ask(f"{safe_server}/ok", trust=Trust(ca_file=str(certificate[0])))
    assert (outcome, error, len(answer.token_times)) == ("ok", "", 5)
    assert exchange.sent < exchange.written < exchange.headers <= answer.token_times[0] <= exchange.ended


def test_a_certificate_for_another_name_is_not_believed_even_when_named(safe_server, certificate):
    url = safe_server.replace("127.0.0.1", "localhost")
    _, _, (outcome, error) = ask(f"{url}/ok", trust=Trust(ca_file=str(certificate[0])))
    assert outcome == "connect"
    assert "mismatch" in error.lower()


def test_whoever_says_insecure_believes_anybody(safe_server):
    _, _, (outcome, _) = ask(f"{safe_server}/ok", trust=Trust(insecure=True))
    assert outcome == "ok"


def test_a_file_of_certificates_that_is_not_there_is_refused():
    with pytest.raises(FileNotFoundError):
        Client("https://127.0.0.1:1", deadlines=PATIENT, trust=Trust(ca_file="no-such.pem"))


def test_a_safe_connection_is_used_again(safe_server):
    client = Client(f"{safe_server}/plain", deadlines=PATIENT, trust=Trust(insecure=True))
    assert [client.post("/", b"{}", {}).reused for _ in range(3)] == [False, True, True]
    client.close()


def test_a_port_that_never_shakes_hands_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hasty = Deadlines(connect=0.2, first_byte=5.0, gap=5.0, total=5.0)
        exchange, _, (outcome, error) = ask(f"https://127.0.0.1:{silent.getsockname()[1]}", deadlines=hasty)
    assert (outcome, error) == ("timeout", "no connection within 0.2s")
    assert exchange.ended - exchange.sent < 2


def test_connections_are_not_kept_when_told_so(server):
    client = Client(server.url("echo"), deadlines=PATIENT, reuse=False)
    exchanges = [client.post("/", b"{}", {}) for _ in range(2)]
    assert [exchange.reused for exchange in exchanges] == [False, False]
    assert b'"connection": "close"' in exchanges[0].body


def test_a_request_without_a_body_says_so(server):
    client = Client(server.url("echo"), deadlines=PATIENT)
    exchange = client.get("/", {"x-a": "b"})
    assert (exchange.status, b"content-length" in exchange.body, b'"x-a": "b"' in exchange.body) == (200, False, True)


@pytest.mark.parametrize(
    ("deadlines", "behaviour", "error"),
    [
        (Deadlines(connect=1, first_byte=0.2, gap=9, total=9), "silent", "no first byte within 0.2s"),
        (Deadlines(connect=1, first_byte=9, gap=0.2, total=9), "stall", "no byte after the last within 0.2s"),
        (Deadlines(connect=1, first_byte=9, gap=9, total=0.4), "drip", "not done within 0.4s"),
        (Deadlines(connect=1, first_byte=9, gap=9, total=0.4), "slowly", "not done within 0.4s"),
        (Deadlines(connect=1, first_byte=9, gap=0.2, total=0.4), "slowly", "not done within 0.4s"),
    ],
)
def test_every_deadline_is_its_own(server, deadlines, behaviour, error):
    exchange, _, (outcome, found) = ask(server.url(behaviour), deadlines=deadlines)
    assert (outcome, found) == ("timeout", error)
    assert exchange.ended - exchange.sent < 2


def test_an_answer_without_end_is_given_up_before_it_fills_the_memory(server, monkeypatch):
    monkeypatch.setattr(reply, "BODY_BYTES", 1 << 20)
    exchange, _, (outcome, error) = ask(server.url("endless"))
    assert (outcome, error) == ("malformed", "an answer of more than 1 MiB")
    assert len(exchange.body) < 2 << 20


@pytest.mark.parametrize(
    ("endpoint", "behaviour", "kinds", "outcome"),
    [
        (Endpoint(name="completions"), "plain", "cd", "ok"),
        (Endpoint(stream=False), "whole", "c", "ok"),
        (Endpoint(name="completions", stream=False), "whole", "c", "ok"),
        (Endpoint(name="embeddings"), "embeddings", "c", "ok"),
        (Endpoint(name="embeddings"), "page", "", "malformed"),
        (Endpoint(name="/health"), "health", "", "ok"),
        (Endpoint(name="/"), "page", "c", "ok"),
        (Endpoint(name="/", fixed=b'{"a": 1}'), "echo", "c", "ok"),
        (Endpoint(name="/"), "busy", "c", "rejected"),
        (Endpoint(name="/"), "redirect", "", "malformed"),
        (Endpoint(name="/"), "hang-up", "", "connect"),
    ],
)
def test_every_endpoint_has_its_own_idea_of_an_answer(server, endpoint, behaviour, kinds, outcome):
    exchange, answer, (found, error) = ask(server.url(behaviour), endpoint)
    assert (found, answer.kinds) == (outcome, kinds), error
    if endpoint.fixed:
        assert b'{"a": 1}' in exchange.body
