"""The client under test, in a process of its own: Locust's user, our dispatcher and transport, and what they saw.

Nothing here is a stand-in: the schedule is paced, answers are parsed and recorded, and Locust hears of each, as in any
load test. Only the transport is watched, and what it gave is looked at when the load is over.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from array import array
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import gevent
from gevent.event import AsyncResult
from locust import User
from locust.env import Environment
from locust.exception import StopUser

from holdfast.load.dispatch import Dispatcher, Work
from holdfast.load.pacer import Pacer
from holdfast.load.record import RecordWriter
from holdfast.load.selftest.server import Pace, pin
from holdfast.load.selftest.stamps import Sighting, Spread, errors_of, spread, streams_of
from holdfast.load.transport import Client, Deadlines
from holdfast.model.load import LoadProfile, schedule
from holdfast.units import duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.load.record import RequestRecord
    from holdfast.load.transport import Exchange

HEARTBEAT: Final = 0.005
"""Seconds between two looks at the loop's lateness."""
SETTLE: Final = 1.0
"""Seconds dropped once all streams are open."""
_SOON: Final = 0.3
_SPARE: Final = 100
"""Streams that may be open beyond twice those wanted: a client that falls behind is not to be throttled at once."""


@dataclass(slots=True)
class Watched:
    """The real transport, and what it gave; keeping it costs some 10 µs a stream, parsing it here would cost 100."""

    client: Client
    seen: list[Sighting] = field(default_factory=list)
    failed: int = 0

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Exchange:
        """As `Client.post`."""
        start = time.monotonic()
        exchange = self.client.post(path, body, headers)
        if exchange.failure or exchange.status != 200:  # noqa: PLR2004
            self.failed += 1
        else:
            self.seen.append(sighting(start, exchange.chunks))
        return exchange

    def close(self) -> None:
        """As `Client.close`."""
        self.client.close()


def sighting(start: float, chunks: tuple[tuple[float, bytes], ...]) -> Sighting:
    """One answer, without an object a read for the collector to look at."""
    seconds = array("d", [second for second, _ in chunks])
    return Sighting(
        start, seconds, array("L", [len(data) for _, data in chunks]), b"".join([data for _, data in chunks])
    )


@dataclass(slots=True)
class Health:
    """The process's own state within a window of monotonic seconds: CPU, and how late its loop wakes."""

    begin: float
    end: float
    cpu: float | None = None
    late: array[float] = field(default_factory=lambda: array("d"))

    def watch(self) -> None:
        """Return when the window is over."""
        with Pacer() as pacer:
            pacer.until(self.begin)
            began, due = time.process_time(), self.begin
            while due < self.end:
                due = max(due + HEARTBEAT, time.monotonic())
                pacer.until(due)
                self.late.append(time.monotonic() - due)
            self.cpu = (time.process_time() - began) / (time.monotonic() - self.begin)

    def lag(self) -> Spread:
        """Lateness of the loop in seconds."""
        import numpy as np  # noqa: PLC0415 - not while the load runs

        return spread(np.frombuffer(self.late, dtype=np.float64))


class ClosedSet:
    """`streams` answers open at any time: one begins each time one ends, evenly spread over an answer's length."""

    def __init__(self, url: str, streams: int, pace: Pace, seconds: float) -> None:
        self.warm, self.seconds = pace.seconds + SETTLE, seconds
        rate = streams / pace.seconds
        self.profile = LoadProfile(
            name="selftest",
            arrivals="constant",
            rate=rate,
            prompt_tokens=16,
            answer_tokens=pace.tokens,
            spread=0.0,
            trace=None,
            speed=1.0,
            max_in_flight=2 * streams + _SPARE,
            timeout=pace.seconds + 30,
            model="stamped",
        )
        patience = self.profile.timeout
        limits = Deadlines(connect=5.0, first_byte=patience, gap=patience, total=patience)
        self.watched = Watched(Client(url, deadlines=limits))
        self.refused = 0

    def offer(self, environment: Environment, record: Path) -> Health:
        """Offer it all, and give the process's health in the window that counts."""
        length = self.warm + self.seconds
        writer, epoch = RecordWriter(record), time.monotonic() + _SOON
        health = Health(epoch + self.warm, epoch + length)
        heart = gevent.spawn(health.watch)
        work = Work(
            profile=self.profile,
            arrivals=schedule(self.profile, seed=1, length=length),
            seed=1,
            length=length,
            epoch=epoch,
            api_key=None,
            record=writer,
            tell=lambda record: self._tell(environment, record),
        )
        try:
            Dispatcher(work, self.watched).run()  # type: ignore[arg-type]  # it asks for `post` alone
            heart.join()
        finally:
            heart.kill()
            self.watched.close()
            writer.close()
        return health

    def _tell(self, environment: Environment, record: RequestRecord) -> None:
        """Locust's statistics, as any load test keeps them."""
        self.refused += record.outcome == "dropped"
        environment.events.request.fire(
            request_type="POST", name="selftest", response_time=1.0, response_length=0, exception=None, context={}
        )


def report(load: ClosedSet, health: Health) -> dict[str, Any]:
    """What the parent reads: errors, health, and what went wrong, seconds everywhere."""
    streams = streams_of(load.watched.seen)
    return {
        "errors": asdict(errors_of(streams, health.begin, health.end)),
        "cpu": health.cpu,
        "lag": asdict(health.lag()),
        "answers": len(load.watched.seen),
        "failed": load.watched.failed,
        "refused": load.refused,
    }


class LoadBrokeError(Exception):
    """The load ended by an error of its own, which is its cause."""


def run(load: ClosedSet) -> dict[str, Any]:
    """Offer the load as Locust's only user, and report. Raises LoadBrokeError."""
    ended = AsyncResult()

    class Watcher(User):  # type: ignore[misc]  # Locust's User is untyped
        fixed_count = 1

        def offer(self) -> None:
            try:
                ended.set(_offered(load, self.environment))
            except Exception as error:  # noqa: BLE001 - Locust would log it and begin again; it is raised below
                ended.set_exception(error)
            raise StopUser

        tasks = (offer,)

    environment = Environment(user_classes=[Watcher])
    environment.parsed_options = SimpleNamespace()
    runner = environment.create_local_runner()
    runner.start(1, spawn_rate=1)
    try:
        health = ended.get()
    except Exception as error:
        raise LoadBrokeError(str(error)) from error
    finally:
        runner.quit()
    return report(load, health)


def _offered(load: ClosedSet, environment: Environment) -> Health:
    quiet()
    with TemporaryDirectory(prefix="holdfast-selftest-") as folder:
        return load.offer(environment, Path(folder) / "load.ndjson")


def quiet() -> None:
    """The collector as a load test has it: off. With 400 streams open a single look takes it 10 ms."""
    gc.collect()
    gc.disable()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Holds streams open at a stamped server, and reports its own errors.")
    parser.add_argument("--url", required=True, help="the stamped server")
    parser.add_argument("--streams", type=int, required=True, help="answers open at any time")
    parser.add_argument("--tokens", type=int, required=True, help="events of an answer")
    parser.add_argument("--first", type=duration, required=True, help="the server's time to the first")
    parser.add_argument("--gap", type=duration, required=True, help="and between two")
    parser.add_argument("--seconds", type=float, required=True, help="how long to look")
    parser.add_argument("--cpu", type=int, help="stay on this CPU")
    parser.add_argument("--out", type=Path, required=True, help="JSON")
    return parser


def main() -> None:
    """Read the options, offer the load, write the report."""
    options = _parser().parse_args()
    pin(options.cpu)
    pace = Pace(tokens=options.tokens, first=options.first, gap=options.gap)
    found = run(ClosedSet(options.url, options.streams, pace, options.seconds))
    options.out.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
