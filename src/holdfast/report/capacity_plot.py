"""Rate against latency: every probe with its verdict, the bound, and the capacity with its interval."""

from __future__ import annotations

import math
from io import StringIO
from typing import TYPE_CHECKING, Final

from holdfast.model.verdict import State
from holdfast.report.canvas import BLACK, BLUE, GREEN, NARROW, PURPLE, RED, SETTINGS, SKY, VERMILION, YELLOW, embeddable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from holdfast.capacity.answer import Answer
    from holdfast.capacity.probe import Probe

_WIDE: Final = (10.0, 3.6)
_LEAST: Final = 1e-4
"""Seconds that a logarithmic axis can show."""
_DECADE: Final = 10
_UNDER_NAMES: Final = 0.9
_MARKS: Final = {State.PASS: ("o", GREEN), State.FAIL: ("X", RED), State.UNKNOWN: ("D", YELLOW)}


def picture(answer: Answer, name: str) -> dict[str, str]:
    """The SVG elements for a wide and a narrow page; the same answer gives the same text, byte for byte."""
    label = _said(answer)
    return {
        "label": label,
        "wide": embeddable(_drawn(answer, narrow=False), f"{name}-w", label),
        "narrow": embeddable(_drawn(answer, narrow=True), f"{name}-n", label),
    }


def drawing(answer: Answer) -> str:
    """The wide picture as an SVG file of its own, for a document or a ticket."""
    return _drawn(answer, narrow=False)


def _said(answer: Answer) -> str:
    told = f"Latency at {len(answer.probes)} probed rates"
    if answer.estimate is None:
        return f"{told}; no capacity is drawn."
    return f"{told}; capacity {answer.estimate.rate:.3g}/s, {answer.estimate.low:.3g} to {answer.estimate.high:.3g}."


def _drawn(answer: Answer, *, narrow: bool) -> str:
    import matplotlib as mpl  # noqa: PLC0415 - imported where it is needed
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415 - imported where it is needed
    from matplotlib.figure import Figure  # noqa: PLC0415 - imported where it is needed

    text = StringIO()
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=NARROW if narrow else _WIDE, dpi=150)
        FigureCanvasSVG(figure)
        axes = figure.add_axes((0.15, 0.16, 0.82, 0.74) if narrow else (0.07, 0.13, 0.91, 0.79))
        if any(one.p95 > 0 for one in answer.probes):
            _latencies(axes, answer)
            _boundary(axes, answer)
            _frame(axes)
        else:
            axes.set_axis_off()
            axes.text(0.5, 0.5, "no data: no probe has an answer", ha="center", transform=axes.transAxes)
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, transparent=False)
    return text.getvalue()


def _latencies(axes: Axes, answer: Answer) -> None:
    """Each probe from its median to its p95, which bears the verdict; near the boundary a line would only zigzag."""
    shown = [one for one in answer.probes if one.p95 > 0]
    rates, middles = [one.rate for one in shown], [max(one.p50, _LEAST) for one in shown]
    axes.vlines(rates, middles, [one.p95 for one in shown], color=SKY, lw=1.2)
    axes.plot(rates, middles, "_", color=BLUE, ms=7, mew=1.4, label="p50")
    for state, (mark, color) in _MARKS.items():
        mine = [one for one in shown if one.state is state]
        if mine:
            name = f"p95, {state.value}"
            axes.plot([one.rate for one in mine], [one.p95 for one in mine], mark, color=color, ms=6, label=name)
    for bound in sorted(_bounds(answer.probes)):
        axes.axhline(bound, color=PURPLE, lw=1.2, ls=(0, (5, 3)))
        axes.annotate(
            f"bound {bound:.3g} s", (0, bound), (3, 2), xycoords=axes.get_yaxis_transform(), textcoords="offset points",
            color="#9c4377", fontsize=7.5, fontweight="bold",
        )  # fmt: skip


def _bounds(probes: tuple[Probe, ...]) -> set[float]:
    """The first bound of each probe: the one that its latencies are measured against."""
    firsts = (next((one.objective.bound for one in probe.judged if one.objective.bound), None) for probe in probes)
    return {bound for bound in firsts if bound is not None}


def _boundary(axes: Axes, answer: Answer) -> None:
    found = answer.estimate
    if found is not None:
        axes.axvspan(found.low, found.high, color=GREEN if answer.state is State.PASS else YELLOW, alpha=0.2, lw=0)
        axes.axvline(found.rate, color="#222222", lw=1.2)
        _named(axes, f"{found.rate:.3g}/s, {answer.boundary}", found.low, 0.98)
    if answer.knee is not None:
        axes.axvline(answer.knee, 0, _UNDER_NAMES, color=VERMILION, lw=0.9, ls=":")
        beside = answer.knee if found is None else min(answer.knee, found.low)
        _named(axes, f"knee {answer.knee:.3g}/s", beside, _UNDER_NAMES, color="#a84400")


def _named(axes: Axes, text: str, rate: float, height: float, color: str = BLACK) -> None:
    """To the left of its place, at the top: there latency is low, and nothing else is drawn."""
    axes.annotate(
        text, (rate, height), (-4, 0), xycoords=axes.get_xaxis_transform(), textcoords="offset points",
        ha="right", va="top", fontsize=7.5, color=color,
    )  # fmt: skip


def _frame(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator, NullLocator  # noqa: PLC0415 - imported where it is needed

    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        if high / low < _DECADE:  # a logarithmic axis would have one figure or none
            axis.set_major_locator(MaxNLocator(6))
            axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(lambda value, _place: f"{value:g}")
        axis.set_minor_formatter(_minor)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(which="both", labelsize=7, length=2.5, width=0.6, colors="#444444")
    axes.grid(which="major", lw=0.4, color="#dddddd")
    axes.set_axisbelow(True)
    axes.set_xlabel("requests per second", color="#555555", fontsize=7.5)
    axes.set_ylabel("latency, seconds", color="#555555", fontsize=7.5)
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False, fontsize=7,
        borderaxespad=0.2, handletextpad=0.2, columnspacing=1.2,
    )  # fmt: skip


def _minor(value: float, _place: object) -> str:
    """Two and five of each power of ten have their figure as well."""
    digit = round(value / 10 ** math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:g}" if digit in {2, 5} else ""
