"""Request records: NDJSON while the load runs, Parquet once it is over, the same table either way."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from holdfast.model.timeline import LoadRecord
from holdfast.store.columns import BEAT_COLUMNS, REQUEST_COLUMNS, cell, is_text
from holdfast.store.folder import write_whole
from holdfast.store.pieces import loads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

__all__ = [
    "BEATS",
    "BEAT_COLUMNS",
    "LINES",
    "PIECES",
    "REQUESTS",
    "REQUEST_COLUMNS",
    "SUMMARY",
    "parse_lines",
    "read_load",
    "table",
    "to_parquet",
]

LINES: Final = "load.ndjson"
SUMMARY: Final = "load.json"
REQUESTS: Final = "requests.parquet"
BEATS: Final = "beats.parquet"
PIECES: Final = "pieces.parquet"


def parse_lines(text: str) -> tuple[LoadRecord, bool]:
    """The record in the text, and whether its last line was cut short (the writer was killed)."""
    requests: list[Mapping[str, Any]] = []
    seen = _Seen(requests.append)
    for line in text.encode("utf-8", "replace").split(b"\n"):
        seen.take(line)
    return seen.record(table(requests, REQUEST_COLUMNS)), seen.torn


@dataclass(slots=True)
class _Seen:
    """Takes the lines of a record in the order in which they were written, and hands on those of requests."""

    request: Callable[[Mapping[str, Any]], None]
    start: Mapping[str, Any] = field(default_factory=dict)
    end: Mapping[str, Any] | None = None
    beats: list[Mapping[str, Any]] = field(default_factory=list)
    workers: list[Mapping[str, Any]] = field(default_factory=list)
    torn: bool = False

    def take(self, text: bytes) -> None:
        if not text.strip():
            return
        try:
            line = loads(text)
            kind = line["kind"]
        except (ValueError, TypeError, KeyError):
            self.torn = True
            return
        if kind == "request":
            self.request(line)
        elif kind == "beat":
            self.beats.append(line)
        elif kind == "worker":
            self.workers.append({key: value for key, value in line.items() if key != "kind"})
        elif kind == "start":
            self.start = self.start or line
        elif kind == "end":
            self.end = self.end or line

    @property
    def loop(self) -> str:
        """`closed` where requests waited for answers, else `open`."""
        profile = self.start.get("profile")
        return "closed" if isinstance(profile, dict) and profile.get("arrivals") == "closed" else "open"

    def record(self, requests: pd.DataFrame) -> LoadRecord:
        return LoadRecord(
            planned=int(self.start.get("planned", 0)),
            requests=requests,
            beats=table(self.beats, BEAT_COLUMNS),
            ended=self.end is not None,
            dropped=int(self.end["dropped"]) if self.end else 0,
            workers=tuple(self.workers),
        )


def table(rows: Sequence[Mapping[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    """Rows as a table of exactly these columns: text as text, everything else as float with NaN for what is missing."""
    import pandas as pd  # noqa: PLC0415 - 0.4 s of import that `--help` need not pay

    taken = {name: [cell(row, name) for row in rows] for name in columns}
    kept = {name: pd.Series(cells, dtype=object if is_text(name) else float) for name, cells in taken.items()}
    return pd.DataFrame(kept).sort_values(columns[0], ignore_index=True)


def to_parquet(folder: Path) -> bool:
    """Turn load.ndjson into Parquet and a summary; whether there was anything, whole and in order.

    Memory grows with the requests that are under way at one time, not with those of the run. Raises OSError when the
    disk is full; the lines are still there then.
    """
    path = folder / LINES
    if not path.exists():
        return False
    with _drafts(folder) as drafts:
        seen = _copied(path, drafts)
        record = seen.record(table([], REQUEST_COLUMNS))
        record.beats.to_parquet(drafts[BEATS], index=False, compression="zstd")
    summary = {
        "planned": record.planned,
        "ended": record.ended,
        "dropped": record.dropped,
        "torn": seen.torn,
        "loop": seen.loop,
        **({"workers": seen.workers} if seen.workers else {}),
    }
    write_whole(folder / SUMMARY, json.dumps(summary) + "\n")
    path.unlink()
    return record.ended and not seen.torn


def _copied(lines: Path, drafts: Mapping[str, Path]) -> _Seen:
    from holdfast.store.tables import Tables  # noqa: PLC0415 - pyarrow is slow to import

    with Tables(drafts[REQUESTS], drafts[PIECES]) as tables, lines.open("rb") as file:
        seen = _Seen(tables.take)
        for line in file:
            seen.take(line)
        tables.finish()
    return seen


@contextmanager
def _drafts(folder: Path) -> Iterator[Mapping[str, Path]]:
    """Where to write tables; they take their names when all of them are whole, else none is left behind."""
    drafts = {name: folder / f".{name}.draft" for name in (PIECES, REQUESTS, BEATS)}
    try:
        yield drafts
        for name, draft in drafts.items():
            draft.replace(folder / name)
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)


def read_load(folder: Path) -> tuple[LoadRecord, list[str]]:
    """The load record of a run folder, and what is damaged about it. Never raises for a missing or broken file."""
    try:
        return _read_load(folder)
    except Exception as error:  # noqa: BLE001 - pyarrow, pandas and json raise families of their own; all mean damage
        record, _ = parse_lines("")
        return record, [f"the load record cannot be read: {type(error).__name__}"]


def _read_load(folder: Path) -> tuple[LoadRecord, list[str]]:
    if (folder / SUMMARY).exists() and (folder / REQUESTS).exists():
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        record = LoadRecord(
            planned=int(summary["planned"]),
            requests=_columns(folder / REQUESTS, REQUEST_COLUMNS),
            beats=_columns(folder / BEATS, BEAT_COLUMNS),
            ended=summary["ended"] is True,
            dropped=int(summary["dropped"]),
            workers=tuple(dict(one) for one in summary.get("workers", ())),
        )
        return record, [] if summary["torn"] is False else [f"{LINES}: last line cut short"]
    if (folder / LINES).exists():
        record, torn = parse_lines((folder / LINES).read_text(encoding="utf-8", errors="replace"))
        return record, [f"{LINES}: never turned into {REQUESTS}"] + ([f"{LINES}: last line cut short"] if torn else [])
    record, _ = parse_lines("")
    return record, [f"{REQUESTS}: missing"]


def _columns(path: Path, names: tuple[str, ...]) -> pd.DataFrame:
    """These columns of a table; one that an older record lacks is as if nobody had known it."""
    import pandas as pd  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    there = [name for name in names if name in pq.read_schema(path).names]
    frame = pd.read_parquet(path, columns=there)
    for name in (name for name in names if name not in there):
        frame[name] = "" if is_text(name) else float("nan")
    return frame[list(names)]
