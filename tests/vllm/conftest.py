"""Real engines for the tests marked `vllm`: one platform that a file shares, and both kinds of engine side by side."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench import Bench, make_bench, until
from holdfast import app
from holdfast.errors import UsageError
from holdfast.platforms import tools

ROOT = Path(__file__).parents[2]
STARTS_WITHIN = 180
"""Seconds for a vLLM to be ready while another starts beside it."""


@pytest.fixture(scope="session")
def vllm(request: pytest.FixtureRequest) -> Path:
    """The user's own vLLM, where somebody asked for these tests: they take a quarter of an hour and 6 GB."""
    if "vllm" not in request.config.option.markexpr:
        pytest.skip("real engines are for `make vllm`, or pytest -m vllm")
    try:
        found = tools.locate(
            ["vllm"],
            path=os.environ.get("PATH", os.defpath),
            cache=tools.cache_folder(os.environ),
            given=app.programs(ROOT, os.environ),
        )
    except UsageError as error:
        pytest.skip(f"{error}; {error.hint}")
    return found["vllm"].path


@pytest.fixture(scope="session")
def vllm_python(vllm: Path) -> Path:
    """The Python of that vLLM, which has `tokenizers` and `openai`."""
    return Path(vllm.read_text().splitlines()[0].removeprefix("#!"))


@dataclass(frozen=True, kw_only=True)
class Real:
    """A platform with real engines, and questions to it."""

    bench: Bench
    told: str
    """What `up` said."""
    wanted: int = 2

    def ready(self) -> bool:
        return self.bench.engines_ready() == self.wanted

    def engines(self):
        return self.bench.platform().replicas("engine")

    def urls(self) -> list[str]:
        return [
            f"http://127.0.0.1:{one.port}" for one in self.bench.platform().record.processes if one.role == "engine"
        ]

    def chat(self, **body: object) -> list[str]:
        """The payloads of one streamed chat through the gateway."""
        where = self.bench.platform().endpoints()
        request = urllib.request.Request(
            f"{where.gateway}/v1/chat/completions",
            data=json.dumps({"model": "tiny", "stream": True, **body}).encode(),
            headers={"Authorization": f"Bearer {where.api_key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            return [line[6:].decode().strip() for line in response if line.startswith(b"data: ")]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, vllm: Path):
    made = make_bench(tmp_path_factory.mktemp("vllm"))
    code, text = made.do("up", "--profile", "vllm", "--set", f"vllm={vllm}", timeout=STARTS_WITHIN + 60)
    assert code == 0, text
    yield Real(bench=made, told=text)
    made.do("down")


@pytest.fixture
def real(started: Real):
    """The shared platform, whole before and after the test."""
    until(started.ready, STARTS_WITHIN, "ready engines before the test")
    yield started
    until(started.ready, STARTS_WITHIN, "ready engines after the test")


@pytest.fixture
def simulator(tmp_path: Path):
    """The address of a simulated engine of the same model name."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    calibration = ROOT / "platform/local/calibrations/laptop.json"
    words = ["--port", str(port), "--model", "tiny", "--calibration", str(calibration), "--load-seconds", "0"]
    process = subprocess.Popen([sys.executable, "-m", "refplatform.engine", *words])
    url = f"http://127.0.0.1:{port}"
    until(lambda: answers(f"{url}/health"), 20, "a simulated engine")
    yield url
    process.kill()
    process.wait()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status == 200
    except OSError:
        return False


@pytest.fixture
def both(real: Real, simulator: str) -> dict[str, str]:
    """Addresses by kind: the first real engine, and the simulator."""
    return {"real": real.urls()[0], "simulated": simulator}
