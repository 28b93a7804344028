"""The error-budget review of a month: counts from Prometheus or a file, causes from run folders and a list."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from holdfast import project
from holdfast.errors import UsageError
from holdfast.model.slo import Events, Occurrences
from holdfast.slo import counts, promql
from holdfast.slo.calendar import excluded
from holdfast.slo.evaluate.openmetrics import read_openmetrics
from holdfast.slo.evaluate.query import evaluate
from holdfast.slo.review.budgets import order, review
from holdfast.slo.review.incidents import read_incidents
from holdfast.slo.review.model import Asked, Cause, Cells, Phase, Review
from holdfast.slo.review.month import month_before, month_of
from holdfast.store.folder import EVENTS, METRICS
from holdfast.store.reading import read_manifest, read_metrics
from holdfast.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from holdfast.model.slo import Slo
    from holdfast.slo.evaluate.query import Track
    from holdfast.slo.review.month import Month
    from holdfast.sources.history import Ask

    Numbers = NDArray[np.float64]

STEP: Final = counts.WINDOW
"""Seconds of a cell: one value of the records, so that cells neither overlap nor leave a gap."""
_FRESH: Final = "150s"
"""How old a record may be at the end of its cell: after that nobody was recording, whatever Prometheus remembers."""


def review_of(
    root: Path,
    ask: Ask,
    *,
    source: str,
    now: float,
    month: str = "",
    zone: str = "UTC",
    runs: Path | None = None,
    incidents: Path | None = None,
    raw: bool = False,
    seed: int = 0,
) -> Review:
    """Review the project's SLOs over `month` (the last whole one when empty) as clocks of `zone` have it.

    `raw` asks the SLOs' own queries instead of what their rules recorded. Raises UsageError for a month that is none
    or has not begun, SpecError for files with problems, and what `ask` raises.
    """
    try:
        chosen = month_of(month or month_before(now, zone), zone)
    except ValueError as error:
        raise UsageError(str(error)) from error
    slos = project.load_slos(root)
    times = _times(chosen, now)
    if not slos:
        raise UsageError("there is no SLO in slos/")
    found = {slo.id: _asked(slo, ask, times, raw=raw) for slo in slos.values()}
    alive = np.isfinite(ask("count(up)", times)) | np.any([np.isfinite(one[0]) for one in found.values()], axis=0)
    causes = [*_runs(runs, chosen), *_incidents(incidents, root, zone, slos)]
    mine = [one for one in causes if one.start < chosen.end and one.end > chosen.start]
    return Review(
        month=chosen,
        now=now,
        step=STEP,
        source=f"{source}, {'the own queries of the SLOs' if raw else 'what their rules recorded'}",
        slos=tuple(
            review(
                _about(slo),
                Cells(start=chosen.start, step=STEP, total=found[slo.id][0], bad=found[slo.id][1], alive=alive),
                chosen,
                mine,
                seed=seed,
            )
            for slo in slos.values()
        ),
        causes=tuple(order(mine)),
    )


def ask_file(path: Path) -> Ask:
    """Asks a file of samples (OpenMetrics). Raises UsageError when it cannot be read, SpecError for what is wrong."""
    try:
        with path.open(encoding="utf-8") as lines:
            return ask_tracks(read_openmetrics(lines, str(path)))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error


def ask_tracks(tracks: Sequence[Track]) -> Ask:
    """Asks samples in memory. What it returns raises UsageError for queries that they cannot answer."""

    def ask(query: str, at: Numbers) -> Numbers:
        found = evaluate(query, tracks, at)
        if len(found) > 1:
            raise UsageError(f"there are {len(found)} series where one was asked for: {query}")
        return np.where(found[0].present, found[0].values, np.nan) if found else np.full(len(at), np.nan)

    return ask


def _times(month: Month, now: float) -> Numbers:
    """The ends of all cells of the month that are over. Raises UsageError when there is none yet."""
    number = int((min(now, month.end) - month.start) // STEP)
    if number < 1:
        raise UsageError(f"{month.name} has not begun", hint="--month names one that has")
    return month.start + STEP * np.arange(1, number + 1, dtype=np.float64)


def _about(slo: Slo) -> Asked:
    unit = "events" if isinstance(slo.budgeting, Occurrences) else f"slices of {show_duration(slo.budgeting.length)}"
    return Asked(slo=slo.id, objective=slo.objective, budget=slo.budget, unit=unit)


def _asked(slo: Slo, ask: Ask, times: Numbers, *, raw: bool) -> tuple[Numbers, Numbers]:
    """All events and bad ones in each cell."""
    total, bad = _raw(slo) if raw else [_recorded(slo, name) for name in counts.names_of(slo)]
    found = ask(total, times), ask(bad, times)
    if raw:
        for start, end in excluded(slo, float(times[0]) - STEP, float(times[-1])):
            out = (times - STEP < end) & (times > start)
            found[0][out] = found[1][out] = 0.0
    return found


def _recorded(slo: Slo, name: str) -> str:
    """Events of one cell: the record at its end, or the mean of records of another window."""
    series, window = f"{name}{counts.selector(slo)}", counts.window_of(slo)
    if window == STEP:
        return f"sum({series} and present_over_time({series}[{_FRESH}]))"
    # Up to version 3 a range has both its ends: a sample between two cells would be in both.
    inside = f"[{round(STEP * 1000) - 1}ms]"
    mean = f"sum(sum_over_time({series}{inside})) / sum(count_over_time({series}{inside}))"
    return f"{mean} * {STEP / window:.12g}"


def _raw(slo: Slo) -> tuple[str, str]:
    """The SLO's own queries as events of one cell. Raises UsageError where they do not count events."""
    one = slo.indicator
    if not (isinstance(one, Events) and isinstance(slo.budgeting, Occurrences)):
        raise UsageError(f"{slo.id} does not count events", hint="leave --raw, and let its rules record it")
    alive, window = promql.selectors(one.total_query)[0].text, show_duration(STEP)
    total, bad = (f"({promql.counted(query, window, alive).strip()}\n)" for query in (one.total_query, one.error_query))
    return f"sum({total})", f"sum({bad}) or 0 * sum({total})"


def _incidents(path: Path | None, root: Path, zone: str, slos: Mapping[str, Slo]) -> tuple[Cause, ...]:
    if path is None:
        return ()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    return read_incidents(text, project.name_in(root, path), zone, slos)


def _runs(folder: Path | None, month: Month) -> list[Cause]:
    """Every run below a folder that was going on in the month. Raises UsageError when there is no such folder."""
    if folder is None:
        return []
    if not folder.is_dir():
        raise UsageError(f"no such folder: {folder}")
    folders = [one for one in sorted(folder.iterdir()) if one.is_dir() and not one.is_symlink()]
    found = [_run(one, month) for one in folders if (one / "manifest.json").is_file()]
    return [one for one in found if one is not None]


def _run(folder: Path, month: Month) -> Cause | None:
    """One run as a cause; None when it is of another month, or nothing tells when it was."""
    try:
        zero = float(read_manifest(folder)["zero"]["wall"])
    except (UsageError, KeyError, TypeError, ValueError):
        return None
    if not month.start - 86400 < zero < month.end:
        return None
    events = list(_events(folder / EVENTS))
    counted = read_metrics(folder / METRICS).counted
    phases = [_phase(name, start, end, zero, counted) for name, start, end in _spans(events)]
    last = max((float(one["t"]) for one in events), default=0.0)
    ends = [zero + last] if not phases else [one.end for one in phases]
    return Cause(kind="run", name=folder.name, start=zero, end=max(ends, default=zero) + 1e-3, phases=tuple(phases))


def _phase(name: str, start: float, end: float, zero: float, counted: Iterable[Any]) -> Phase:
    bad = {one.slo: float(one.bad) for one in counted if one.phase == name and one.bad is not None and one.bad >= 0}
    return Phase(name=name, start=zero + start, end=zero + end, bad=bad)


def _events(path: Path) -> Iterable[Mapping[str, Any]]:
    """The lines that are whole; a run that was killed has one that is not."""
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and isinstance(event.get("t"), int | float):
            yield event


def _spans(events: Sequence[Mapping[str, Any]]) -> list[tuple[str, float, float]]:
    """(phase, start, end) in seconds of the run; one that never ended ends with the record."""
    last = max((float(one["t"]) for one in events), default=0.0)
    spans: dict[str, tuple[float, float]] = {}
    for one in events:
        if one.get("kind") == "phase" and one.get("edge") == "start":
            spans[str(one.get("name"))] = float(one["t"]), last
        elif one.get("kind") == "phase" and str(one.get("name")) in spans:
            name = str(one.get("name"))
            spans[name] = spans[name][0], float(one["t"])
    return [(name, start, end) for name, (start, end) in spans.items()]
