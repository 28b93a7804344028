"""Starts the services as real processes on free ports, speaks HTTP with them, and ends every one of them."""

import contextlib
import http.client
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

if not hasattr(sys.modules.get("platform"), "system"):
    # pytest names this folder's modules "platform.services.tests...", and makes an empty parent of that name when the
    # standard library's `platform` was not imported before. Half of the libraries need the real one.
    sys.modules.pop("platform", None)
    importlib.import_module("platform")

KEY = "sk-test"
FAST = {
    "name": "test",
    "max_num_seqs": 8,
    "max_num_batched_tokens": 256,
    "max_num_queued_reqs": 64,
    "max_model_len": 4096,
    "kv_cache_tokens": 16384,
    "c0": 0.004,
    "c_prefill": 0.00002,
    "c_seq": 0.0001,
    "c_kv": 0.0,
}


def eventually(check, *, within=10.0, every=0.02):
    """The first truthy value of `check` within so many seconds; fails otherwise."""
    deadline = time.monotonic() + within
    while not (value := check()):
        assert time.monotonic() < deadline, f"did not happen within {within} s"
        time.sleep(every)
    return value


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@dataclass
class Reply:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def events(self):
        """The payloads of the server-sent events, [DONE] as text."""
        datas = [event.removeprefix(b"data: ") for event in self.body.split(b"\n\n") if event]
        return [data.decode() if data == b"[DONE]" else json.loads(data) for data in datas]

    @property
    def deltas(self):
        return [
            choice["delta"]["content"]
            for event in self.events
            if isinstance(event, dict)
            for choice in event.get("choices", [])
            if choice["delta"].get("content")
        ]


class Open:
    """A request whose answer is still coming."""

    def __init__(self, url, *, path, body=None, key=KEY, headers=None):
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        sent = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
        content = json.dumps(body) if isinstance(body, dict) else body
        self.connection.request("POST" if body is not None else "GET", path, content, sent | (headers or {}))
        self._response = None
        self.body = b""

    @property
    def response(self):
        self._response = self._response or self.connection.getresponse()
        return self._response

    def until(self, mark):
        """Read until the mark has come."""
        while mark not in self.body:
            data = self.response.read1(65536)
            assert data, f"the answer ended before {mark}: {self.body[-200:]}"
            self.body += data
        return self

    def finish(self):
        """Read to the end, whether clean or torn."""
        response = self.response
        with contextlib.suppress(http.client.HTTPException, OSError):
            self.body += response.read()
        self.connection.close()
        return Reply(self.response.status, {k.lower(): v for k, v in self.response.getheaders()}, self.body)

    def drop(self):
        """Go away in the middle, as a client that was closed."""
        self.response.close()
        self.connection.close()


def fetch(url, path="/", body=None, **options):
    return Open(url, path=path, body=body, **options).finish()


def delete(url, path, key=KEY):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.request("DELETE", path, headers={"authorization": f"Bearer {key}"})
    status = connection.getresponse().status
    connection.close()
    return status


def chat(tokens=5, *, stream=True, text="hello", **extra):
    """The body of a chat request."""
    message = {"role": "user", "content": text}
    return {"model": "chat", "messages": [message], "max_tokens": tokens, "stream": stream} | extra


def ask(url, tokens=5, **options):
    return fetch(url, CHAT, chat(tokens), **options)


CHAT = "/v1/chat/completions"


def metrics(url):
    """A function name, labels -> value over one scrape; None for a series that is not there."""
    from prometheus_client.parser import text_string_to_metric_families  # needs the real `platform`, see above

    families = text_string_to_metric_families(fetch(url, "/metrics").body.decode())
    samples = [sample for family in families for sample in family.samples]

    def value(name, **labels):
        found = [s.value for s in samples if s.name == name and labels.items() <= s.labels.items()]
        return sum(found) if found else None

    return value


@dataclass
class Server:
    process: subprocess.Popen
    url: str
    admin: str
    log: Path

    def signal(self, number):
        self.process.send_signal(number)

    def end(self, within=15.0):
        """Ask it to stop; its exit status."""
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        return self.process.wait(within)

    @property
    def lines(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def spawn(tmp_path):
    """Starts `python -m MODULE ARGS`, waits until `ready` (a path) answers 200 when one is given."""
    started = []

    def start(module, *args, url, admin=None, ready=None):
        log = tmp_path / f"{len(started)}.log"
        with log.open("wb") as out:
            command = [sys.executable, "-m", module, *map(str, args)]
            process = subprocess.Popen(command, stdout=out, env=os.environ | {"PYTHONUNBUFFERED": "1"})
        server = Server(process, url, admin or url, log)
        started.append(server)
        if ready:
            eventually(lambda: answers(server, ready), within=20)
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.process.kill()
        server.process.wait(10)


def answers(server, path):
    assert server.process.poll() is None, f"ended with {server.process.returncode}"
    with contextlib.suppress(OSError):
        return fetch(server.admin, path).status == 200
    return False


@pytest.fixture
def engine(spawn, tmp_path):
    """Starts an engine; keyword arguments change the calibration."""

    def start(*, load_seconds=0, seed=1, port=None, ready="/health", door=None, **changes):
        port = port or free_port()
        calibration = tmp_path / f"calibration-{port}.json"
        calibration.write_text(json.dumps(FAST | changes))
        args = ["--port", port, "--model", "chat", "--calibration", calibration, "--seed", seed]
        args += ["--load-seconds", load_seconds]
        args += ["--fault-port", door[0], "--fault-token-file", door[1]] if door else []
        return spawn("refplatform.engine", *args, url=f"http://127.0.0.1:{port}", ready=ready)

    return start


@pytest.fixture
def gateway(spawn, tmp_path):
    """Starts a gateway replica before the given engines."""
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({KEY: "acme", "sk-other": "globex"}))

    def start(
        *engines,
        port=None,
        failover="on",
        stall=1.0,
        name="gateway-1",
        redis="redis://127.0.0.1:1/0",
        wait=True,
        fair_above=24,
    ):
        port, admin = port or free_port(), free_port()
        urls = ",".join(engine.url for engine in engines)
        args = ["--port", port, "--admin-port", admin, "--engines", urls, "--keys", keys, "--redis", redis]
        args += ["--failover", failover, "--stall-seconds", stall, "--name", name]
        args += ["--fair-above", fair_above]
        url, inside = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin}"
        server = spawn("refplatform.gateway", *args, url=url, admin=inside, ready="/ready" if wait else "/health")
        if wait and failover == "on":
            eventually(lambda: metrics(inside)("gateway_engine_ready") == len(engines))
        return server

    return start


@pytest.fixture
def web():
    """The verbs of this file, for tests that cannot import it."""
    return SimpleNamespace(
        fetch=fetch,
        delete=delete,
        open=Open,
        ask=ask,
        chat=chat,
        metrics=metrics,
        eventually=eventually,
        port=free_port,
        path=CHAT,
    )
