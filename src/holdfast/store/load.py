"""Request records: NDJSON while the load runs, Parquet once it is over, the same table either way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from holdfast.model.timeline import LoadRecord

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

LINES: Final = "load.ndjson"
SUMMARY: Final = "load.json"
REQUESTS: Final = "requests.parquet"
BEATS: Final = "beats.parquet"

_TEXT: Final = ("outcome", "error", "model")
REQUEST_COLUMNS: Final = (
    "id", "due", "sent", "first", "last", "done", "status", "outcome", "error", "prompt_tokens", "asked_tokens",
    "tokens", "max_gap", "model",
)  # fmt: skip
BEAT_COLUMNS: Final = ("t", "lag", "cpu", "in_flight", "offered", "sent")


def parse_lines(text: str) -> tuple[LoadRecord, bool]:
    """The record in the text, and whether its last line was cut short (the writer was killed)."""
    lines, torn = [], False
    for line in text.splitlines():
        try:
            found = json.loads(line)
            lines.append({**found, "kind": found["kind"]})
        except (ValueError, TypeError, KeyError):
            torn = True
    start: dict[str, Any] = next((line for line in lines if line["kind"] == "start"), {})
    end = next((line for line in lines if line["kind"] == "end"), None)
    record = LoadRecord(
        planned=int(start.get("planned", 0)),
        requests=table([line for line in lines if line["kind"] == "request"], REQUEST_COLUMNS),
        beats=table([line for line in lines if line["kind"] == "beat"], BEAT_COLUMNS),
        ended=end is not None,
        dropped=int(end["dropped"]) if end else 0,
    )
    return record, torn


def table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    """Rows as a table of exactly these columns: text as text, everything else as float with NaN for what is missing."""
    import pandas as pd  # noqa: PLC0415 - 0.4 s of import that `--help` need not pay

    frame = pd.DataFrame.from_records(rows, columns=list(columns)) if rows else pd.DataFrame(columns=list(columns))
    for name in set(_TEXT) & set(columns):
        # A server's JSON may hold half a surrogate pair, which no file of text can.
        frame[name] = [str(text).encode("utf-8", "replace").decode() for text in frame[name]]
    kinds = {name: object if name in _TEXT else float for name in columns}
    frame = frame.astype(kinds)
    return frame.sort_values(columns[0], ignore_index=True)


def to_parquet(folder: Path) -> bool:
    """Turn load.ndjson into Parquet and a summary; whether there was anything, whole and in order."""
    path = folder / LINES
    if not path.exists():
        return False
    record, torn = parse_lines(path.read_text(encoding="utf-8", errors="replace"))
    record.requests.to_parquet(folder / REQUESTS, index=False, compression="zstd")
    record.beats.to_parquet(folder / BEATS, index=False, compression="zstd")
    summary = {"planned": record.planned, "ended": record.ended, "dropped": record.dropped, "torn": torn}
    (folder / SUMMARY).write_text(json.dumps(summary) + "\n", encoding="utf-8")
    path.unlink()
    return record.ended and not torn


def read_load(folder: Path) -> tuple[LoadRecord, list[str]]:
    """The load record of a run folder, and what is damaged about it. Never raises for a missing or broken file."""
    try:
        return _read_load(folder)
    except Exception as error:  # noqa: BLE001 - pyarrow, pandas and json raise families of their own; all mean damage
        record, _ = parse_lines("")
        return record, [f"the load record cannot be read: {type(error).__name__}"]


def _read_load(folder: Path) -> tuple[LoadRecord, list[str]]:
    import pandas as pd  # noqa: PLC0415

    if (folder / SUMMARY).exists() and (folder / REQUESTS).exists():
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        record = LoadRecord(
            planned=int(summary["planned"]),
            requests=pd.read_parquet(folder / REQUESTS),
            beats=pd.read_parquet(folder / BEATS),
            ended=summary["ended"] is True,
            dropped=int(summary["dropped"]),
        )
        return record, [] if summary["torn"] is False else [f"{LINES}: last line cut short"]
    if (folder / LINES).exists():
        record, torn = parse_lines((folder / LINES).read_text(encoding="utf-8", errors="replace"))
        return record, [f"{LINES}: never turned into {REQUESTS}"] + ([f"{LINES}: last line cut short"] if torn else [])
    record, _ = parse_lines("")
    return record, [f"{REQUESTS}: missing"]
