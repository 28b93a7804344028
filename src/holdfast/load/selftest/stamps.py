"""The client's own error, from stamps of both ends on one clock: pure arithmetic, no matter what client read them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_EVENT: Final = re.compile(rb'"arrived":(\d+),"due": *(\d+),"sent": *(\d+)\}\n\n')
_NANO: Final = 1e9


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a client saw of one stream: when it turned to the network, its reads' seconds and sizes, all their bytes.

    Seconds of CLOCK_MONOTONIC. `seconds[i]` is when a read returned the next `sizes[i]` bytes of `body`.
    """

    start: float
    seconds: Sequence[float]
    sizes: Sequence[int]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """Every event of many streams, in the order of streams, then of events; seconds of CLOCK_MONOTONIC.

    `begins` marks the first event of each stream, `start` repeats the stream's for each of its events.
    """

    start: Floats
    arrived: Floats
    due: Floats
    sent: Floats
    seen: Floats
    begins: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A distribution in three figures, in seconds; `count` of zero knows nothing and the others are None."""

    count: int
    p50: float | None
    p99: float | None
    max: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """How far the client's times are from the truth, and how late the server was itself, over the same events.

    `recv`: seen - sent. `itl`: |(seen - seen before) - (sent - sent before)|. `ttft`: (seen - start) - (sent - arrived)
    of first events. `server`: sent - due.
    """

    recv: Spread
    itl: Spread
    ttft: Spread
    server: Spread


def streams_of(sightings: Sequence[Sighting]) -> Streams:
    """The events in what was seen. An event is seen when the read that completed it returned, as a client must see it.

    Raises:
        ValueError: a stream holds no stamped event.
    """
    parts = [_stream(one) for one in sightings]
    if not parts:
        return Streams(
            **dict.fromkeys(("start", "arrived", "due", "sent", "seen"), np.zeros(0)), begins=np.zeros(0, bool)
        )
    start, arrived, due, sent, seen = np.concatenate(parts, axis=1)
    begins = np.concatenate([np.arange(part.shape[1]) == 0 for part in parts])
    return Streams(start=start, arrived=arrived, due=due, sent=sent, seen=seen, begins=begins)


def _stream(one: Sighting) -> Floats:
    found = [(int(at[1]), int(at[2]), int(at[3]), at.end()) for at in _EVENT.finditer(one.body)]
    if not found:
        raise ValueError(f"a stream of {len(one.body)} bytes holds no stamped event")
    table = np.array(found, dtype=np.int64)
    reads = np.searchsorted(np.cumsum(np.asarray(one.sizes, dtype=np.int64)), table[:, 3])
    seen = np.asarray(one.seconds, dtype=np.float64)[reads]
    arrived, due, sent = (table[:, column] / _NANO for column in range(3))
    return np.stack([np.full(len(found), one.start), arrived, due, sent, seen])


def errors_of(streams: Streams, begin: float, end: float) -> Errors:
    """Errors of the events sent from second `begin` on and before `end`; an event's interval needs the one before."""
    counted = (streams.sent >= begin) & (streams.sent < end)
    follows = ~streams.begins & counted
    firsts = streams.begins & counted
    between = np.abs(np.diff(streams.seen, prepend=0.0) - np.diff(streams.sent, prepend=0.0))
    waited = (streams.seen - streams.start) - (streams.sent - streams.arrived)
    return Errors(
        recv=spread((streams.seen - streams.sent)[counted]),
        itl=spread(between[follows]),
        ttft=spread(waited[firsts]),
        server=spread((streams.sent - streams.due)[counted]),
    )


def spread(values: Floats) -> Spread:
    """Median, 99th percentile (the smallest value that 99 % do not exceed) and maximum."""
    if not len(values):
        return Spread(count=0, p50=None, p99=None, max=None)
    p50, p99 = np.quantile(values, [0.5, 0.99], method="inverted_cdf")
    return Spread(count=len(values), p50=float(p50), p99=float(p99), max=float(values.max()))
