"""Two pictures of an SLO's month: the budget that is left, and what each day spent on what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from holdfast.report.budget_words import share
from holdfast.report.canvas import BLUE, GREEN, GREY, NARROW, RED, SETTINGS, VERMILION, WIDE, embeddable

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

    from holdfast.slo.review.model import Review, SloReview

_FACES: Final = {"run": ("#f6dfb2", "chaos run"), "incident": ("#f2c6bd", "incident")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture in two widths; `label` says in words what it shows."""

    title: str
    label: str
    wide: str
    narrow: str


@dataclass(frozen=True, slots=True)
class _Sheet:
    axes: Axes
    review: Review
    one: SloReview
    narrow: bool

    def x(self, at: float) -> float:
        """Days from the month's start: those with a clock change are as wide as they are long."""
        return (at - self.review.month.start) / 86400


def pictures(review: Review, one: SloReview, name: str) -> tuple[Picture, ...]:
    """Both pictures of one SLO; `name` keeps their ids apart from other pictures'."""
    drawn: tuple[tuple[str, str, Callable[[_Sheet], str]], ...] = (
        ("left", "Budget left", _left),
        ("days", "Budget spent by day", _days),
    )
    return tuple(_picture(review, one, f"{name}-{key}", title, draw) for key, title, draw in drawn)


def _picture(review: Review, one: SloReview, name: str, title: str, draw: Callable[[_Sheet], str]) -> Picture:
    wide, said = _render(review, one, name, title, draw, narrow=False)
    narrow, _ = _render(review, one, f"{name}-n", title, draw, narrow=True)
    return Picture(title=title, label=f"{title}. {said}", wide=wide, narrow=narrow)


def _render(
    review: Review, one: SloReview, name: str, title: str, draw: Callable[[_Sheet], str], *, narrow: bool
) -> tuple[str, str]:
    import matplotlib as mpl  # noqa: PLC0415 - imported where it is needed
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415 - imported where it is needed
    from matplotlib.figure import Figure  # noqa: PLC0415 - imported where it is needed

    text = StringIO()
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=NARROW if narrow else WIDE, dpi=150)
        FigureCanvasSVG(figure)
        box = (0.13, 0.2, 0.84, 0.74) if narrow else (0.055, 0.16, 0.935, 0.78)
        sheet = _Sheet(figure.add_axes(box), review, one, narrow)
        _frame(sheet)
        said = draw(sheet)
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, transparent=False)
    return embeddable(text.getvalue(), name, f"{one.asked.slo}: {title}. {said}"), said


def _frame(sheet: _Sheet) -> None:
    axes, month = sheet.axes, sheet.review.month
    axes.set_xlim(0, sheet.x(month.end))
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=7, length=2.5, width=0.6, colors="#444444")
    axes.grid(axis="y", lw=0.4, color="#dddddd")
    axes.set_axisbelow(True)
    every = 7 if sheet.narrow else 2
    shown = month.days[::every]
    names = [f"{datetime.fromtimestamp(day.start, ZoneInfo(month.zone)):%-d %b}" for day in shown]
    axes.set_xticks([sheet.x(day.start) for day in shown], names, ha="left")
    axes.yaxis.set_major_formatter(lambda value, _place: f"{value:.4g} %")
    if sheet.review.partial:
        axes.axvspan(sheet.x(sheet.review.now), sheet.x(month.end), color="#f4f5f7", lw=0, zorder=-3)


def _causes(sheet: _Sheet) -> None:
    """Bands at the true times; at least a hair wide, since runs take minutes of a month."""
    told = set()
    for cause in sheet.review.causes:
        if cause.slos and sheet.one.asked.slo not in cause.slos:
            continue
        color, label = _FACES[cause.kind]
        start, end = sheet.x(cause.start), sheet.x(cause.end)
        sheet.axes.axvspan(
            start, max(end, start + 0.06), color=color, lw=0, zorder=-2, label=None if label in told else label
        )
        told.add(label)


def _left(sheet: _Sheet) -> str:
    """The share left at each day's end, the even pace, and where the rest of the month may lead."""
    one, axes = sheet.one, sheet.axes
    if not one.total:
        return _nothing(sheet)
    _causes(sheet)
    times, left = [sheet.x(at) for at, _ in one.curve], [100 * (1 - spent) for _, spent in one.curve]
    axes.plot([0, sheet.x(sheet.review.month.end)], [100, 0], color=GREY, lw=0.9, ls=(0, (4, 3)), label="even pace")
    axes.plot(times, left, color=RED if one.left < 0 else BLUE, lw=1.8, label="left")
    axes.plot(times[-1:], left[-1:], "o", ms=4, color=RED if one.left < 0 else BLUE)
    axes.axhline(0, color="#444444", lw=0.8)
    ends = _fan(sheet, times[-1], left[-1])
    axes.set_ylim(min(-5.0, *left, *ends) * 1.05, 104)
    _legend(sheet)
    return f"{share(one.left)} is left of the month's budget at the end of what was seen."


def _fan(sheet: _Sheet, at: float, left: float) -> list[float]:
    told = sheet.one.forecast
    if told.end_low is None or told.end_middle is None or told.end_high is None:
        return []
    end = sheet.x(sheet.review.month.end)
    low, middle, high = (100 * (1 - spent) for spent in (told.end_high, told.end_middle, told.end_low))
    sheet.axes.fill([at, end, end], [left, low, high], color=BLUE, alpha=0.15, lw=0, label="forecast, 80 %")
    sheet.axes.plot([at, end], [left, middle], color=BLUE, lw=1, ls=":")
    # A fan that runs far out of the budget would flatten the month itself.
    return [max(low, -120.0), high]


def _days(sheet: _Sheet) -> str:
    """A bar per day; days with missing minutes are hatched as far as they were not seen."""
    one, axes = sheet.one, sheet.axes
    if not one.total:
        return _nothing(sheet)
    _causes(sheet)
    spans = list(zip(sheet.review.month.days, one.days, strict=False))
    even = 100 / len(sheet.review.month.days)
    heights = [100 * part.spent for _, part in spans]
    for over, color, label in ((False, GREEN, "within the pace"), (True, VERMILION, "above it")):
        mine = [(day, height) for (day, _), height in zip(spans, heights, strict=True) if (height > even) is over]
        if mine:
            left = [sheet.x(day.start) + 0.12 for day, _ in mine]
            widths = [sheet.x(day.end) - sheet.x(day.start) - 0.24 for day, _ in mine]
            axes.bar(left, [height for _, height in mine], widths, align="edge", color=color, lw=0, label=label)
    top = max(*heights, even) * 1.2
    axes.axhline(even, color=GREY, lw=0.9, ls=(0, (4, 3)))
    _missing(sheet, top)
    axes.set_ylim(0, top)
    _legend(sheet)
    worst = max(one.days, key=lambda part: part.spent)
    return f"Most was spent on {worst.name}: {share(worst.spent)}."


def _missing(sheet: _Sheet, top: float) -> None:
    """From the top down, as much of the day as nobody saw; never too little to be noticed."""
    label = "not seen"
    for day, part in zip(sheet.review.month.days, sheet.one.days, strict=False):
        if part.missing > 0:
            width = sheet.x(day.end) - sheet.x(day.start)
            tall = top * min(1.0, max(0.06, part.missing * 60 / (day.end - day.start)))
            sheet.axes.bar(
                sheet.x(day.start), tall, width, top - tall, align="edge", facecolor="#fbf3df", edgecolor="#a8790a",
                hatch="////", lw=0, zorder=3, label=label,
            )  # fmt: skip
            label = ""


def _legend(sheet: _Sheet) -> None:
    handles, labels = sheet.axes.get_legend_handles_labels()
    kept = [(handle, label) for handle, label in zip(handles, labels, strict=True) if label]
    sheet.axes.legend(
        [handle for handle, _ in kept], [label for _, label in kept], loc="upper left", bbox_to_anchor=(0, -0.1),
        frameon=False, ncols=3 if sheet.narrow else 8, fontsize=7, handlelength=1.6, columnspacing=1.2,
        borderaxespad=0,
    )  # fmt: skip


def _nothing(sheet: _Sheet) -> str:
    middle = sheet.axes.transAxes
    sheet.axes.text(0.5, 0.5, "no event was seen", color="#555555", fontsize=9, ha="center", transform=middle)
    sheet.axes.set_yticks([])
    return "No event was seen."
