"""BurstGPT: seconds from the first day's midnight, failed answers with no tokens, and from version 1.2 on sessions.

https://github.com/HPMLL/BurstGPT, data CC-BY 4.0.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from holdfast.load.traces.base import TICKS, Columns, Format, Stamped, refuse, tokens

if TYPE_CHECKING:
    from collections.abc import Callable

REQUIRED: Final = ("Timestamp", "Request tokens", "Response tokens")
OPTIONAL: Final = ("Session ID", "Elapsed time", "Model", "Total tokens", "Log Type")
HEADER: Final = "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type"


def _reader(header: str) -> Callable[[str], Stamped]:
    columns = Columns(header, required=REQUIRED, optional=OPTIONAL)
    stamp, prompt, answer = (columns.index(name) or 0 for name in REQUIRED)
    session = columns.index("Session ID")

    def read(line: str) -> Stamped:
        cells = columns.cells(line)
        who = cells[session] if session is not None else ""
        return Stamped(_ticks(cells, stamp), tokens(cells, prompt), tokens(cells, answer), who)

    return read


def _ticks(cells: list[str], index: int) -> int:
    try:
        seconds = float(cells[index])
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        refuse(cells, index, f"not a number of seconds: {cells[index]!r}")
    if seconds < 0:
        refuse(cells, index, f"a time before the trace's zero: {cells[index]}")
    return round(seconds * TICKS)


FORMAT: Final = Format(begins=HEADER, claims=lambda line: line.startswith("Timestamp,"), reader=_reader)
