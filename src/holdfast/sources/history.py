"""What was: a month of one expression, for which a Prometheus is asked as seldom as it allows; or a file of samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from holdfast.errors import UsageError
from holdfast.slo.evaluate.openmetrics import read_openmetrics
from holdfast.sources.server import Asking, UnansweredError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from holdfast.slo.evaluate.vectors import Track

    Numbers = NDArray[np.float64]
    Ask = Callable[[str, Numbers], Numbers]
    """(PromQL of at most one series, evenly spaced Unix seconds) -> its value at each, NaN where it has none."""

CHUNK: Final = 10_000
"""Times asked for at once: Prometheus refuses more than 11,000 points of a series."""


def connect(server: Asking) -> Ask:
    """Asks a server. What it returns raises UnansweredError when the server gives no whole answer."""

    def ask(promql: str, at: Numbers) -> Numbers:
        values = np.full(len(at), np.nan)
        for first in range(0, len(at), CHUNK):
            chunk = at[first : first + CHUNK]
            values[first : first + CHUNK] = _chunk(server, promql, chunk)
        return values

    return ask


def read_file(path: Path) -> tuple[Track, ...]:
    """Every series of a file in OpenMetrics. Raises UsageError where there is none, and as `read_openmetrics`."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return read_openmetrics(file, str(path))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error


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
