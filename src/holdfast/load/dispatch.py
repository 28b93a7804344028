"""The open loop: every arrival is offered at its due time, whatever the server does; nothing waits for an answer."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Final

import gevent
from gevent.event import Event
from gevent.pool import Group

from holdfast.load.endpoint import CHAT
from holdfast.load.pacer import Pacer
from holdfast.load.prompt import Prompts
from holdfast.load.questions import RIGHT, check
from holdfast.load.record import Beat, RequestRecord
from holdfast.load.seen import asked, seen
from holdfast.load.turn import SEND, breathe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from holdfast.load.endpoint import Endpoint
    from holdfast.load.questions import Question
    from holdfast.load.record import RecordWriter
    from holdfast.load.sse import Answer
    from holdfast.load.transport import Client, Exchange
    from holdfast.model.load import Arrival, LoadProfile

BEAT: Final = 0.25
"""Seconds between two beats in the record."""
PROBE: Final = 0.01
"""Seconds between two looks at the loop's lateness."""
TURN: Final = 0.002
"""Seconds after which a loop that is behind its schedule lets the requests under way have a turn."""
GRACE: Final = 0.5
"""Seconds after the last request's own deadline, for its record to be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One run's load: what to offer, from when, and to whom it is told. `epoch` is a time.monotonic() second."""

    profile: LoadProfile
    arrivals: Sequence[Arrival]
    seed: int
    length: float
    epoch: float
    api_key: str | None
    record: RecordWriter | None
    tell: Callable[[RequestRecord], None]
    endpoint: Endpoint = CHAT
    questions: Sequence[Question] = ()
    notes: Sequence[str] = ()
    """What a reader of the record must know of how the schedule was made."""
    until: Callable[[], float] = lambda: math.inf
    """Asked before each request: the second from the epoch from which on nothing more is to be offered."""


class Dispatcher:
    """Offers one Work, once.

    The greenlet that waited for an arrival's time becomes its request, and another waits for the next one
    (Leader/Followers: Schmidt et al., "Pattern-Oriented Software Architecture" 2, 2000). A request that was handed to a
    greenlet of its own would leave only after all reads of that turn of the loop, and after the next body was made.
    """

    def __init__(self, work: Work, client: Client) -> None:
        self._work, self._client = work, client
        self._prompts = Prompts(work.seed, [question.prompt for question in work.questions])
        self._requests = Group()
        self._over = Event()
        self._open: dict[int, tuple[Arrival, float]] = {}
        self._rested = 0.0
        self._offered = self._sent = self._dropped = 0
        self._length = work.length
        self._errors: list[BaseException] = []

    @property
    def planned(self) -> int:
        """How many requests will be offered when nothing comes between."""
        return len(self._work.arrivals)

    def run(self) -> None:
        """Return when the schedule is done, or cut, and drained.

        When killed before, what is in flight is recorded as unfinished. Raises OSError when the record cannot be
        written, or when requests were still to be offered when the last of them should long have ended; and whatever
        else broke inside a request's greenlet. It offers nothing more after that: a load with silent holes is no load.
        """
        self._begin()
        beats = gevent.spawn(self._beats)
        beats.link_exception(self._broke)
        try:
            self._offer_all()
            if not self._errors:
                self._requests.join(timeout=max(0.0, self._now_left()))
        finally:
            beats.kill()
            self._requests.kill()
            self._end()
        if self._errors:
            raise self._errors[0]

    def _begin(self) -> None:
        work = self._work
        if work.record:
            wall = time.time() - time.monotonic() + work.epoch
            work.record.start(
                planned=self.planned,
                seed=work.seed,
                epoch_monotonic=work.epoch,
                epoch_wall=wall,
                profile=work.profile,
                notes=work.notes,
            )

    def _offer_all(self) -> None:
        self._hand_on(self._dues())
        self._over.wait()

    def _dues(self) -> Iterator[tuple[Arrival, bytes]]:
        """Each arrival and its body when its time has come; ends with the schedule, or where that is cut."""
        with Pacer(SEND) as pacer:
            for arrival in self._work.arrivals:
                # The body is made before its time, so that making it does not make the request late.
                body = self._body(arrival)
                if not self._reaches(arrival.due, pacer):
                    return
                yield arrival, body
            self._reaches(self._work.length, pacer)

    def _hand_on(self, dues: Iterator[tuple[Arrival, bytes]]) -> None:
        self._requests.spawn(self._lead, dues).link_exception(self._broke)

    def _lead(self, dues: Iterator[tuple[Arrival, bytes]]) -> None:
        """Wait for the next arrival's time, hand on the schedule, and be that arrival's request."""
        try:
            due = next(dues, None)
        except OSError as error:
            self._stop(error)
            return
        if due is None:
            self._over.set()
        elif not self._errors:
            self._hand_on(dues)
            self._offer(*due)

    def _body(self, arrival: Arrival) -> bytes:
        return self._work.endpoint.body(self._prompts, arrival, self._model(arrival))

    def _reaches(self, due: float, pacer: Pacer) -> bool:
        """Wait until second `due`; or, once the load is cut at or before it, until then only, and say False."""
        while True:
            self._length = min(self._length, self._work.until())
            if self._length < self._work.length and self._length <= due:
                pacer.until(self._work.epoch + self._length)
                return False
            instant, now = self._work.epoch + due, time.monotonic()
            if instant <= now:
                self._rest(now)
                return True
            pacer.until(min(instant, now + BEAT))
            self._rested = time.monotonic()

    def _rest(self, now: float) -> None:
        """Behind the schedule, nothing ever waits for a due time: without this, no request would be sent at all."""
        if now - self._rested < TURN:
            return
        breathe()
        self._rested = time.monotonic()
        if self._now_left() < 0:
            raise TimeoutError(f"this machine is too slow: {self._offered} of {self.planned} requests offered in time")

    def _offer(self, arrival: Arrival, body: bytes) -> None:
        number = arrival.number
        self._offered += 1
        if len(self._open) >= self._work.profile.max_in_flight:
            self._dropped += 1
            error = f"{len(self._open)} in flight already"
            self._write(RequestRecord(outcome="dropped", error=error, **asked(number, arrival, self._model(arrival))))
            return
        self._sent += 1
        self._request(number, arrival, body)

    def _request(self, number: int, arrival: Arrival, body: bytes) -> bool:
        """One request, from the network to its record; whether all went well."""
        work = self._work
        self._open[number] = arrival, time.monotonic()
        exchange = work.endpoint.send(self._client, body, self._headers(number))
        answer = self._read(exchange)
        del self._open[number]
        known = asked(number, arrival, self._model(arrival))
        record = seen(exchange, answer, known, epoch=work.epoch, wanted=work.endpoint.wanted)
        if record.outcome == "ok" and arrival.question is not None and work.questions[arrival.question].expect:
            record.content = check(work.questions[arrival.question].expect, answer.said_aloud) or RIGHT
        if record.outcome == "dropped":
            # This machine had no port or file left for it: it was never sent.
            self._sent, self._dropped = self._sent - 1, self._dropped + 1
        self._write(self._without_key(record))
        return record.outcome == "ok"

    def _read(self, exchange: Exchange) -> Answer:
        reading = self._work.endpoint.reading(exchange)
        while (answer := next(reading)) is None:
            breathe()
        return answer

    def _headers(self, number: int) -> dict[str, str]:
        headers = {"x-request-id": f"{self._work.seed}-{number}"}
        return headers | ({"authorization": f"Bearer {self._work.api_key}"} if self._work.api_key else {})

    def _model(self, arrival: Arrival) -> str:
        return arrival.model or self._work.profile.model

    def _end(self) -> None:
        work = self._work
        for number, (arrival, sent) in sorted(self._open.items(), key=itemgetter(0)):
            known = asked(number, arrival, self._model(arrival)) | {"sent": self._since(sent)}
            self._write(RequestRecord(outcome="unfinished", error="the run ended before it did", **known))
        self._open.clear()
        if work.record:
            work.record.end(
                t=self._since(time.monotonic()), planned=self.planned, sent=self._sent, dropped=self._dropped
            )

    def _beats(self) -> None:
        last = due = time.monotonic()
        wanted, last_cpu, lag = last + BEAT, time.process_time(), 0.0
        with Pacer() as pacer:
            while True:
                due = max(due + PROBE, time.monotonic())
                pacer.until(due)
                now = time.monotonic()
                lag = max(lag, now - due)
                if now >= wanted:
                    cpu = time.process_time()
                    self._beat(now, lag, (cpu - last_cpu) / (now - last))
                    last, last_cpu, lag = now, cpu, 0.0
                    wanted = max(wanted + BEAT, now)

    def _beat(self, now: float, lag: float, cpu: float) -> None:
        if self._work.record:
            self._work.record.beat(
                Beat(
                    t=self._since(now),
                    lag=round(lag, 6),
                    cpu=round(cpu, 4),
                    in_flight=len(self._open),
                    offered=self._offered,
                    sent=self._sent,
                )
            )

    def _write(self, record: RequestRecord) -> None:
        if self._work.record:
            self._work.record.request(record)
        self._work.tell(record)

    def _broke(self, greenlet: gevent.Greenlet) -> None:
        if greenlet.exception is not None:
            self._stop(greenlet.exception)

    def _stop(self, error: BaseException) -> None:
        self._errors.append(error)
        self._over.set()

    def _without_key(self, record: RequestRecord) -> RequestRecord:
        key = self._work.api_key
        return replace(record, error=record.error.replace(key, "***")) if key and key in record.error else record

    def _now_left(self) -> float:
        """Seconds until every request must have met its own deadline."""
        return self._work.epoch + self._length + self._work.profile.timeout + GRACE - time.monotonic()

    def _since(self, instant: float) -> float:
        return round(instant - self._work.epoch, 6)
