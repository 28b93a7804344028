"""One picture's frame: run seconds across, phases, faults and alerts behind, and plain deterministic SVG out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any, Final
from xml.etree.ElementTree import Element, XMLParser, fromstring, tostring

import numpy as np

from holdfast.report.words import clean, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from matplotlib.axes import Axes

    from holdfast.model.scenario import Phase
    from holdfast.model.timeline import AlertEvent, Event, Timeline

# Okabe and Ito's palette.
BLACK, GREY = "#222222", "#8a8a8a"
BLUE, SKY, GREEN = "#0072B2", "#56B4E9", "#009E73"
VERMILION, PURPLE, YELLOW = "#D55E00", "#CC79A7", "#E69F00"
RED: Final = "#C1121F"

WIDE: Final = (10.0, 2.6)
NARROW: Final = (4.2, 2.8)
"""Inches."""
HEARTBEAT: Final = "Watchdog"
SETTINGS: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",  # text stays text: it can be searched, copied and read aloud
    "svg.hashsalt": "holdfast",
    "font.family": ["DejaVu Sans"],
    "font.size": 8.0,
    "axes.linewidth": 0.6,
    "hatch.linewidth": 0.5,
    "path.simplify": True,
    "axes.unicode_minus": False,
    "text.usetex": False,
    "text.parse_math": False,  # a "$" in a name is a dollar
}
_FONTS: Final = "font-family: 'DejaVu Sans', Verdana, system-ui, sans-serif"
_SVG: Final = "http://www.w3.org/2000/svg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One fault on one target from the moment it was applied until it was seen gone; `end` None: never seen."""

    fault: str
    target: str
    start: float
    end: float | None


def fault_spans(events: Iterable[Event]) -> tuple[Span, ...]:
    """Every application of a fault, paired with the first "gone" after it: of the same id where it has one."""
    open_: dict[tuple[str, ...], Event] = {}
    spans: list[Span] = []
    for event in sorted(events, key=lambda one: one.t):
        key = (_word(event, "id"),) if event.data.get("id") else (_word(event, "fault"), _word(event, "target"))
        step = event.data.get("step")
        if step == "applied":
            open_.setdefault(key, event)
        elif step == "gone" and key in open_:
            spans.append(_span(open_.pop(key), event.t))
    spans += [_span(event, None) for event in open_.values()]
    return tuple(sorted(spans, key=lambda span: span.start))


def _span(applied: Event, end: float | None) -> Span:
    return Span(fault=_word(applied, "fault"), target=_word(applied, "target"), start=applied.t, end=end)


def shown_alerts(timeline: Timeline) -> tuple[AlertEvent, ...]:
    """The alerts of the run itself that say something; the heartbeat of the alert path fires always."""
    return tuple(alert for alert in timeline.alerts if alert.name != HEARTBEAT and alert.t >= 0)


def _word(event: Event, name: str) -> str:
    return clean(str(event.data.get(name) or ""))


@dataclass(frozen=True, slots=True)
class Canvas:
    """Axes over a run's seconds, and the run's columns as arrays; a missing column is all NaN."""

    axes: Axes
    timeline: Timeline
    narrow: bool

    @property
    def end(self) -> float:
        """Seconds shown: all of the scenario, and whatever was still recorded after it."""
        times = [self.timeline.scenario.length, *(one.t for one in shown_alerts(self.timeline))]
        times += [event.t for event in self.timeline.of("fault")]
        for name in ("due", "done"):
            column = self.column(name)
            times += column[np.isfinite(column)].tolist()
        return max([1.0, *(t for t in times if np.isfinite(t))])

    def column(self, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """A column of the requests as numbers."""
        requests = self.timeline.load.requests
        if name not in requests:
            return np.full(len(requests), np.nan)
        return requests[name].to_numpy(dtype=float, na_value=np.nan)

    def outcomes(self) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
        """Each request's outcome; "unknown" where none was written, which is never ok."""
        requests = self.timeline.load.requests
        values = requests["outcome"].tolist() if "outcome" in requests else [None] * len(requests)
        words = [clean(one) if isinstance(one, str) and one else "unknown" for one in values]
        return np.array(words, dtype=object)

    def seconds(self, step: float = 1.0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Bin edges from 0 to beyond the end; wider in a run of hours, so that there are at most 2000."""
        wide = max(step, float(np.ceil(self.end / 2000)))
        return np.arange(0.0, np.floor(self.end / wide) * wide + 1.5 * wide, wide)

    def nothing(self, why: str) -> str:
        """An empty panel that says so."""
        self.say(f"no data: {shorten(why, 60 if self.narrow else 120)}")
        self.axes.set_yticks([])
        return f"No data: {clean(why)}."

    def say(self, text: str) -> None:
        """Words in the middle of the panel."""
        size = 8 if self.narrow else 10
        middle = self.axes.transAxes
        self.axes.text(0.5, 0.3, text, color="#555555", fontsize=size, ha="center", va="center", transform=middle)

    def legend(self, unit: str) -> None:
        """Name the y axis, and below the plot what is drawn how."""
        self.axes.set_ylabel(unit, color="#555555", fontsize=7.5)
        figure = self.axes.get_figure()
        if figure:
            self.axes.yaxis.set_label_coords(0.022 if self.narrow else 0.012, 0.57, figure.transSubfigure)
        handles, labels = self.axes.get_legend_handles_labels()
        if labels:
            self.axes.legend(
                handles, labels, loc="upper left", bbox_to_anchor=(0, -0.12), frameon=False,
                ncols=3 if self.narrow else 8, fontsize=7, handlelength=1.6, columnspacing=1.2, borderaxespad=0,
            )  # fmt: skip

    def log_range(self, values: list[float]) -> None:
        """Leave room at the top for marks, and label powers of ten in plain figures."""
        known = [one for one in values if np.isfinite(one) and one > 0] or [1.0, 1000.0]
        self.axes.set_ylim(min(known) / 1.6, max(known) * 3)
        self.axes.yaxis.set_major_formatter(lambda value, _place: f"{value:g}")
        self.axes.yaxis.set_minor_formatter(lambda _value, _place: "")

    def bound(self, value: float, text: str) -> None:
        """A dashed line across, with its name at the right end."""
        self.axes.axhline(value, color=PURPLE, lw=1.2, ls=(0, (5, 3)))
        self.axes.annotate(
            text, (1, value), (-3, 2), xycoords=self.axes.get_yaxis_transform(), textcoords="offset points",
            ha="right", va="bottom", color="#9c4377", fontsize=7.5, fontweight="bold",
        )  # fmt: skip


def render(
    timeline: Timeline, draw: Callable[[Canvas], str], *, name: str, title: str, narrow: bool
) -> tuple[str, str]:
    """The SVG element and what `draw` said of it; the same timeline gives the same text, byte for byte."""
    import matplotlib as mpl  # noqa: PLC0415 - half a second that `--help` need not pay
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    text = StringIO()
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=NARROW if narrow else WIDE, dpi=150)
        FigureCanvasSVG(figure)
        box = (0.13, 0.235, 0.855, 0.67) if narrow else (0.055, 0.19, 0.938, 0.71)
        canvas = Canvas(figure.add_axes(box), timeline, narrow)
        _frame(canvas)
        said = draw(canvas)
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, transparent=False)
    return embeddable(text.getvalue(), name, f"{title}. {said}"), said


def _frame(canvas: Canvas) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    axes, timeline = canvas.axes, canvas.timeline
    axes.set_xlim(0, canvas.end)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=7, length=2.5, width=0.6, colors="#444444")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.xaxis.set_major_formatter(lambda value, _place: f"{value:g} s")
    axes.grid(axis="y", lw=0.4, color="#dddddd")
    axes.set_axisbelow(True)
    for index, phase in enumerate(timeline.scenario.phases):
        _phase(canvas, phase, shaded=index % 2 == 0)
    for span in fault_spans(timeline.of("fault")):
        _fault(canvas, span)
    for alert in shown_alerts(timeline):
        _alert(canvas, alert)


def _phase(canvas: Canvas, phase: Phase, *, shaded: bool) -> None:
    canvas.axes.axvspan(phase.start, phase.end, color="#eef1f5" if shaded else "#ffffff", lw=0, zorder=-3)
    name = phase.name if phase.judged else f"{phase.name} (not judged)"
    text = _fitting(canvas, name, phase.length, size=7.5) or _fitting(canvas, phase.name, phase.length, 7.5, cut=True)
    transform = canvas.axes.get_xaxis_transform()
    middle = phase.start + phase.length / 2
    canvas.axes.text(middle, 1.02, text, ha="center", va="bottom", fontsize=7.5, color="#444444", transform=transform)


def _fault(canvas: Canvas, span: Span) -> None:
    end = canvas.end if span.end is None else span.end
    canvas.axes.axvspan(span.start, end, facecolor=YELLOW, alpha=0.22, lw=0, zorder=-2)
    canvas.axes.axvline(span.start, color=VERMILION, lw=0.9, zorder=-1)
    text = f"{span.fault} {span.target}".strip()
    if span.end is None:
        canvas.axes.axvspan(span.start, end, facecolor="none", edgecolor="#e9a87c", lw=0, hatch="//", zorder=-2)
        text = f"never seen gone: {text}"
    # Left of its line: what the fault did is drawn to the right of it.
    _upright(canvas, span.start, text, "#a34700", left=span.start > canvas.end * 0.03)


def _alert(canvas: Canvas, alert: AlertEvent) -> None:
    firing = alert.status == "firing"
    color = RED if firing else GREEN
    canvas.axes.axvline(alert.t, color=color, lw=0.9, ls=":" if firing else (0, (1, 2)), zorder=-1)
    transform = canvas.axes.get_xaxis_transform()
    marker = "^" if firing else "v"
    canvas.axes.plot([alert.t], [0], marker, color=color, ms=6, transform=transform, clip_on=False, zorder=5)
    # At the right end of the run the words stand left of their line, else they would leave the picture.
    late = alert.t > canvas.end * 0.97
    _upright(canvas, alert.t, f"{clean(alert.name)} {clean(alert.status)}", color, left=late)


def _upright(canvas: Canvas, t: float, text: str, color: str, *, left: bool) -> None:
    canvas.axes.annotate(
        shorten(text, 44), (t, 0.96), (-2 if left else 2, 0), xycoords=canvas.axes.get_xaxis_transform(),
        textcoords="offset points", rotation=90, ha="right" if left else "left", va="top", fontsize=6.5, color=color,
        bbox={"facecolor": "#ffffff", "alpha": 0.72, "edgecolor": "none", "pad": 0.6}, zorder=6,
    )  # fmt: skip


def _fitting(canvas: Canvas, text: str, length: float, size: float, *, cut: bool = False) -> str:
    """`text` when it fits above a phase of `length` seconds; else nothing, or what fits of it when `cut`."""
    points = (NARROW[0] * 0.88 if canvas.narrow else WIDE[0] * 0.94) * 72 * length / canvas.end
    room = int(points / (size * 0.6))
    if len(text) <= room:
        return clean(text)
    return shorten(text, room) if cut and room > 2 else ""  # noqa: PLR2004 - one letter and an ellipsis say nothing


def embeddable(text: str, name: str, label: str) -> str:
    """The svg element alone: sized by its page, named for a screen reader, with ids unlike any other picture's."""
    root = fromstring(text, XMLParser())  # noqa: S314 - matplotlib wrote it a moment ago
    _drop(root, {f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"})
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', text))
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {key.rpartition("}")[2]: _own(value, name) for key, value in _kept(element, used)}
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.attrib.update({"role": "img", "aria-label": label, "style": f"{_FONTS}; stroke-linejoin: round"})
    title = Element("title")
    title.text = label
    root.insert(0, title)
    return tostring(root, encoding="unicode", short_empty_elements=True)


def _kept(element: Element, used: set[str]) -> list[tuple[str, Any]]:
    return [(key, value) for key, value in element.items() if key != "id" or value in used]


def _own(value: str, name: str) -> str:
    if re.fullmatch(r"#?[mph][0-9a-f]{8,}|#?image[0-9a-f]+", value):
        return f"#{name}-{value[1:]}" if value.startswith("#") else f"{name}-{value}"
    return re.sub(r"url\(#", f"url(#{name}-", value)


def _drop(parent: Element, tags: set[str]) -> None:
    for child in list(parent):
        if child.tag in tags:
            parent.remove(child)
        else:
            _drop(child, tags)
