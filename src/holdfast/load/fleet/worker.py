"""A worker's side: it learns the master's clock, offers one share of the schedule and keeps nothing of what it saw."""

from __future__ import annotations

import math
import os
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

import gevent
from gevent.event import AsyncResult

from holdfast.load.fleet.messages import (
    CLOCK,
    CUT,
    GO,
    LEFT,
    LINES,
    READY,
    SILENCE,
    START,
    Go,
    Left,
    Ready,
    fingerprint,
)
from holdfast.load.offset import Offset, RoundTrip, offset_of
from holdfast.load.record import RecordWriter
from holdfast.model.load import shard

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from locust.env import Environment

    from holdfast.load.record import Beat
    from holdfast.model.load import LoadProfile, Schedule

TRIPS: Final = 16
"""Round trips that bound the offset; the bound is no wider than the quickest of them."""
FLUSH: Final = 0.25
"""Seconds between two batches of lines."""
MOST: Final = 1 << 20
"""Bytes of lines that make a batch of their own."""


class MasterLostError(OSError):
    """Nobody is there who would write the record: what is offered now, nobody knows of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one process offers of a load, and to whom it is told. `epoch` is a second of this machine's clock."""

    profile: LoadProfile
    arrivals: Schedule
    epoch: float
    record: RecordWriter | None
    until: Callable[[], float]


class Batches(RecordWriter):
    """The record of a worker: lines on their way to the master. `send` gets the batch's number and the lines."""

    def __init__(self, send: Callable[[int, bytes], None], worker: int) -> None:
        self._send, self._worker = send, worker
        self._lines: list[bytes] = []
        self._size = self.batches = self.sent = self.dropped = 0

    def start(self, **_: object) -> None:
        """The master has said it."""

    def beat(self, beat: Beat) -> None:
        """As of one process, with the worker's number."""
        self._write("beat", {**asdict(beat), "worker": self._worker})

    def end(self, *, t: float, planned: int, sent: int, dropped: int) -> None:  # noqa: ARG002 - the master knows them
        """Kept for the last word: the end of one worker is not the end of the load."""
        self.sent, self.dropped = sent, dropped

    def close(self) -> None:
        """Send what is left."""
        self.flush()

    def flush(self) -> None:
        """Send what there is."""
        if self._lines:
            lines, self._lines, self._size = b"\n".join(self._lines), [], 0
            number, self.batches = self.batches, self.batches + 1
            self._send(number, lines)

    def _put(self, line: bytes) -> None:
        self._lines.append(line)
        self._size += len(line)
        if self._size > MOST:
            self.flush()


class Member:
    """One worker of the fleet; a context manager that tells the master how it ended. It joins once."""

    def __init__(self, environment: Environment) -> None:
        self._runner = environment.runner
        self._answers: dict[float, AsyncResult[RoundTrip]] = {}
        self._go: AsyncResult[Go] = AsyncResult()
        self._cut, self._claimed = math.inf, False
        self._heard = time.monotonic()
        # A forked worker sees at once when its master dies; on another machine only its silence tells.
        self.forked = bool(environment.parsed_options.processes)
        self._parent = os.getppid()
        self._record: Batches | None = None
        self._flusher: gevent.Greenlet | None = None
        # A key does not travel: each machine has its own.
        self._key: str | None = environment.parsed_options.api_key
        environment.events.heartbeat_received.add_listener(self._on_heartbeat)
        for kind, listener in ((CLOCK, self._on_clock), (GO, self._on_go), (CUT, self._on_cut)):
            self._runner.register_message(kind, listener)

    def claim(self) -> bool:
        """Whether the caller is the first to ask: whatever other user Locust moves here later has nothing to offer."""
        claimed, self._claimed = self._claimed, True
        return not claimed

    def api_key(self, masters: str | None) -> str | None:
        """This machine's key. Raises OSError when the master says, by any text, that there is one, and none is here."""
        if masters and not self._key:
            raise OSError("the master has an API key and this worker has none: set HOLDFAST_API_KEY here too")
        return self._key

    def join(self, profile: LoadProfile, arrivals: Schedule) -> Share:
        """Wait for the word to begin; this worker's share. Raises OSError when the master does not answer in time."""
        offset = self._offset()
        ready = Ready(
            index=self._runner.worker_index,
            offset=offset.seconds,
            uncertainty=offset.uncertainty,
            schedule=fingerprint(arrivals),
        )
        self._runner.send_message(READY, asdict(ready))
        go: Go = self._waited(self._go, START)
        self._record = Batches(self._send, go.share)
        self._flusher = gevent.spawn(self._flushes, self._record)
        whole, rest = divmod(profile.max_in_flight, go.of)
        return Share(
            profile=replace(profile, max_in_flight=whole + (go.share < rest)),
            arrivals=shard(arrivals, go.share, go.of),
            epoch=offset.ours(go.epoch),
            record=self._record,
            until=self._until,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._flusher:
            self._flusher.kill()
        if isinstance(error, MasterLostError):
            gevent.spawn(self._runner.quit)
            return
        if self._record:
            self._record.flush()
        record, again = self._record, self._offset() if kind is None else None
        left = Left(
            sent=record.sent if record else 0,
            dropped=record.dropped if record else 0,
            batches=record.batches if record else 0,
            error="" if kind is None else str(error) or "told to stop before its end",
            offset=again.seconds if again else None,
            uncertainty=again.uncertainty if again else None,
        )
        self._runner.send_message(LEFT, asdict(left))

    def _until(self) -> float:
        self._check_master()
        if self._flusher and self._flusher.exception:
            raise OSError("what was seen could not be sent to the master") from self._flusher.exception
        return self._cut

    def _check_master(self) -> None:
        if self.forked and os.getppid() != self._parent:
            raise MasterLostError("the master is gone")
        if time.monotonic() - self._heard > SILENCE:
            raise MasterLostError(f"the master was silent for {SILENCE:g} s")

    def _flushes(self, record: Batches) -> None:
        while True:
            gevent.sleep(FLUSH)
            record.flush()

    def _send(self, number: int, lines: bytes) -> None:
        self._runner.send_message(LINES, {"number": number, "lines": lines})

    def _offset(self) -> Offset:
        return offset_of([self._trip() for _ in range(TRIPS)])

    def _trip(self) -> RoundTrip:
        answer: AsyncResult[RoundTrip] = AsyncResult()
        asked = time.monotonic()
        self._answers[asked] = answer
        try:
            self._runner.send_message(CLOCK, {"asked": asked})
            trip: RoundTrip = self._waited(answer, SILENCE)
            return trip
        finally:
            del self._answers[asked]

    def _waited(self, answer: AsyncResult[Any], seconds: float) -> Any:
        try:
            return answer.get(timeout=seconds)
        except gevent.Timeout:
            raise MasterLostError(f"the master did not answer within {seconds:g} s") from None

    def _on_clock(self, msg: Any, **_: object) -> None:
        heard = time.monotonic()
        answer = self._answers.get(msg.data["asked"])
        if answer:
            answer.set(RoundTrip(asked=msg.data["asked"], there=msg.data["there"], heard=heard))

    def _on_go(self, msg: Any, **_: object) -> None:
        self._go.set(Go(**msg.data))

    def _on_cut(self, msg: Any, **_: object) -> None:
        self._cut = float(msg.data["until"])

    def _on_heartbeat(self, **_: object) -> None:
        self._heard = time.monotonic()
