"""Records that are given by their ages at a story's end: days of them cost nothing.

Rules are evaluated at 0 and once more, at the end. At an age that is a window's edge there is no record: whether it
would be in the window depends on the release of Prometheus.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from holdfast.model.slo import DAY
from holdfast.slo import counts, rules
from holdfast.slo.promtests.subject import up

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.slo.promtests.subject import Subject


def end_of(subject: Subject) -> float:
    """When all windows that alerts look at, and two days, are behind: a whole number of records."""
    return up(up(max(2 * DAY, *rules.windows_of(subject.slo)) + 2 * subject.tile, DAY), subject.tile)


def records(
    subject: Subject,
    tick: float,
    total: Mapping[float, float | str],
    bad: Mapping[float, float | str],
    *,
    at: float = 0.0,
) -> dict[str, str]:
    """The two records by their ages at the end, in seconds, or at another time."""
    end, names = at or end_of(subject), counts.names_of(subject.slo)
    labels = counts.selector(subject.slo)
    return {
        f"{name}{labels}": as_samples(values, end, tick)
        for name, values in zip(names, (total, bad), strict=True)
        if values
    }


def ages_until(until: float, tick: float) -> list[float]:
    """0, one tick, two ... in seconds, and not the last."""
    return [number * tick for number in range(round(until / tick))]


def as_samples(values: Mapping[float, float | str], end: float, tick: float) -> str:
    """As promtool writes series: a sample each tick from 0 to the end, `_` where there is none."""
    every = [values.get(number * tick, "_") for number in range(round(end / tick), -1, -1)]
    return " ".join(_run(value, len(list(same))) for value, same in groupby(every))


def _run(value: float | str, times: int) -> str:
    if value == "_":
        return f"_x{times}"
    shown = value if isinstance(value, str) else f"{value!r}"
    return f"{shown}x{times - 1}" if times > 1 else shown


def braces(labels: Mapping[str, str]) -> str:
    """Labels as promtool writes them behind a name."""
    return "{" + ", ".join(f'{label}="{value}"' for label, value in labels.items()) + "}"
