"""One number out of a page of Prometheus's text format."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def total(page: str, name: str, label: str = "") -> float:
    """Sum of the series of that name which bear the label, written as `key="value"`; NaN when there is none."""
    found = tuple(_values(page, name, label))
    return sum(found) if found else math.nan


def _values(page: str, name: str, label: str) -> Iterator[float]:
    for line in page.splitlines():
        series, _, value = line.rpartition(" ")
        if series.partition("{")[0] == name and label in series:
            yield float(value)
