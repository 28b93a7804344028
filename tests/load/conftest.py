"""A real chat server in a process of its own, and Locust in another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Server:
    port: int
    pid: int

    def url(self, behaviour: str = "ok") -> str:
        return f"http://127.0.0.1:{self.port}/{behaviour}"


@pytest.fixture(scope="session")
def server():
    script = Path(__file__).with_name("sse_server.py")
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Server(port=int(process.stdout.readline()), pid=process.pid)
        finally:
            process.terminate()


@pytest.fixture
def locust():
    """Starts Locust in the repository root; whatever still runs at the end of the test is killed."""
    started = []

    def start(*arguments: str, env: dict[str, str] | None = None, under: Sequence[str] = ()) -> subprocess.Popen:
        process = subprocess.Popen(
            [*under, sys.executable, "-m", "locust", *map(str, arguments)],
            cwd=ROOT,
            env=os.environ | (env or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def lines_of(path: Path, kind: str) -> list[dict]:
    """The record's lines of one kind; reading stops nowhere, so a broken line fails the test."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line for line in lines if line["kind"] == kind]


@pytest.fixture
def lines():
    return lines_of


@pytest.fixture
def until():
    """Polls until a condition holds; fails the test after `within` seconds."""

    def wait(condition, within: float = 15.0):
        end = time.monotonic() + within
        while not (value := condition()):
            assert time.monotonic() < end, "gave up waiting"
            time.sleep(0.02)
        return value

    return wait
