"""Other clients beside ours, for load_streams.py: each holds streams open and stamps what it sees, as `selftest` does.

Every client gets its best: it stamps as soon as it has a line, and parses after the stream. Run as
`python benchmarks/load_clients.py NAME` with the options of `holdfast.load.selftest.client`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import gevent
import orjson
from locust import FastHttpUser
from locust.env import Environment
from locust.exception import StopUser

from holdfast.load.selftest.client import HEARTBEAT, SETTLE, Health, _parser, quiet, sighting
from holdfast.load.selftest.server import Pace, pin
from holdfast.load.selftest.stamps import errors_of, streams_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

PATH = "/v1/chat/completions"
SPAWN = 2.0
SLICE = 32


class Closed:
    """When each of N streams begins, and the window that counts."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.pace = Pace(tokens=options.tokens, first=options.first, gap=options.gap)
        self.streams, self.url = options.streams, options.url
        self.epoch = time.monotonic() + SPAWN
        begin = self.epoch + self.pace.seconds + SETTLE
        self.health = Health(begin, begin + options.seconds)
        self.seen: list[Any] = []
        self.failed = 0
        body = {"model": "stamped", "messages": [{"role": "user", "content": "hello"}], "max_tokens": options.tokens}
        self.body = json.dumps({**body, "stream": True}).encode()

    def offset(self, number: int) -> float:
        """Seconds until stream `number` begins."""
        return self.epoch + number / self.streams * self.pace.seconds - time.monotonic()

    def over(self) -> bool:
        """Whether no stream is to begin any more."""
        return time.monotonic() >= self.health.end

    def take(self, start: float, lines: list[tuple[float, bytes]]) -> None:
        """Keep a whole stream."""
        self.seen.append(sighting(start, tuple(lines)))

    def report(self) -> dict[str, Any]:
        """As the self-test's client does."""
        errors = errors_of(streams_of(self.seen), self.health.begin, self.health.end)
        lag = self.health.lag()
        return {
            "errors": asdict(errors),
            "lag": asdict(lag),
            "cpu": self.health.cpu,
            "failed": self.failed,
            "refused": 0,
        }


def parsed(lines: list[tuple[float, bytes]]) -> Iterator[None]:
    """Read what the stream said, a slice at a time."""
    for count, (_, line) in enumerate(lines):
        if line.startswith(b"data: {"):
            orjson.loads(line[6:])
        if count % SLICE == 0:
            yield


def readline(client: Any, body: bytes) -> Iterator[bytes]:
    """FastHttpUser, asked line by line below its public face."""
    with client.post(PATH, data=body, stream=True) as response:
        while line := response._response.readline(b"\n"):  # noqa: SLF001 - there is no public way
            yield bytes(line)


def iter_lines(client: Any, body: bytes) -> Iterator[bytes]:
    """FastHttpUser as it is shipped."""
    for line in client.iter_lines(PATH, method="POST", data=body):
        yield line.encode() + b"\n"


def under_locust(lines_of: Callable[[Any, bytes], Iterator[bytes]]) -> Callable[[Closed], None]:
    """N users of Locust."""

    def drive(load: Closed) -> None:
        numbers = iter(range(load.streams))

        class Streamer(FastHttpUser):  # type: ignore[misc]  # Locust's User is untyped
            host = load.url

            def hold(self) -> None:
                gevent.sleep(max(0.0, load.offset(next(numbers))))
                while not load.over():
                    start, lines = time.monotonic(), []
                    try:
                        lines.extend((time.monotonic(), line) for line in lines_of(self.client, load.body))
                        load.take(start, lines)
                    except OSError:
                        load.failed += 1
                    for _ in parsed(lines):
                        gevent.sleep(0)
                raise StopUser

            tasks = (hold,)

        environment = Environment(user_classes=[Streamer])
        environment.parsed_options = SimpleNamespace()
        runner = environment.create_local_runner()
        runner.start(load.streams, spawn_rate=10_000)
        load.health.watch()
        gevent.sleep(load.pace.seconds)
        runner.quit()

    return drive


def with_aiohttp(load: Closed) -> None:
    """Aiohttp on asyncio's own loop, its limit of connections lifted."""
    asyncio.run(_aiohttp(load))


async def _aiohttp(load: Closed) -> None:
    import aiohttp  # noqa: PLC0415 - only here

    async with aiohttp.ClientSession(load.url, connector=aiohttp.TCPConnector(limit=0)) as session:

        async def hold(number: int) -> None:
            await asyncio.sleep(load.offset(number))
            while not load.over():
                start, lines = time.monotonic(), []
                async with session.post(PATH, data=load.body) as response:
                    async for line in response.content:
                        lines.append((time.monotonic(), line))  # noqa: PERF401 - the stamp is the point
                load.take(start, lines)
                for _ in parsed(lines):
                    await asyncio.sleep(0)

        held = [asyncio.create_task(hold(number)) for number in range(load.streams)]
        await _watch(load.health)
        await asyncio.gather(*held)


async def _watch(health: Health) -> None:
    await asyncio.sleep(health.begin - time.monotonic())
    began, due = time.process_time(), time.monotonic()
    while due < health.end:
        due = time.monotonic() + HEARTBEAT
        await asyncio.sleep(HEARTBEAT)
        health.late.append(time.monotonic() - due)
    health.cpu = (time.process_time() - began) / (time.monotonic() - health.begin)


CLIENTS: dict[str, Callable[[Closed], None]] = {
    "locust-readline": under_locust(readline),
    "locust-iter_lines": under_locust(iter_lines),
    "aiohttp": with_aiohttp,
}


def main() -> None:
    """Hold the streams, write the report."""
    drive = CLIENTS[sys.argv.pop(1)]
    options = _parser().parse_args()
    pin(options.cpu)
    quiet()
    load = Closed(options)
    drive(load)
    options.out.write_text(json.dumps(load.report()), encoding="utf-8")


if __name__ == "__main__":
    main()
