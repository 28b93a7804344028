"""`slo backtest`: past samples from a Prometheus or a file, and what the SLOs' rules would have made of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from holdfast.errors import UsageError
from holdfast.model.slo import DAY
from holdfast.objectives.lint import slos_of
from holdfast.slo import horizon
from holdfast.slo.evaluate.backtest import Backtest, backtest, reach, reads, with_objective
from holdfast.slo.evaluate.score import Score, scores
from holdfast.slo.evaluate.vectors import NAME, Track, UnsupportedError, key
from holdfast.slo.review.incidents import read_incidents
from holdfast.sources.history import read_file
from holdfast.sources.server import Asking, UnansweredError
from holdfast.units import duration, show_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from holdfast.model.slo import Slo
    from holdfast.slo.evaluate.vectors import Key, Numbers
    from holdfast.slo.review.model import Cause

_MOST: Final = 1_000_000
_MONTH: Final = 30 * DAY
_CHUNK: Final = 21_600.0
"""Seconds of raw samples asked for at once: 1440 of each series at a scrape every 15 s."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """An SLO at one objective (the file's, or another), and how its alerts told the incidents."""

    result: Backtest
    scores: tuple[Score, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Backtested:
    """All SLOs over one time span in Unix seconds: as written, and at other objectives."""

    source: str
    start: float
    end: float
    step: float
    trials: tuple[Trial, ...]
    others: tuple[Trial, ...]
    incidents: tuple[Cause, ...]

    @property
    def undecided(self) -> tuple[str, ...]:
        """The SLOs of which nothing can be said."""
        return tuple(one.result.slo.id for one in self.trials if not one.result.decided)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The time to look at, in Unix seconds; None: as far as the file's samples go. `step` is between evaluations."""

    start: float | None
    end: float | None
    step: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Where samples come from: a server's URL with its bearer token, if it wants one, or an OpenMetrics file.

    `like` is the major version of Prometheus whose rules are played; None: the server's, and 2 for a file.
    """

    prometheus: str = ""
    token: str = field(default="", repr=False)
    metrics: Path | None = None
    like: Literal[2, 3] | None = None


def span_of(start: str, end: str, step: str, *, now: float, recorded: bool) -> Span:
    """The time span of words: ISO 8601 (UTC where no zone is named) or how long before `now` (Unix seconds).

    Empty words are as far as a file goes (`recorded`), or the last 30 days. Raises UsageError.
    """
    try:
        seconds = duration(step)
    except ValueError as error:
        raise UsageError(f"--step: {error}") from error
    if seconds < 1:
        raise UsageError("--step: rules are evaluated every second at most", hint="--step 1m")
    first = _moment(start, now) if start else None if recorded else now - _MONTH
    last = _moment(end, now) if end else None if recorded else now
    return Span(start=first, end=last, step=seconds)


def _moment(word: str, now: float) -> float:
    try:
        return now - duration(word)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(word)
    except ValueError as error:
        hint = "2026-11-01, 2026-11-01T08:00Z, or 30d for 30 days ago"
        raise UsageError(f"not a time: {word!r}", hint=hint) from error
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def tried(words: str) -> tuple[float, ...]:
    """Objectives as shares of one, of percentages such as 99,99.5. Raises UsageError."""
    found = []
    for word in filter(None, (part.strip().removesuffix("%").strip() for part in words.split(","))):
        try:
            share = round(float(word) / 100, 12)
        except ValueError as error:
            raise UsageError(f"not an objective: {word!r}", hint="--objectives 99,99.5,99.9") from error
        if not 0 < share < 1:
            raise UsageError(f"an objective lies between 0 and 100, got {word}", hint="--objectives 99,99.5,99.9")
        found.append(share)
    return tuple(dict.fromkeys(found))


def backtest_files(
    files: Sequence[Path],
    history: History,
    span: Span,
    *,
    objectives: Sequence[float] = (),
    incidents: Path | None = None,
) -> Backtested:
    """Backtest the SLOs of files, also at other `objectives` (shares of one).

    Raises SpecError for files that cannot be read, UsageError for what cannot be asked for, and UnansweredError when
    the server does not give all of it.
    """
    if bool(history.prometheus) == bool(history.metrics):
        hint = "--prometheus http://127.0.0.1:9090, or --metrics FILE in OpenMetrics with timestamps"
        raise UsageError("say where the samples come from: a server or a file", hint=hint)
    _, slos = slos_of(files)
    causes = _incidents(incidents, slos)
    if history.metrics:
        version: Literal[2, 3] = 2
        tracks = read_file(history.metrics)
        at = _moments(span, tracks)
        source = str(history.metrics)
    else:
        at = _moments(span, ())
        asking = Asking(history.prometheus, history.token)
        tracks, version = _asked(asking, slos, at)
        source = asking.address
    return backtested(
        slos,
        tracks,
        at,
        span.step,
        objectives=objectives,
        incidents=causes,
        source=source,
        prometheus=history.like or version,
    )


def backtested(
    slos: Sequence[Slo],
    tracks: Sequence[Track],
    at: Numbers,
    step: float,
    *,
    objectives: Sequence[float] = (),
    incidents: Sequence[Cause] = (),
    source: str = "",
    prometheus: Literal[2, 3] = 2,
) -> Backtested:
    """The same over samples at hand. Raises UsageError for SLOs whose rules cannot be evaluated here."""
    by_name: dict[str, list[Track]] = {}
    for track in tracks:
        by_name.setdefault(track.labels[NAME], []).append(track)

    span = float(at[-1] - at[0])
    if span > horizon.AHEAD and any(horizon.needs_today(slo) for slo in slos):
        raise UsageError("calendars and exclusions are written out for 13 months", hint="a shorter time span")

    def trial(slo: Slo) -> Trial:
        result = _guarded(slo, lambda: backtest(slo, _read_by(slo, by_name, at), at, step=step, prometheus=prometheus))
        # An alert that there is no data fires always where there never was any: it tells nothing.
        told = scores(result.firings, incidents, slo.id, float(at[0]), float(at[-1]) + step) if result.decided else ()
        return Trial(result=result, scores=told if incidents else ())

    return Backtested(
        source=source,
        start=float(at[0]),
        end=float(at[-1]),
        step=step,
        trials=tuple(trial(slo) for slo in slos),
        others=tuple(
            trial(with_objective(slo, other)) for slo in slos for other in objectives if other != slo.objective
        ),
        incidents=tuple(incidents),
    )


def _guarded(slo: Slo, evaluate: Callable[[], Backtest]) -> Backtest:
    try:
        return evaluate()
    except UsageError as error:
        raise UsageError(f"{slo.where}: {slo.id} cannot be backtested: {error}", hint=error.hint) from error
    except ValueError as error:
        raise UsageError(f"{slo.where}: {slo.id} has no rules to backtest: {error}") from error


def _read_by(slo: Slo, by_name: dict[str, list[Track]], at: Numbers) -> list[Track]:
    names = {one.name for one in reads(slo, _day(at))}
    if "" in names:
        return [track for tracks in by_name.values() for track in tracks]
    return [track for name in names for track in by_name.get(name, ())]


def _day(at: Numbers) -> datetime:
    return datetime.fromtimestamp(float(at[0]), UTC)


def _incidents(path: Path | None, slos: Sequence[Slo]) -> tuple[Cause, ...]:
    if path is None:
        return ()
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    return read_incidents(text, str(path), "UTC", {one.id for one in slos})


def _moments(span: Span, tracks: Sequence[Track]) -> Numbers:
    """Evaluation times: whole multiples of the step, as a server's are."""
    ends = [(one.times[0], one.times[-1]) for one in tracks if len(one.times)]
    start = span.start if span.start is not None else min((first for first, _ in ends), default=None)
    end = span.end if span.end is not None else max((last for _, last in ends), default=None)
    if start is None or end is None:
        raise UnansweredError("there is no sample, so there is no time to look at", hint="--from and --to name one")
    first, last = np.ceil(start / span.step), np.floor(end / span.step)
    if last < first:
        raise UsageError("the time span is empty", hint="--from lies before --to, at least a step apart")
    if last - first >= _MOST:
        raise UsageError(f"more than {_MOST} evaluations", hint="--step 5m, or a shorter time span")
    return np.arange(first, last + 1) * span.step


def _asked(asking: Asking, slos: Sequence[Slo], at: Numbers) -> tuple[tuple[Track, ...], Literal[2, 3]]:
    """All raw samples that the rules read, and the server's major version."""
    build = asking.get("status/buildinfo") or {}
    version: Literal[2, 3] = 3 if str(build.get("version", "")).startswith("3") else 2
    day = _day(at)
    since = float(at[0]) - max(_guarded_reach(slo, day) for slo in slos)
    parts: dict[Key, list[Any]] = {}
    for text in dict.fromkeys(one.text for slo in slos for one in reads(slo, day)):
        for end in _ends(since, float(at[-1])):
            for one in _samples(asking, f"{text}[{show_duration(_CHUNK)}]", end):
                parts.setdefault(key(one["metric"]), []).append(np.array(one["values"], dtype=np.float64))
    return tuple(_track(labels, some) for labels, some in parts.items()), version


def _guarded_reach(slo: Slo, day: datetime) -> float:
    try:
        return reach(slo, day)
    except ValueError as error:
        raise UsageError(f"{slo.where}: {slo.id} has no rules to backtest: {error}") from error


def _ends(since: float, until: float) -> list[float]:
    number = int(np.ceil((until - since) / _CHUNK))
    return [until - _CHUNK * index for index in range(max(1, number))][::-1]


def _samples(asking: Asking, query: str, end: float) -> list[Any]:
    answer = asking.get("query", ("query", query), ("time", f"{end:.3f}"))
    if not isinstance(answer, dict) or answer.get("resultType") != "matrix":
        raise UnansweredError(f"{asking.address} gave no samples for {query}")
    if any("histograms" in one for one in answer["result"]):
        hint = "promtool of a Prometheus 3 plays their rules"
        raise UnsupportedError(
            f"{query.partition('[')[0]} has native histograms, which cannot be evaluated here", hint=hint
        )
    return list(answer["result"])


def _track(labels: Key, parts: list[Any]) -> Track:
    """Answers overlap at their edges, so a sample may have come twice."""
    pairs = np.concatenate(parts)
    times, first = np.unique(np.round(pairs[:, 0], 3), return_index=True)
    return Track(labels=dict(labels), times=times, values=pairs[first, 1])
