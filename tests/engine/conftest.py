"""One engine a test file with its admin door, and our own load client as the witness of what its faults do."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from holdfast.load.endpoint import Endpoint
from holdfast.load.outcome import outcome_of
from holdfast.load.transport import Client, Deadlines

TOKEN = "a-token-for-the-tests-alone"
CALIBRATION = {
    "name": "h100",
    "max_num_seqs": 8,
    "max_num_batched_tokens": 256,
    "max_model_len": 4096,
    "kv_cache_tokens": 16384,
    "c0": 0.002,
    "c_prefill": 0.0,
    "c_seq": 0.0,
    "c_kv": 0.0,
}
LEASE = 0.6
"""Seconds of a fault that nobody ends."""


@dataclass
class Seen:
    """One request as the client has it."""

    identity: str
    outcome: str
    error: str
    status: int | None
    text: str
    usage: dict
    seconds: float
    first: float | None
    body: bytes


@dataclass
class Rig:
    """An engine process, its address, its admin door, and how it is asked."""

    process: subprocess.Popen
    url: str
    door: str
    log: Path
    sent: int = 0

    def ask(self, *, tokens=8, stream=True, wait=5.0, text="hello", **extra):
        """One chat by our load client; `wait` is how many seconds of silence it bears."""
        self.sent += 1
        identity = f"r-{self.sent}"
        body = {"messages": [{"role": "user", "content": text}], "max_tokens": tokens, "stream": stream} | extra
        body |= {"stream_options": {"include_usage": True}} if stream else {}
        endpoint = Endpoint(stream=stream)
        client = Client(self.url, deadlines=Deadlines(connect=5, first_byte=wait, gap=wait, total=30), reuse=False)
        exchange = endpoint.send(client, json.dumps(body).encode(), {"x-request-id": identity})
        *_, answer = endpoint.reading(exchange)
        outcome, error = outcome_of(exchange, answer, endpoint.wanted)
        times = answer.token_times
        return Seen(
            identity=identity,
            outcome=outcome,
            error=error,
            status=exchange.status,
            text=answer.said_aloud,
            usage=dict(answer.usage or {}),
            seconds=exchange.ended - exchange.sent,
            first=times[0] - exchange.sent if times else None,
            body=exchange.body,
        )

    def plain(self):
        """Status, headers and body of one chat that is not streamed."""
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=5)
        body = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 2}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        found = response.status, {name.lower(): value for name, value in response.getheaders()}, json.load(response)
        connection.close()
        return found

    def get(self, path, wait=5.0):
        """Status of a path, None when nothing came."""
        client = Client(self.url, deadlines=Deadlines(connect=5, first_byte=wait, gap=5, total=15), reuse=False)
        return client.get(path, {}).status

    def admin(self, method, path="/faults", body=None, token=TOKEN):
        """What the door says: status and body."""
        connection = http.client.HTTPConnection(self.door.removeprefix("http://"), timeout=5)
        headers = {"authorization": f"Bearer {token}"} if token else {}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        data = response.read()
        connection.close()
        return response.status, data if path.endswith("/strikes") else json.loads(data)

    def quick(self, limit, **asked):
        """Wait until a chat is faster than this: what is slow because the machine is busy is so only now and then."""
        self.until(lambda: self.ask(**asked).seconds < limit)

    def begin(self, fault, *, lease=20.0, pick=None, **parameters):
        """Begin a fault; its id."""
        status, told = self.admin(
            "POST", body={"fault": fault, "lease": lease, "parameters": parameters, "pick": pick or {}}
        )
        assert (status, told["active"]) == (201, True), told
        return told["id"]

    def told(self, identity):
        return self.admin("GET", f"/faults/{identity}")[1]

    def strikes(self, identity):
        return [json.loads(line) for line in self.admin("GET", f"/faults/{identity}/strikes")[1].splitlines()]

    def counted(self, fault):
        return self.metric("refplatform_engine_fault_strikes_total", fault=fault)

    def metric(self, name, **labels):
        """Sum of the series of /metrics with these labels, None without one."""
        families = text_string_to_metric_families(self.text("/metrics"))
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        found = [sample.value for sample in samples if labels.items() <= sample.labels.items()]
        return sum(found) if found else None

    def text(self, path):
        with urllib.request.urlopen(self.url + path, timeout=5) as response:
            return response.read().decode()

    def gpu(self):
        """The GPU's series: name -> value of the first device."""
        lines = self.text("/gpu/metrics").splitlines()
        rows = [line for line in lines if line and not line.startswith("#") and 'gpu="0"' in line]
        return {row.split("{")[0]: float(row.rsplit(" ", 1)[1]) for row in rows}

    def until(self, check, within=15.0):
        """Wait for it."""
        deadline = time.monotonic() + within
        while not check():
            assert time.monotonic() < deadline, f"did not happen within {within} s"
            time.sleep(0.02)

    def life(self, fault, clean, struck, *, pick=None, **parameters):
        """The whole life of a fault: clean before, struck, clean when it was ended, struck again, clean by its lease.

        `clean` and `struck` are functions that assert. The lease must end it, and not early; how exactly it does is
        seen where the test moves the clock.
        """
        clean()
        one = self.begin(fault, pick=pick, **parameters)
        struck()
        assert self.admin("DELETE", f"/faults/{one}")[1]["active"] is False
        clean()
        began = time.monotonic()
        two = self.begin(fault, lease=LEASE, pick=pick, **parameters)
        self.until(lambda: not self.told(two)["active"])
        assert time.monotonic() - began > LEASE - 0.05
        clean()
        return one


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def start(folder, *more, number=0, token=TOKEN):
    """Starts an engine with an admin door."""
    port, door = free_port(), free_port()
    calibration, secret, log = folder / "calibration.json", folder / "token", folder / f"engine-{number}.log"
    calibration.write_text(json.dumps(CALIBRATION))
    secret.unlink(missing_ok=True)
    with os.fdopen(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(token)
    args = ["--port", port, "--model", "chat", "--calibration", calibration, "--enable-prompt-tokens-details"]
    args += ["--fault-port", door, "--fault-token-file", secret, "--fault-state", folder / "next-load.json", *more]
    with log.open("wb") as out:
        command = [sys.executable, "-m", "refplatform.engine", *map(str, args)]
        process = subprocess.Popen(command, stdout=out, stderr=out)
    return Rig(process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{door}", log)


def stop(rig):
    if rig.process.poll() is None:
        rig.process.kill()
    rig.process.wait(10)


def is_up(rig):
    assert rig.process.poll() is None, rig.log.read_text()
    with contextlib.suppress(OSError):
        return rig.text("/health") == "" and rig.admin("GET")[0] == 200
    return False


@pytest.fixture
def rig(engine):
    """The file's engine, with no fault of this test left to the next."""
    yield engine
    engine.admin("DELETE")


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """One engine with two ranks for a whole file."""
    one = start(tmp_path_factory.mktemp("engine"), "--tensor-parallel-size", 2)
    try:
        one.until(lambda: is_up(one), within=20)
        yield one
    finally:
        stop(one)


@pytest.fixture
def starting(tmp_path):
    """Starts an engine of its own for a test that ends it; again with the same folder."""
    started = []

    def begin(*more, wait=True, within=30):
        one = start(tmp_path, *more, number=len(started))
        started.append(one)
        if wait:
            one.until(lambda: is_up(one), within=within)
        return one

    yield begin
    for one in started:
        stop(one)
