"""Two Parquet tables that grow in the order of requests' numbers, from lines in the order in which requests ended."""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, Any, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from holdfast.store.columns import DETAIL_COLUMNS, REQUEST_COLUMNS, cell, is_text
from holdfast.store.pieces import PIECE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ROWS: Final = 20_000
"""Requests in one group of rows: what is held in memory beside those that wait for an earlier one."""
_REQUESTS: Final = pa.schema(
    [(name, pa.string() if is_text(name) else pa.float64()) for name in (*REQUEST_COLUMNS, *DETAIL_COLUMNS)]
)
_WHOLE: Final = pa.list_(pa.int64())
_PIECES: Final = pa.schema(
    list(zip(PIECE_COLUMNS, (pa.float64(), _WHOLE, pa.string(), _WHOLE), strict=True))  # id, at, kinds, counts
)
_DIFFERENCES: Final[Mapping[str, str]] = {"at.list.element": "DELTA_BINARY_PACKED"}
"""Events follow one another: the steps between them need a quarter of the bits of the times."""


class Tables:
    """Writes `requests` and `pieces`, one row a request in either, in the same order; a context manager.

    A request waits in memory for those with a smaller number that have not ended. Raises OSError when the disk is full.
    """

    def __init__(self, requests: Path, pieces: Path) -> None:
        self._ahead: list[tuple[float, int, Mapping[str, Any]]] = []
        self._taken, self._next = 0, 0.0
        self._rows: list[Mapping[str, Any]] = []
        self._requests = pq.ParquetWriter(requests, _REQUESTS, compression="zstd")
        plain = ["id", "kinds"]
        self._pieces = pq.ParquetWriter(
            pieces, _PIECES, compression="zstd", use_dictionary=plain, column_encoding=dict(_DIFFERENCES)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._pieces.close()
        finally:
            self._requests.close()

    def take(self, line: Mapping[str, Any]) -> None:
        """One request. Raises ValueError or TypeError when its number is none."""
        number = math.inf if line.get("id") is None else float(line["id"])
        self._taken += 1
        heapq.heappush(self._ahead, (number, self._taken, line))
        while self._ahead and self._ahead[0][0] <= self._next:
            self._next = max(self._next, self._ahead[0][0] + 1)
            self._put()

    def finish(self) -> None:
        """Write what waited for requests that never came."""
        while self._ahead:
            self._put()
        self._flush()

    def _put(self) -> None:
        self._rows.append(heapq.heappop(self._ahead)[2])
        if len(self._rows) >= ROWS:
            self._flush()

    def _flush(self) -> None:
        rows, self._rows = self._rows, []
        if rows:
            self._requests.write_batch(_batch(rows, _REQUESTS))
            self._pieces.write_batch(_batch(rows, _PIECES))


def _batch(rows: list[Mapping[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    columns = []
    for one in schema:
        raw = one.name in {"at", "kinds", "counts"}
        values = [row.get(one.name) if raw else cell(row, one.name) for row in rows]
        columns.append(pa.array(values, type=one.type))
    return pa.record_batch(columns, schema=schema)
