"""A month of one expression: Prometheus asked at regular times, in as few requests as it allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from holdfast.sources.server import Asking, UnansweredError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Ask = Callable[[str, Numbers], Numbers]
    """(PromQL of at most one series, evenly spaced Unix seconds) -> its value at each, NaN where it has none."""

CHUNK: Final = 10_000
"""Times asked for at once: Prometheus refuses more than 11,000 points of a series."""


def connect(url: str) -> Ask:
    """Asks the server at `url`. What it returns raises UnansweredError when the server gives no whole answer."""
    server = Asking(url)

    def ask(promql: str, at: Numbers) -> Numbers:
        values = np.full(len(at), np.nan)
        for first in range(0, len(at), CHUNK):
            chunk = at[first : first + CHUNK]
            values[first : first + CHUNK] = _chunk(server, promql, chunk)
        return values

    return ask


def _chunk(server: Asking, promql: str, at: Numbers) -> Numbers:
    step = float(at[1] - at[0]) if len(at) > 1 else 1.0
    span = ("start", f"{at[0]:.3f}"), ("end", f"{at[-1]:.3f}"), ("step", f"{step:g}")
    found = (server.get("query_range", ("query", promql), *span) or {}).get("result", [])
    if len(found) > 1:
        raise UnansweredError(f"Prometheus gave {len(found)} series where one was asked for: {promql}")
    values = np.full(len(at), np.nan)
    for moment, value in found[0]["values"] if found else ():
        values[round((float(moment) - at[0]) / step)] = float(value)
    return values
