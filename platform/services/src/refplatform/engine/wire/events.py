"""An answer as a sequence of events that somebody may hold back, change or drop before they are sent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from refplatform.engine.wire.frames import DONE, Frames
from refplatform.engine.wire.whole import whole

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from refplatform import asgi
    from refplatform.engine.stream import Stream
    from refplatform.engine.wire.ask import Answer

Kind: TypeAlias = Literal["opening", "token", "finish", "usage", "done", "whole"]


@dataclass(frozen=True, slots=True)
class Event:
    """What goes out at once. `finish` is the token that carries the reason; `whole` an answer that is not streamed."""

    kind: Kind
    data: bytes


class Shaper(Protocol):
    """Makes other events of the events of one answer: waits, drops, changes, or raises CutError."""

    def __call__(self, events: AsyncIterator[Event], /) -> AsyncIterator[Event]:
        """The events that are sent."""


class Faults(Protocol):
    """Says which answers are touched."""

    def of(self, answer: Answer, headers: Iterable[tuple[bytes, bytes]]) -> Shaper | None:
        """What to do to this answer to a request with these headers; None leaves it on the fast path."""


class NoFaults:
    """Leaves every answer alone."""

    def of(self, _answer: Answer, _headers: Iterable[tuple[bytes, bytes]]) -> Shaper | None:
        """Nothing."""
        return None


class CutError(Exception):
    """The connection is to be closed here, in the middle of the answer."""


class RefusedError(Exception):
    """The answer is to be this status, this error and these headers instead."""

    def __init__(self, status: int, body: dict[str, dict[str, object]], headers: asgi.Headers = ()) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers


async def events(answer: Answer, streams: Sequence[Stream], *, tell_cached: bool = False) -> AsyncIterator[Event]:
    """The events of an answer as its tokens come, its choices interleaved. Raises AbortedError."""
    if answer.body.stream:
        async for event in _streamed(answer, streams, tell_cached=tell_cached):
            yield event
        return
    for choice, stream in zip(answer.choices, streams, strict=True):
        await stream.more_than(len(choice.said.tokens) - 1)
    yield Event("whole", whole(answer, cached_of(streams) if tell_cached else None))


def cached_of(streams: Sequence[Stream]) -> int:
    """Tokens that the first stream found in the prefix cache."""
    return streams[0].sequence.cached


async def _streamed(answer: Answer, streams: Sequence[Stream], *, tell_cached: bool) -> AsyncIterator[Event]:
    frames = [Frames(answer, choice) for choice in answer.choices]
    sent = [0] * len(frames)
    open_ones = dict(enumerate(streams))
    opened = False
    while open_ones:
        await _any_more(open_ones, sent)
        if not opened and answer.chat:
            yield Event("opening", b"".join(one.opening() for one in frames))
        opened = True
        # A token of each in turn, as they were made.
        while behind := [index for index, stream in open_ones.items() if sent[index] < stream.sequence.emitted]:
            for index in behind:
                last = sent[index] == frames[index].last
                yield Event("finish" if last else "token", frames[index].token(sent[index]))
                sent[index] += 1
                if last:
                    del open_ones[index]
    closing = frames[0].closing(cached_of(streams) if tell_cached else None)
    if counts := closing.removesuffix(DONE):
        yield Event("usage", counts)
    yield Event("done", DONE)


async def _any_more(streams: dict[int, Stream], sent: list[int]) -> None:
    """Wait until one of the streams has more than was sent. Raises AbortedError."""
    if len(streams) == 1:
        ((index, stream),) = streams.items()
        await stream.more_than(sent[index])
        return
    waits = [asyncio.ensure_future(stream.more_than(sent[index])) for index, stream in streams.items()]
    try:
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            one.result()
    finally:
        for one in waits:
            one.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
