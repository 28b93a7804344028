"""A real engine becomes a calibration: look at it, measure the grid, fit, and hold the simulator against it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Literal

from holdfast.calibration.cells import Cell, Grid, Seen, medians, to_line
from holdfast.calibration.document import Limits, checked, document
from holdfast.calibration.errors import Knee, Pair, knee, pairs
from holdfast.calibration.fit import Fitted, TooFewError, bare, fit, lacking, tell_own, without
from holdfast.engines import cells as driving
from holdfast.engines import simulator
from holdfast.engines.cells import Pace, Record
from holdfast.engines.hardware import describe
from holdfast.engines.probe import Engine, look
from holdfast.errors import UsageError
from holdfast.store.folder import write_json, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from holdfast.clock import Clock
    from holdfast.run import Stop

Check = Literal["all", "held-out", "none"]
GONE: Final = 2
"""Cells in a row without one good answer, after which the engine is taken for dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to measure of whom, and where it goes. `out` is the calibration, `cells` the record of what was measured."""

    url: str
    model: str | None
    name: str
    note: str
    out: Path
    cells: Path
    grid: Grid
    repeats: int
    pace: Pace
    max_num_seqs: int
    max_num_batched_tokens: int
    check: Check
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """What came of it; `why` says why there is no fit, or that not everything was measured. Empty when all is well."""

    about: dict[str, Any]
    seen: tuple[Seen, ...]
    held: frozenset[Cell]
    fitted: Fitted | None = None
    pairs: tuple[Pair, ...] = ()
    knees: tuple[tuple[Knee, Knee], ...] = ()
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One more cell: the how manieth of how many, of the engine or of the simulator."""

    number: int
    count: int
    whose: str
    seen: Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """What calibrating needs of the world."""

    clock: Clock
    stop: Stop
    tell: Callable[[Progress], None]
    say: Callable[[str], None]


def calibrate(wanted: Wanted, rig: Rig) -> Calibrated:
    """Measure, fit, check, and write both files. What is asked to stop is not fitted.

    Raises UsageError for an address that is no vLLM or cannot hold the grid, InfrastructureError when nobody answers.
    """
    held = wanted.grid.held_out
    _enough(wanted)
    about, seen, why = _measured(wanted, rig)
    done = Calibrated(about=about, seen=seen, held=held, why=why)
    if rig.stop.signal:
        return done
    try:
        shown = medians([one for one in seen if one.cell not in held])
        fitted = fit(shown, budget=wanted.max_num_batched_tokens, seats=wanted.max_num_seqs)
    except TooFewError as error:
        return replace(done, why=(*why, *(f"to fit, measure {one}" for one in error.missing)))
    with TemporaryDirectory(prefix="holdfast-engine-") as folder:
        fitted = _less_own(wanted, rig, about, fitted, Path(folder))
        simulated = _simulated(wanted, rig, about, fitted, Path(folder))
    found = pairs(medians(seen), simulated, held)
    knees = _knees(wanted, medians(seen), simulated)
    about = {**about, "check": checked(found, knees)} if found else about
    _write(wanted, about, fitted)
    return replace(done, about=about, fitted=fitted, pairs=found, knees=knees)


def _enough(wanted: Wanted) -> None:
    left = [cell for cell in wanted.grid.cells if cell not in wanted.grid.held_out]
    lacks = lacking(left, budget=wanted.max_num_batched_tokens, seats=wanted.max_num_seqs)
    if lacks:
        told = "; ".join(lacks)
        raise UsageError(f"without the cells held out, this grid is too small: {told}", hint="give more --prompts")


# What is measured.


def _measured(wanted: Wanted, rig: Rig) -> tuple[dict[str, Any], tuple[Seen, ...], tuple[str, ...]]:
    """The record's first line, every cell of the grid that it has, and what is wrong with it."""
    cells = wanted.grid.cells
    if wanted.cells.exists():
        about, known = driving.read(wanted.cells)
        if not driving.order(cells, wanted.repeats, _knower(known)):
            rig.say(f"every cell is in {wanted.cells}: the engine is not asked")
            return about, _of(cells, known), ()
    engine = look(wanted.url, wanted.model, wanted.key)
    _fits(wanted.grid, engine)
    about = _about(engine, rig)
    record = Record(path=wanted.cells, about=about)
    known = record.open()
    left = driving.order(cells, wanted.repeats, _knower(known))
    if known:
        rig.say(f"{len(cells) * wanted.repeats - len(left)} cells are in {wanted.cells} already, {len(left)} are left")
    found, why = _drive(wanted, rig, engine, left, record)
    return about, _of(cells, (*known, *found)), why


def _drive(
    wanted: Wanted, rig: Rig, engine: Engine, left: Sequence[tuple[int, Cell]], record: Record
) -> tuple[list[tuple[int, Seen]], tuple[str, ...]]:
    found: list[tuple[int, Seen]] = []
    silent = 0
    for repeat, seen in driving.measure(engine, left, wanted.pace, stop=rig.stop):
        record.add(repeat, seen)
        found.append((repeat, seen))
        rig.tell(Progress(number=len(found), count=len(left), whose="engine", seen=seen))
        silent = 0 if seen.requests else silent + 1
        if silent >= GONE:
            return found, (f"the engine answers no more: {seen.trouble}",)
    return found, ()


def _knower(known: Sequence[tuple[int, Seen]]) -> Callable[[int, Cell], bool]:
    """Cells that were measured in vain are measured again."""
    good = {(repeat, one.cell) for repeat, one in known if one.usable}
    return lambda repeat, cell: (repeat, cell) in good


def _of(cells: Sequence[Cell], known: Sequence[tuple[int, Seen]]) -> tuple[Seen, ...]:
    wanted = set(cells)
    good = {(repeat, one.cell) for repeat, one in known if one.usable}
    # One that was measured again, and well, failed no longer.
    return tuple(one for repeat, one in known if one.cell in wanted and (one.usable or (repeat, one.cell) not in good))


def _fits(grid: Grid, engine: Engine) -> None:
    longest = grid.prompts[-1] + grid.answers[-1] * 5 // 4
    if engine.max_model_len and longest > engine.max_model_len:
        raise UsageError(
            f"the longest prompt and answer are {longest} tokens, {engine.model} holds {engine.max_model_len}",
            hint="choose shorter --prompts or --answers; answers are up to a quarter longer",
        )


def _about(engine: Engine, rig: Rig) -> dict[str, Any]:
    return {
        driving.DATE: datetime.fromtimestamp(rig.clock.wall(), UTC).date().isoformat(),
        "engine": "vLLM",
        "version": engine.version,
        "model": engine.model,
        "max_model_len": engine.max_model_len,
        "kv_cache_tokens": engine.kv_cache_tokens,
        "hardware": describe(),
    }


# The simulator.


def _less_own(wanted: Wanted, rig: Rig, about: dict[str, Any], fitted: Fitted, folder: Path) -> Fitted:
    """The simulator has a cost of its own for each request, seen by the same client: it is not added twice."""
    cells = tell_own(fitted)
    found = _driven(wanted, rig, about, bare(fitted), cells=cells, folder=folder, whose="simulator, its own cost")
    own = {one.cell: one.ttft_p50 for one in found if one.usable and one.ttft_p50 is not None}
    if len(own) < len(cells):
        rig.say("the simulator's own cost of a request is not known, and is taken for nothing")
        return fitted
    return without(fitted, own)


def _simulated(wanted: Wanted, rig: Rig, about: dict[str, Any], fitted: Fitted, folder: Path) -> tuple[Seen, ...]:
    cells = [cell for cell in wanted.grid.cells if wanted.check == "all" or cell in wanted.grid.held_out]
    if wanted.check == "none" or rig.stop.signal:
        return ()
    found = _driven(wanted, rig, about, fitted, cells=cells, folder=folder, whose="simulator")
    lines = [to_line(one, repeat=0) for one in found]
    head = driving.header({"engine": "simulator", "calibration": wanted.name})
    write_whole(wanted.cells.with_suffix(".simulated.ndjson"), head + "".join(lines))
    return tuple(found)


def _driven(
    wanted: Wanted, rig: Rig, about: dict[str, Any], fitted: Fitted, *, cells: Sequence[Cell], folder: Path, whose: str
) -> list[Seen]:
    """The simulator with these numbers, over these cells, by the client that measured the engine."""
    path, found = folder / "calibration.json", list[Seen]()
    write_json(path, document(wanted.name, wanted.note, _limits(wanted, about), fitted, {}))
    with simulator.running(path, model=str(about["model"]), folder=folder) as url:
        engine = look(url, str(about["model"]), "")
        left = driving.order(cells, 1, lambda *_: False)
        for _, seen in driving.measure(engine, left, wanted.pace, stop=rig.stop):
            found.append(seen)
            rig.tell(Progress(number=len(found), count=len(cells), whose=whose, seen=seen))
    return found


def _knees(wanted: Wanted, engine: Sequence[Seen], simulated: Sequence[Seen]) -> tuple[tuple[Knee, Knee], ...]:
    """Of both over the same cells; a third of the concurrencies shows no knee."""
    if wanted.check != "all":
        return ()
    both = {one.cell for one in simulated if one.usable}
    shapes = sorted({cell.shape for cell in wanted.grid.cells})
    found = [(knee([one for one in engine if one.cell in both], one), knee(simulated, one)) for one in shapes]
    return tuple((truth, said) for truth, said in found if truth and said)


# What is written.


def _limits(wanted: Wanted, about: dict[str, Any]) -> Limits:
    length = int(about["max_model_len"])
    return Limits(
        max_num_seqs=wanted.max_num_seqs,
        max_num_batched_tokens=wanted.max_num_batched_tokens,
        max_model_len=length,
        kv_cache_tokens=int(about["kv_cache_tokens"] or wanted.max_num_seqs * length),
    )


def _write(wanted: Wanted, about: dict[str, Any], fitted: Fitted) -> None:
    told = {name: value for name, value in about.items() if name not in {"schema", "max_model_len", "kv_cache_tokens"}}
    told |= {"grid": asdict(wanted.grid), "repeats": wanted.repeats, "typical_error": round(fitted.typical_error, 4)}
    note = f"Fitted to what was measured of {about['engine']} {about['version']}. {wanted.note}".strip()
    write_json(wanted.out, document(wanted.name, note, _limits(wanted, about), fitted, told))
