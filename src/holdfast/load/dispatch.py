"""The open loop: every arrival is offered at its due time, whatever the server does; nothing waits for an answer."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import gevent
from gevent.pool import Group

from holdfast.load.outcome import outcome_of
from holdfast.load.pacer import Pacer
from holdfast.load.prompt import Prompts, chat_body
from holdfast.load.record import Beat, RequestRecord
from holdfast.load.sse import Answer, AnswerReader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from holdfast.load.record import RecordWriter
    from holdfast.load.transport import Client, Exchange
    from holdfast.model.load import Arrival, LoadProfile

PATH: Final = "/v1/chat/completions"
BEAT: Final = 0.25
"""Seconds between two beats in the record."""
PROBE: Final = 0.01
"""Seconds between two looks at the loop's lateness."""
SLICE: Final = 32
"""Reads parsed at a stretch: json takes some 4 µs a token, and all other stamps wait for it."""
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
    until: Callable[[], float] = lambda: math.inf
    """Asked before each request: the second from the epoch from which on nothing more is to be offered."""


class Dispatcher:
    """Offers one Work, once."""

    def __init__(self, work: Work, client: Client) -> None:
        self._work, self._client = work, client
        self._prompts = Prompts(work.seed)
        self._requests = Group()
        self._open: dict[int, float | None] = {}
        self._offered = self._sent = self._dropped = 0
        self._length = work.length
        self._errors: list[BaseException] = []

    def run(self) -> None:
        """Return when the schedule is done, or cut, and drained.

        When killed before, what is in flight is recorded as unfinished. Raises OSError when the record cannot be
        written, and whatever else broke inside a request's greenlet, and offers nothing more after that: a load with
        silent holes is no load.
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
                planned=len(work.arrivals),
                seed=work.seed,
                epoch_monotonic=work.epoch,
                epoch_wall=wall,
                profile=work.profile,
            )

    def _offer_all(self) -> None:
        work = self._work
        with Pacer() as pacer:
            for number, arrival in enumerate(work.arrivals):
                # The body is made before its time, so that making it does not make the request late.
                body = chat_body(self._prompts.text(number, arrival.prompt_tokens), arrival, work.profile.model)
                if not self._reaches(arrival.due, pacer) or self._errors:
                    return
                self._offer(number, body)
            self._reaches(work.length, pacer)

    def _reaches(self, due: float, pacer: Pacer) -> bool:
        """Wait until second `due`; or, once the load is cut at or before it, until then only, and say False."""
        while True:
            self._length = min(self._length, self._work.until())
            if self._length < self._work.length and self._length <= due:
                pacer.until(self._work.epoch + self._length)
                return False
            instant, now = self._work.epoch + due, time.monotonic()
            if instant <= now:
                return True
            pacer.until(min(instant, now + BEAT))

    def _offer(self, number: int, body: bytes) -> None:
        self._offered += 1
        if len(self._open) >= self._work.profile.max_in_flight:
            self._dropped += 1
            error = f"{len(self._open)} in flight already"
            self._write(RequestRecord(outcome="dropped", error=error, **self._asked(number)))
            return
        self._sent += 1
        self._open[number] = None
        self._requests.spawn(self._request, number, body).link_exception(self._broke)

    def _request(self, number: int, body: bytes) -> None:
        self._open[number] = sent = time.monotonic()
        exchange = self._client.post(PATH, body, self._headers(number))
        answer = _read(exchange)
        del self._open[number]
        self._write(self._ended(number, sent, exchange, answer))

    def _headers(self, number: int) -> dict[str, str]:
        headers = {
            "content-type": "application/json",
            "accept": "text/event-stream",
            "x-request-id": f"{self._work.seed}-{number}",
        }
        return headers | ({"authorization": f"Bearer {self._work.api_key}"} if self._work.api_key else {})

    def _asked(self, number: int) -> dict[str, Any]:
        arrival = self._work.arrivals[number]
        return {
            "id": number,
            "due": arrival.due,
            "prompt_tokens": arrival.prompt_tokens,
            "asked_tokens": arrival.answer_tokens,
            "model": self._work.profile.model,
        }

    def _ended(self, number: int, sent: float, exchange: Exchange, answer: Answer) -> RequestRecord:
        outcome, error = outcome_of(exchange, answer)
        usage, tokens = answer.usage or {}, answer.tokens
        asked = self._asked(number)
        return RequestRecord(
            **asked | {"prompt_tokens": usage.get("prompt_tokens", asked["prompt_tokens"])},
            sent=self._since(sent),
            first=self._since(tokens[0].time) if tokens else None,
            last=self._since(tokens[-1].time) if tokens else None,
            done=self._since(exchange.ended if answer.done is None else answer.done),
            status=exchange.status,
            outcome=outcome,
            error=self._without_key(error),
            tokens=usage.get("completion_tokens", len(tokens)),
            max_gap=None if answer.max_gap is None else round(answer.max_gap, 6),
        )

    def _end(self) -> None:
        work = self._work
        for number, sent in sorted(self._open.items()):
            at = None if sent is None else self._since(sent)
            self._write(
                RequestRecord(**self._asked(number), sent=at, outcome="unfinished", error="the run ended before it did")
            )
        self._open.clear()
        if work.record:
            work.record.end(
                t=self._since(time.monotonic()), planned=len(work.arrivals), sent=self._sent, dropped=self._dropped
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
            self._errors.append(greenlet.exception)

    def _without_key(self, text: str) -> str:
        return text.replace(self._work.api_key, "***") if self._work.api_key else text

    def _now_left(self) -> float:
        """Seconds until every request must have met its own deadline."""
        return self._work.epoch + self._length + self._work.profile.timeout + GRACE - time.monotonic()

    def _since(self, instant: float) -> float:
        return round(instant - self._work.epoch, 6)


def _read(exchange: Exchange) -> Answer:
    reader = AnswerReader()
    for count, (instant, data) in enumerate(exchange.chunks, start=1):
        reader.feed(instant, data)
        if count % SLICE == 0:
            gevent.sleep(0)
    return reader.finish()
