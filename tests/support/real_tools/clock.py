"""A clock that stands still between reads, and the answers as HTTP clients see them."""

from __future__ import annotations

import base64
import json
from contextlib import asynccontextmanager


class Clock:
    """A `time` module whose clocks all show the same second, set by hand."""

    def __init__(self):
        self.now = 0.0

    def time(self):
        return self.now

    perf_counter = monotonic = time

    def time_ns(self):
        return round(self.now * 1e9)

    perf_counter_ns = time_ns


CLOCK = Clock()
SHIFT = 1000.0
"""Tools take a time of 0 for none."""


def reads(golden):
    """Each read at its time, then the end."""
    for at, data in golden["reads"]:
        CLOCK.now = SHIFT + at / 1000
        yield base64.b64decode(data)
    CLOCK.now = SHIFT + golden["ended"] / 1000
    if golden["broken"]:
        raise ConnectionResetError("broken")


def start(golden, name="sent"):
    CLOCK.now = SHIFT + golden[name] / 1000


class Content:
    def __init__(self, golden):
        self.golden = golden

    async def iter_any(self):
        for data in reads(self.golden):
            yield data


class Response:
    """What aiohttp gives."""

    def __init__(self, golden):
        self.status, self.reason, self.content = golden["status"], "", Content(golden)
        self.content_type, self.headers = golden["content_type"], {}
        self.body = b""

    async def read(self):
        self.body = b"".join([data async for data in self.content.iter_any()])
        return self.body

    async def text(self):
        return (await self.read()).decode()

    async def json(self):
        return json.loads(self.body or await self.read())


class Session:
    def __init__(self, golden):
        self.golden = golden

    @asynccontextmanager
    async def post(self, *_, **__):
        if self.golden["status"] is None:
            list(reads(self.golden))
        yield Response(self.golden)
