"""One picture of a backtest: the budget that was left; below it when alerts fired and what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from typing import TYPE_CHECKING, Final

import numpy as np

from holdfast.report.canvas import BLUE, PURPLE, RED, SETTINGS, YELLOW, embeddable
from holdfast.report.words import clean, shorten
from holdfast.units import show_ratio

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from holdfast.slo.evaluate.backtest import Backtest
    from holdfast.slo.evaluate.vectors import Mask, Numbers
    from holdfast.slo.review.model import Cause

    Spans = Iterable[tuple[float, float]]

_POINTS: Final = 1200
_DEEPEST: Final = -1.0
_DAY: Final = 86400.0
_SIZES: Final = {False: (10.0, 3.4), True: (4.2, 3.6)}
"""Inches, wide and narrow."""
_LANES: Final = (("page", RED), ("ticket", PURPLE), ("incident", YELLOW), ("dead", "#222222"), ("no record", "#8a8a8a"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture in two widths; `label` says in words what it shows."""

    label: str
    wide: str
    narrow: str


def picture(result: Backtest, incidents: Sequence[Cause], name: str) -> Picture:
    """The budget of one SLO over the time span; `name` keeps its ids apart from other pictures'."""
    mine = [one for one in incidents if not one.slos or result.slo.id in one.slos]
    label = f"{result.slo.id}: {_said(result)}"
    wide, narrow = (
        embeddable(_drawn(result, mine, narrow=slim), f"{name}-n" if slim else name, label) for slim in (False, True)
    )
    return Picture(label=label, wide=wide, narrow=narrow)


def _said(result: Backtest) -> str:
    if result.least_left is None:
        return "no error budget could be computed."
    left = "not known at the end" if result.left is None else f"{show_ratio(result.left, 3)} at the end"
    return f"error budget left, {left}, at least {show_ratio(result.least_left, 3)}; {len(result.firings)} alerts."


def _drawn(result: Backtest, incidents: Sequence[Cause], *, narrow: bool) -> str:
    import matplotlib as mpl  # noqa: PLC0415 - imported where it is needed
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415 - imported where it is needed
    from matplotlib.figure import Figure  # noqa: PLC0415 - imported where it is needed

    text = StringIO()
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=_SIZES[narrow], dpi=150)
        FigureCanvasSVG(figure)
        budget, lanes = _two(figure, narrow=narrow)
        _budget(budget, result, incidents)
        _lanes(lanes, result, incidents, named=not narrow)
        _times(lanes, result, most=4 if narrow else 9)
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, transparent=False)
    return text.getvalue()


def _two(figure: Figure, *, narrow: bool) -> tuple[Axes, Axes]:
    left, width = (0.19, 0.78) if narrow else (0.085, 0.9)
    lanes = figure.add_axes((left, 0.1, width, 0.25))
    budget = figure.add_axes((left, 0.4, width, 0.56), sharex=lanes)
    for axes in (budget, lanes):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=7, length=2.5, width=0.6, colors="#444444")
    budget.tick_params(labelbottom=False)
    return budget, lanes


def _budget(axes: Axes, result: Backtest, incidents: Sequence[Cause]) -> None:
    axes.set_xlim(result.at[0], max(result.at[-1], result.at[0] + 1))
    axes.grid(axis="y", lw=0.4, color="#dddddd")
    axes.set_axisbelow(True)
    axes.yaxis.set_major_formatter(lambda value, _place: f"{value:.0%}")
    axes.set_ylabel("budget left", color="#555555", fontsize=7.5)
    for one in incidents:
        axes.axvspan(one.start, one.end, color=YELLOW, alpha=0.22, lw=0)
    lowest = result.least_left
    if lowest is None:
        axes.text(0.5, 0.5, "no error budget could be computed", ha="center", color="#555555", transform=axes.transAxes)
        axes.set_yticks([])
        return
    times, left = _thinned(result.at, result.remaining)
    axes.axhline(0, color="#444444", lw=0.8)
    axes.fill_between(times, 0, left, where=left > 0, color=BLUE, alpha=0.12, lw=0)
    axes.fill_between(times, 0, left, where=left < 0, color=RED, alpha=0.18, lw=0)
    axes.plot(times, left, color=BLUE, lw=1.6)
    bottom = max(_DEEPEST, lowest)
    axes.set_ylim(bottom - 0.04 * (1 - bottom), 1.03)
    if lowest < _DEEPEST:
        words = f"goes down to {show_ratio(lowest, 3)}"
        box = {"facecolor": "#ffffff", "alpha": 0.8, "edgecolor": "none", "pad": 1.5}
        axes.text(0.01, 0.05, words, color=RED, fontsize=7.5, transform=axes.transAxes, bbox=box)


def _thinned(at: Numbers, values: Numbers) -> tuple[Numbers, Numbers]:
    """The least of each of some hundred stretches: what was worst is never smoothed away."""
    each = -(-len(at) // _POINTS)
    if each == 1:
        return at, values
    starts = np.arange(0, len(at), each)
    return at[starts], np.fmin.reduceat(values, starts)


def _lanes(axes: Axes, result: Backtest, incidents: Sequence[Cause], *, named: bool) -> None:
    end = float(result.at[-1]) + result.step
    spans: dict[str, list[tuple[float, float]]] = {
        severity: [(one.start, one.end or end) for one in result.firings if one.severity == severity]
        for severity in ("page", "ticket")
    }
    spans["incident"] = [(one.start, one.end) for one in incidents]
    spans["dead"] = _stretches(result.silent & ~result.missing, result.at, result.step)
    spans["no record"] = _stretches(result.missing, result.at, result.step)
    shown = [(name, color) for name, color in _LANES if name != "incident" or incidents]
    for row, (name, color) in enumerate(reversed(shown)):
        axes.axhline(row, color="#eef1f5", lw=9, zorder=0)
        # An edge of its own colour: what lasted minutes of a month is still seen.
        axes.broken_barh([(a, b - a) for a, b in spans[name]], (row - 0.3, 0.6), color=color, lw=0.9)
    axes.set_yticks(range(len(shown)), [name for name, _ in reversed(shown)])
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    if incidents and named:
        _names(axes, incidents, result, row=len(shown) - 1 - [name for name, _ in shown].index("incident"))


def _names(axes: Axes, incidents: Sequence[Cause], result: Backtest, row: int) -> None:
    whole = float(result.at[-1] - result.at[0])
    for one in incidents:
        if result.at[0] <= one.end and one.start <= result.at[-1]:
            late = one.end > result.at[-1] - 0.2 * whole
            place = (one.start, -4) if late else (one.end, 4)
            axes.annotate(
                shorten(clean(one.name), 28), (place[0], row), (place[1], 0), textcoords="offset points",
                ha="right" if late else "left", va="center", fontsize=6.5, color="#7a5300",
            )  # fmt: skip


def _stretches(where: Mask, at: Numbers, step: float) -> list[tuple[float, float]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], where, [False])).astype(np.int8))).reshape(-1, 2)
    return [(float(at[first]), float(at[after - 1]) + step) for first, after in edges]


def _times(axes: Axes, result: Backtest, most: int) -> None:
    """Round moments of UTC."""
    start, end = float(result.at[0]), float(result.at[-1])
    steps = (60.0, 300.0, 900.0, 3600.0, 3 * 3600.0, 6 * 3600.0, 12 * 3600.0, *(_DAY * n for n in (1, 2, 3, 7, 14, 30)))
    each = next((one for one in steps if (end - start) / one <= most), (end - start) / most or 1.0)
    places = np.arange(np.ceil(start / each) * each, end + 1, each)
    form = "%-d %b" if each >= _DAY else "%-d %b %H:%M" if end - start > _DAY else "%H:%M"
    axes.set_xticks(places, [f"{datetime.fromtimestamp(float(one), UTC):{form}}" for one in places])
