"""The schedule: every request due before a run's end, a function of profile, seed, length and files alone."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from random import Random
from typing import TYPE_CHECKING, overload

from holdfast.arrivals import processes, shapes
from holdfast.arrivals.warp import MICROSECONDS, due_times
from holdfast.model.load.lengths import empirical, lognormal
from holdfast.model.load.sharing import Sharing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from holdfast.model.load.arrival import Arrival, TraceRow
    from holdfast.model.load.lengths import LengthPoint
    from holdfast.model.load.profile import LoadProfile


@dataclass(slots=True, kw_only=True)
class Columns:
    """Due times and lengths of every request; columns, because a million of them must fit into memory."""

    due: array[float] = field(default_factory=lambda: array("d"))
    prompt: array[int] = field(default_factory=lambda: array("l"))
    answer: array[int] = field(default_factory=lambda: array("l"))
    previous: array[int] = field(default_factory=lambda: array("l"))
    """Number of the session's turn before, -1 for a first turn; empty when sessions have one turn."""
    shared: list[str | tuple[int, ...]] = field(default_factory=list)
    """Session or blocks of a trace's rows; empty when no row has any."""
    width: float = 0.0
    """The most seconds that one stamp of the trace stood for."""

    def add(self, due: float, prompt: int, answer: int) -> None:
        """One more request, not earlier than the one before."""
        self.due.append(due)
        self.prompt.append(max(1, prompt))
        self.answer.append(max(1, answer))


@dataclass(frozen=True, slots=True, eq=False)
class Schedule(Sequence["Arrival"]):
    """Arrivals in the order of their due times; each is made when it is asked for. A slice is a view and costs nothing.

    Tenant, model and what a prompt shares follow from the seed and a request's number, so no column holds them.
    """

    columns: Columns
    sharing: Sharing
    numbers: range

    @property
    def dues(self) -> Sequence[float]:
        """Seconds from run start, without making arrivals."""
        return self.columns.due[self.numbers.start : self.numbers.stop : self.numbers.step]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the record must know of how this schedule was made."""
        width = self.columns.width
        if not width:
            return ()
        return (f"the trace's stamps stand for up to {width:g}s each: requests are spread inside it by the seed",)

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> Arrival: ...
    @overload
    def __getitem__(self, index: slice) -> Schedule: ...
    def __getitem__(self, index: int | slice) -> Arrival | Schedule:
        if isinstance(index, slice):
            return Schedule(self.columns, self.sharing, self.numbers[index])
        number = self.numbers[index]
        return self.sharing.arrival(self.columns, number)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Schedule({list(self)!r})"


def schedule(
    profile: LoadProfile,
    *,
    seed: int,
    length: float,
    trace: Iterable[TraceRow] = (),
    points: Sequence[LengthPoint] = (),
    questions: Sequence[int] = (),
) -> Schedule:
    """Every arrival due before `length` seconds, by the microsecond; a function of its arguments alone.

    Times, lengths and the rest are drawn from separate streams, so changing one does not move the others. `points` are
    the measured lengths of `profile.lengths`, `questions` the lengths in tokens of those in `profile.prompts`.
    Raises ValueError when a file's content that the profile needs is not given.
    """
    for named, given, rows in (("lengths", profile.lengths, points), ("prompts", profile.prompts, questions)):
        if given and not rows:
            raise ValueError(f"profile {profile.name} has {named} = {given}, but nothing was read from it")
    if profile.arrivals == "trace":
        columns = _from_trace(profile, seed, length, trace)
    else:
        columns = _from_process(profile, seed, length, points)
    sharing = Sharing.of(profile, seed, tuple(questions))
    return Schedule(columns, sharing, range(len(columns.due)))


def shard(arrivals: Schedule, worker: int, of: int) -> Schedule:
    """What worker number `worker` (from 0) of `of` offers: every `of`-th arrival, with its number in the whole.

    All shards together are the schedule, each arrival once. Raises ValueError when there is no such worker.
    """
    if not 0 <= worker < of:
        raise ValueError(f"no worker {worker} among {of}: they count from 0")
    return arrivals[worker::of]


def _from_process(profile: LoadProfile, seed: int, length: float, points: Sequence[LengthPoint]) -> Columns:
    process, curve = processes.read(profile.arrivals), shapes.read(profile.shape)
    prompts, answers = _lengths(profile, seed, points)
    columns = Columns()
    for due in due_times(process, curve, rate=profile.rate, seed=seed, length=length):
        columns.add(due, next(prompts), next(answers))
    if profile.turns > 1:
        columns.previous = _turns(columns.due, profile.turns, profile.think)
    return columns


def _lengths(profile: LoadProfile, seed: int, points: Sequence[LengthPoint]) -> tuple[Iterator[int], Iterator[int]]:
    prompt, answer = Random(f"{seed}/prompt"), Random(f"{seed}/answer")
    if points:
        return (
            empirical([(point.share, point.prompt_tokens) for point in points], prompt),
            empirical([(point.share, point.answer_tokens) for point in points], answer),
        )
    spread = profile.spread
    return lognormal(profile.prompt_tokens, spread, prompt), lognormal(profile.answer_tokens, spread, answer)


def _turns(dues: Sequence[float], turns: int, think: float) -> array[int]:
    """For each request the number of its session's turn before, or -1.

    Sessions are dealt over arrivals that are there already: whoever has thought long enough, longest first, takes the
    next one, and if nobody has, a new session begins. So sessions change neither rate nor process.
    """
    waiting: deque[tuple[float, int, int]] = deque()
    previous = array("l")
    for number, due in enumerate(dues):
        before, turn = -1, 1
        if waiting and waiting[0][0] <= due:
            _, before, turn = waiting.popleft()
            turn += 1
        previous.append(before)
        if turn < turns:
            waiting.append((due + think, number, turn))
    return previous


def _from_trace(profile: LoadProfile, seed: int, length: float, trace: Iterable[TraceRow]) -> Columns:
    columns, places, empty = Columns(), Random(f"{seed}/trace-bin"), True
    for offset, stamped in groupby(trace, key=lambda row: row.offset):
        rows, empty = list(stamped), False
        within = sorted(places.random() * row.width for row in rows)
        for row, place in zip(rows, within, strict=True):
            due = round((offset + place) / profile.speed, MICROSECONDS)
            if due >= length:
                return _trimmed(columns)
            columns.add(due, row.prompt_tokens, row.answer_tokens)
            columns.shared.append(row.blocks or row.session)
            columns.width = max(columns.width, row.width)
    if empty:
        raise ValueError(f"profile {profile.name} replays a trace, but no rows were given")
    return _trimmed(columns)


def _trimmed(columns: Columns) -> Columns:
    if not any(columns.shared):
        columns.shared.clear()
    return columns
