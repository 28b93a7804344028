"""The Azure LLM inference traces of 2023 and 2024: calendar times, those of 2024 with an offset from UTC.

https://github.com/Azure/AzurePublicDataset, CC-BY. The files of 2023 have seven digits after the point and no offset;
those of 2024 have six, or no point at all on a full second, and +00:00.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from holdfast.load.traces.base import TICKS, Columns, Format, Stamped, refuse, tokens

if TYPE_CHECKING:
    from collections.abc import Callable

HEADER: Final = "TIMESTAMP,ContextTokens,GeneratedTokens"
_STAMP: Final = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d{1,7}))?([+-]\d\d:\d\d)?")


def _reader(header: str) -> Callable[[str], Stamped]:
    columns = Columns(header, required=HEADER.split(","))
    stamp, prompt, answer = (columns.index(name) or 0 for name in HEADER.split(","))

    def read(line: str) -> Stamped:
        cells = columns.cells(line)
        return Stamped(_ticks(cells, stamp), tokens(cells, prompt), tokens(cells, answer))

    return read


def _ticks(cells: list[str], index: int) -> int:
    found = _STAMP.fullmatch(cells[index])
    try:
        whole = datetime.fromisoformat(found[1] + (found[3] or "")) if found else None
    except ValueError:
        whole = None
    if not found or not whole:
        refuse(cells, index, f"not a time: {cells[index]!r}", "write it as 2023-11-16 18:15:46.6805900")
    utc = whole if whole.tzinfo else whole.replace(tzinfo=UTC)
    return int(utc.timestamp()) * TICKS + int((found[2] or "").ljust(7, "0"))


FORMAT: Final = Format(begins=HEADER, claims=lambda line: line.startswith("TIMESTAMP,"), reader=_reader)
