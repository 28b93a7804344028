"""What the load is doing right now, read from the end of its record while it grows."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from holdfast.load.prefix import Prefix

if TYPE_CHECKING:
    from pathlib import Path

WINDOW: Final = 5.0
"""Seconds that "now" means."""


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


@dataclass(slots=True)
class Tail:
    """Follows one NDJSON record; a line still being written is left for the next look.

    With `keeps` it also holds the requests in `known`, for a run that may end by what they show.
    """

    path: Path
    keeps: bool = False
    known: Prefix = field(default_factory=Prefix)
    started: bool = False
    ended: bool = False
    planned: int = 0
    good: int = 0
    bad: int = 0
    _read: int = 0
    _beats: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=64))
    _firsts: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=4096))

    def look(self) -> None:
        """Take in whatever was written since the last look."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._read)
            whole, _, _ = file.read().rpartition(b"\n")
        self._read += len(whole) + 1 if whole else 0
        for line in whole.splitlines():
            self._take(json.loads(line))

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
        )

    def _take(self, line: dict[str, Any]) -> None:
        kind = line["kind"]
        if kind == "start":
            self.started, self.planned = True, line["planned"]
        elif kind == "beat":
            self._beats.append(line)
        elif kind == "end":
            self.ended = True
        elif kind == "request":
            good = line["outcome"] == "ok"
            self.good, self.bad = self.good + good, self.bad + (not good)
            if self.keeps:
                self.known.take(line)
            if line["first"] is not None:
                self._firsts.append((line["done"] or line["first"], line["first"] - line["due"]))
