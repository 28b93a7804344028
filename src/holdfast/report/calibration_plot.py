"""Engine against simulator, a panel a number: on the diagonal they agree, and the band is ten percent."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Final

from holdfast.calibration.errors import NUMBERS
from holdfast.report.canvas import BLUE, SETTINGS, VERMILION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from holdfast.calibration.errors import Number, Pair

_SIZE: Final = (10.0, 3.6)
_BAND: Final = 0.1
_TITLES: Final = {
    "itl_p50": ("ITL p50", "ms", 1000),
    "ttft_p50": ("TTFT p50", "ms", 1000),
    "throughput": ("tokens/s", "", 1),
}


def drawing(found: Sequence[Pair]) -> str:
    """An SVG file; the same cells give the same text, byte for byte."""
    import matplotlib as mpl  # noqa: PLC0415 - imported where it is needed
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415 - imported where it is needed
    from matplotlib.figure import Figure  # noqa: PLC0415 - imported where it is needed

    text = StringIO()
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=_SIZE, dpi=150)
        FigureCanvasSVG(figure)
        for place, number in enumerate(NUMBERS):
            _panel(figure.add_axes((0.055 + place * 0.325, 0.15, 0.275, 0.74)), found, number)
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, transparent=False)
    return text.getvalue()


def _panel(axes: Axes, found: Sequence[Pair], number: Number) -> None:
    title, unit, scale = _TITLES[number]
    shown = [one for one in found if getattr(one.engine, number) and getattr(one.simulator, number)]
    values = [scale * getattr(side, number) for one in shown for side in (one.engine, one.simulator)]
    low, high = min(values, default=1.0) / 1.4, max(values, default=10.0) * 1.4
    axes.fill_between([low, high], [low * (1 - _BAND), high * (1 - _BAND)], [low * (1 + _BAND), high * (1 + _BAND)],
                      color="#eef1f5", lw=0, label="within 10 %")  # fmt: skip
    axes.plot([low, high], [low, high], color="#999999", lw=0.8)
    for held, color, name in ((False, BLUE, "seen by the fit"), (True, VERMILION, "held out")):
        mine = [one for one in shown if one.held is held]
        x = [scale * getattr(one.engine, number) for one in mine]
        y = [scale * getattr(one.simulator, number) for one in mine]
        axes.plot(x, y, "o", ms=4, color=color, label=name, alpha=0.85)
    _frame(axes, low, high, title + (f", {unit}" if unit else ""))


def _frame(axes: Axes, low: float, high: float, title: str) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _place: f"{value:g}")
        axis.set_minor_formatter(lambda _value, _place: "")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(which="both", labelsize=7, length=2.5, width=0.6, colors="#444444")
    axes.set_title(title, fontsize=9, color="#222222", loc="left")
    axes.set_xlabel("engine", color="#555555", fontsize=7.5)
    axes.set_ylabel("simulator", color="#555555", fontsize=7.5)
    axes.legend(loc="upper left", frameon=False, fontsize=7, handletextpad=0.3)
