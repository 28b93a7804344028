"""What the load is doing right now, from the end of its growing record: each line once, in bounded memory."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, Final, Literal

from holdfast.load.prefix import Prefix
from holdfast.stats.sketch import Sketch
from holdfast.store.pieces import loads

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

WINDOW: Final = 5.0
"""Seconds that "now" means."""
SPAN: Final = 30
"""Seconds that a trend goes back."""
SILENT: Final = 2.0
"""Seconds without a beat, of which there are four a second, after which nothing is known of the client."""
SHORTFALL: Final = 0.01
"""Share of the planned requests that may be missing, as in `trust.load_offered`."""
_MOST: Final = 1000
"""Values of one second that its median is taken of; more would not move a picture eight steps high."""

Trend = tuple[float | None, ...]
"""Medians of the last whole seconds, in seconds, oldest first; None where nothing ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """Totals since the start, and rates and median time to first token over the last few seconds."""

    planned: int = 0
    offered: int = 0
    sent: int = 0
    good: int = 0
    bad: int = 0
    in_flight: int = 0
    offered_rate: float = 0.0
    sent_rate: float = 0.0
    ttft: float | None = None
    ttfts: Trend = ()
    gaps: Trend = ()
    """Mean time between two tokens of an answer, the median answer of each second."""
    errors: Mapping[str, int] = field(default_factory=dict)
    """Outcome -> requests, the most frequent first."""
    late: float | None = None
    """p99 of how late requests left, in seconds, since the start; within the accuracy of a `Sketch`."""
    lag: float | None = None
    """p95 of the worst lateness of the client's loop between two beats, likewise."""
    beat: float | None = None
    """Second of the last beat."""
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lamp:
    """May this load be judged, if it ended now? Green is no promise, only red is certain to spoil it if it stays."""

    color: Literal["green", "red", "grey"]
    why: str


def lamp(pulse: Pulse, t: float, limit: float) -> Lamp:
    """The light at second `t` for a client that may be `limit` seconds late (`trust.lateness_limit`)."""
    dropped = pulse.errors.get("dropped", 0)
    if pulse.planned and dropped > SHORTFALL * pulse.planned:
        return Lamp(color="red", why=f"load short: {dropped} of {pulse.planned} over the in-flight cap")
    if pulse.late is not None and not pulse.late <= limit:
        return Lamp(color="red", why=f"client late: p99 {_ms(pulse.late)}, limit {_ms(limit)}")
    if pulse.lag is not None and not pulse.lag <= limit:
        return Lamp(color="red", why=f"client loop late: p95 {_ms(pulse.lag)}, limit {_ms(limit)}")
    if pulse.late is None or pulse.lag is None or pulse.beat is None:
        return Lamp(color="grey", why="nothing is known yet")
    if not pulse.ended and t - pulse.beat > SILENT:
        return Lamp(color="grey", why=f"the client has been silent for {t - pulse.beat:.0f} s")
    return Lamp(color="green", why=f"client on time: p99 {_ms(pulse.late)}, limit {_ms(limit)}")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


@dataclass(slots=True)
class Medians:
    """The median of each of the last SPAN seconds; what is told late counts in the second in which it is told."""

    _known: deque[float | None] = field(default_factory=lambda: deque(maxlen=SPAN))
    _second: int | None = None
    _values: list[float] = field(default_factory=list)

    def turn(self, t: float) -> None:
        """Close the seconds before `t`; those in which nothing came are known to be empty."""
        if self._second is None:
            self._second = int(t)
        elif int(t) > self._second:
            self._known.append(median(self._values) if self._values else None)
            self._known.extend([None] * min(SPAN, int(t) - self._second - 1))
            self._second = int(t)
            self._values.clear()

    def take(self, t: float, value: float) -> None:
        """Count a value that is known since `t`."""
        self.turn(t)
        if len(self._values) < _MOST:
            self._values.append(value)

    def trend(self) -> Trend:
        """The whole seconds."""
        return tuple(self._known)


@dataclass(slots=True)
class Shares:
    """Quantiles of all values since the start, in the memory of one sketch."""

    _known: Sketch = field(default_factory=Sketch)
    _new: list[float] = field(default_factory=list)

    def take(self, value: float) -> None:
        """Count a value in seconds; one below zero counts as none."""
        self._new.append(max(0.0, value))

    def settle(self) -> None:
        """Bring what was taken since the last time into the sketch, all at once: that is cheaper by far."""
        if self._new:
            self._known = Sketch.merged((self._known, Sketch.of(self._new)))
            self._new.clear()

    def quantile(self, share: float) -> float | None:
        """Of what is settled; None when that is nothing."""
        return self._known.quantile(share) if self._known.count else None


@dataclass(slots=True)
class Tail:
    """Follows one NDJSON record; a line still being written is left for the next look.

    With `keeps` it also holds the requests in `known`, for a run that may end by what they show; with `back`, in
    `recent` those that ended in the last so many seconds.
    """

    path: Path
    keeps: bool = False
    back: float = 0.0
    recent: deque[Mapping[str, Any]] = field(default_factory=deque)
    known: Prefix = field(default_factory=Prefix)
    started: bool = False
    ended: bool = False
    planned: int = 0
    good: int = 0
    bad: int = 0
    _read: int = 0
    _beats: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=1024))
    _last: dict[int, dict[str, Any]] = field(default_factory=dict)
    _firsts: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=4096))
    _errors: Counter[str] = field(default_factory=Counter)
    _ttfts: Medians = field(default_factory=Medians)
    _gaps: Medians = field(default_factory=Medians)
    _late: Shares = field(default_factory=Shares)
    _lag: Shares = field(default_factory=Shares)

    def look(self) -> None:
        """Take in whatever was written since the last look."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._read)
            whole, _, _ = file.read().rpartition(b"\n")
        self._read += len(whole) + 1 if whole else 0
        for line in whole.splitlines():
            self._take(loads(line))
        self._late.settle()
        self._lag.settle()

    def pulse(self) -> Pulse:
        """How things stand at the last beat."""
        if not self._beats:
            return Pulse(planned=self.planned)
        last = self._beats[-1]
        since = next(beat for beat in self._beats if beat["t"] >= last["t"] - WINDOW)
        seconds = last["t"] - since["t"]
        ttfts = [ttft for done, ttft in self._firsts if done >= last["t"] - WINDOW]
        return Pulse(
            planned=self.planned,
            offered=last["offered"],
            sent=last["sent"],
            good=self.good,
            bad=self.bad,
            in_flight=last["in_flight"],
            offered_rate=(last["offered"] - since["offered"]) / seconds if seconds else 0.0,
            sent_rate=(last["sent"] - since["sent"]) / seconds if seconds else 0.0,
            ttft=median(ttfts) if ttfts else None,
            ttfts=self._ttfts.trend(),
            gaps=self._gaps.trend(),
            errors=dict(self._errors.most_common()),
            late=self._late.quantile(0.99),
            lag=self._lag.quantile(0.95),
            beat=last["t"],
            ended=self.ended,
        )

    def _take(self, line: dict[str, Any]) -> None:
        kind = line["kind"]
        if kind == "start":
            self.started, self.planned = True, line["planned"]
        elif kind == "beat":
            self._beat(line)
        elif kind == "end":
            self.ended = True
        elif kind == "request":
            self._request(line)

    def _beat(self, line: dict[str, Any]) -> None:
        self._beats.append(self._of_all(line))
        self._lag.take(line["lag"])
        for medians in (self._ttfts, self._gaps):
            medians.turn(line["t"])

    def _request(self, line: dict[str, Any]) -> None:
        good = line["outcome"] == "ok"
        self.good, self.bad = self.good + good, self.bad + (not good)
        if not good:
            self._errors[line["outcome"]] += 1
        if self.keeps:
            self.known.take(line)
        if self.back:
            self._remember(line)
        if line["sent"] is not None:
            self._late.take(line["sent"] - line["due"])
        if line["first"] is not None:
            self._answer(line, line["done"] or line["first"])

    def _remember(self, line: Mapping[str, Any]) -> None:
        """Lines come in the order in which requests end, so the oldest is always the first."""
        self.recent.append(line)
        while self.recent and (self.recent[0]["done"] or 0.0) < (line["done"] or 0.0) - self.back:
            self.recent.popleft()

    def _answer(self, line: dict[str, Any], done: float) -> None:
        self._firsts.append((done, line["first"] - line["due"]))
        self._ttfts.take(done, line["first"] - line["due"])
        if line["tokens"] > 1 and line["last"] is not None:
            self._gaps.take(done, (line["last"] - line["first"]) / (line["tokens"] - 1))

    def _of_all(self, beat: dict[str, Any]) -> dict[str, Any]:
        """The beat with the counts of all processes at that moment, as each told them last."""
        self._last[beat.get("worker", 0)] = beat
        counts = ("in_flight", "offered", "sent")
        return beat | {name: sum(one[name] for one in self._last.values()) for name in counts}
