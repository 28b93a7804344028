"""Every request of a record with all its events, as `Stream`, a few thousand in memory at a time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from holdfast.model.stream import Stream
from holdfast.store.load import LINES, PIECES, REQUESTS
from holdfast.store.pieces import loads, pieces_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_BATCH: Final = 5000


def stream_of(line: Mapping[str, Any]) -> Stream:
    """One request from its columns, those of the record and those of its events together."""
    said = line.get("counted") not in {None, "", "events"}
    return Stream(
        id=int(line["id"]),
        due=line["due"],
        sent=_number(line.get("sent")),
        written=_number(line.get("written")),
        headers=_number(line.get("headers")),
        ended=_number(line.get("ended", line.get("done"))),
        pieces=pieces_of(line),
        outcome=line["outcome"],
        error=line.get("error") or "",
        model=line.get("model") or "",
        tenant=line.get("tenant") or "",
        session=line.get("session") or "",
        status=_whole(line.get("status")),
        asked_tokens=_whole(line.get("asked_tokens")),
        prompt_tokens=_whole(line.get("prompt_tokens")) if said else None,
        answer_tokens=_whole(line.get("tokens")) if said else None,
        cached_tokens=_whole(line.get("cached_tokens")),
    )


def _number(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _whole(value: Any) -> int | None:
    return None if value is None or math.isnan(value) else int(value)


def read_streams(folder: Path) -> Iterator[Stream]:
    """Every request of a run folder in the order of their numbers, a few thousand in memory at a time.

    Of a run that was killed, in the order in which they ended. Raises FileNotFoundError when there is no load record,
    ValueError when its two tables do not belong together.
    """
    if (folder / REQUESTS).exists():
        yield from _joined(folder / REQUESTS, folder / PIECES)
    else:
        with (folder / LINES).open("rb") as lines:
            yield from streams_of(lines)


def streams_of(lines: Iterable[bytes]) -> Iterator[Stream]:
    """The requests in the lines of a load record, in the order in which they ended; a torn line is left out."""
    for text in lines:
        try:
            line = loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and line.get("kind") == "request":
            yield stream_of(line)


def _joined(requests: Path, pieces: Path) -> Iterator[Stream]:
    rows = _rows(requests)
    if not pieces.exists():
        yield from map(stream_of, rows)
        return
    for row, events in zip(rows, _rows(pieces), strict=True):
        if row["id"] != events["id"]:
            raise ValueError(f"{pieces.name} does not belong to {requests.name}: {events['id']} is not {row['id']}")
        yield stream_of(row | events)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import, and `--help` needs it not

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_BATCH):
            yield from batch.to_pylist()
