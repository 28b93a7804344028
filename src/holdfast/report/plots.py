"""The record as pictures over run seconds, each an SVG that depends on nothing but the record.

Every picture shows the phases, the faults and the alerts, so that each can be read alone. Colours are Okabe and Ito's,
told apart with any colour vision ("Color Universal Design", 2008); shape or text says the same a second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from holdfast.report.canvas import BLACK, BLUE, GREEN, GREY, PURPLE, SKY, VERMILION, YELLOW, Canvas, render
from holdfast.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.model.timeline import Series, Timeline

    Numbers = np.ndarray[tuple[int], np.dtype[np.float64]]

WINDOW: Final = 2.0
"""Seconds over which a quantile is drawn; for the eye only, no verdict uses it."""
MANY: Final = 4000
"""Dots from which they are drawn as one embedded image, so that the page stays small."""
OUTCOME_COLORS: Final = (VERMILION, PURPLE, YELLOW, SKY, BLUE, GREY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One picture in two widths; `label` says in words what it shows."""

    name: str
    title: str
    label: str
    wide: str
    narrow: str


def plots(timeline: Timeline) -> tuple[Plot, ...]:
    """All pictures of a run, in the order of a request's way: asked for, answered, failed, streamed, served."""
    drawn: tuple[tuple[str, str, Callable[[Canvas], str]], ...] = (
        ("arrivals", "Requests per second: due, sent and answered well", arrivals),
        ("ttft", "Time to first token of each request, from the moment it was due", first_tokens),
        ("not-ok", "Requests per second that did not end well", not_ok),
        ("tokens", "Tokens per second", tokens),
        ("engines", "Requests in each engine", engines),
    )
    return tuple(_plot(timeline, name, title, draw) for name, title, draw in drawn)


def _plot(timeline: Timeline, name: str, title: str, draw: Callable[[Canvas], str]) -> Plot:
    wide, said = render(timeline, draw, name=name, title=title, narrow=False)
    narrow, _ = render(timeline, draw, name=f"{name}-n", title=title, narrow=True)
    return Plot(name=name, title=title, label=f"{title}. {said}", wide=wide, narrow=narrow)


def arrivals(canvas: Canvas) -> str:
    """Planned and sent per second as steps, good ones as an area, each counted at its own moment."""
    due, sent = canvas.column("due"), canvas.column("sent")
    if not np.isfinite(due).any():
        return canvas.nothing("no request was recorded")
    good = canvas.column("done")[canvas.outcomes() == "ok"]
    edges = canvas.seconds()
    rates = [_per_second(one, edges) for one in (due, sent, good)]
    canvas.axes.stairs(rates[2], edges, fill=True, color=GREEN, alpha=0.35, label="good, when done")
    canvas.axes.stairs(rates[0], edges, color=BLACK, linewidth=2.2, alpha=0.35, label="due")
    canvas.axes.stairs(rates[1], edges, color=BLUE, linewidth=1.0, label="sent")
    canvas.axes.set_ylim(0, max(1.0, *(rate.max() for rate in rates)) * 1.15)
    canvas.legend("requests/s")
    planned = canvas.timeline.load.planned
    return f"{planned} planned, {np.isfinite(due).sum()} reached, {np.isfinite(sent).sum()} sent, {len(good)} good."


def _per_second(times: Numbers, edges: Numbers) -> Numbers:
    rates: Numbers = np.histogram(times[np.isfinite(times)], edges)[0] / (edges[1] - edges[0])
    return rates


def first_tokens(canvas: Canvas) -> str:
    """A dot per request on a log scale, failed ones as crosses at the top edge, p50 and p99, and the SLO's bound."""
    due, first, failed = canvas.column("due"), canvas.column("first"), canvas.outcomes() != "ok"
    took = (first - due) * 1000
    seen = np.isfinite(took) & (took > 0) & ~failed
    if not np.isfinite(due).any():
        return canvas.nothing("no request was recorded")
    canvas.axes.set_yscale("log")
    many = bool(seen.sum() > MANY)
    canvas.axes.plot(due[seen], took[seen], ".", ms=3.5, color=SKY, mew=0, rasterized=many, label="one request")
    bounds = [slo.bound for slo in canvas.timeline.scenario.slos() if slo.sli == "ttft" and slo.bound]
    canvas.log_range([*took[seen], *(bound * 1000 for bound in bounds)])
    _quantiles(canvas, due[seen], took[seen])
    _failed(canvas, due[failed & np.isfinite(due)])
    for bound in sorted(set(bounds)):
        canvas.bound(bound * 1000, f"SLO {show_duration(bound)}")
    canvas.legend("ms, log scale")
    typical = f"median {np.median(took[seen]):.0f} ms" if seen.any() else "none started"
    return f"{seen.sum()} requests answered, {typical}; {failed.sum()} not ok, marked at the top edge."


def _quantiles(canvas: Canvas, due: Numbers, took: Numbers) -> None:
    edges = canvas.seconds(WINDOW)
    place = np.digitize(due, edges) - 1
    inside = [took[place == index] for index in range(len(edges) - 1)]
    width = edges[1]
    middles = edges[:-1] + width / 2
    for share, color, style in ((50, BLUE, "-"), (99, BLACK, "--")):
        values = [float(np.percentile(one, share)) if len(one) else np.nan for one in inside]
        canvas.axes.plot(
            middles, values, style, color=color, lw=1.3, drawstyle="steps-mid", label=f"p{share} per {width:g} s"
        )


def _failed(canvas: Canvas, due: Numbers) -> None:
    if len(due):
        canvas.axes.plot(
            due,
            np.full(len(due), 0.97),
            "x",
            ms=4.5,
            mew=1.2,
            color=VERMILION,
            transform=canvas.axes.get_xaxis_transform(),
            rasterized=len(due) > MANY,
            label="not ok",
        )


def not_ok(canvas: Canvas) -> str:
    """Bars per second, stacked by outcome, at the second each request was due."""
    due, outcomes = canvas.column("due"), canvas.outcomes()
    reached = int(np.isfinite(due).sum())
    if not reached:
        return canvas.nothing("no request was recorded")
    edges = canvas.seconds()
    kinds = sorted(set(outcomes.tolist()) - {"ok"})
    below = np.zeros(len(edges) - 1)
    for index, kind in enumerate(kinds):
        mine = due[(outcomes == kind) & np.isfinite(due)]
        height = _per_second(mine, edges)
        color = OUTCOME_COLORS[index % len(OUTCOME_COLORS)]
        hatch = ("", "//", "..", "xx", "\\\\", "++")[index % 6]
        label = f"{kind} ({len(mine)})"
        shown = height > 0
        canvas.axes.bar(
            edges[:-1][shown], height[shown], edges[1], below[shown], align="edge", color=color, hatch=hatch,
            edgecolor="white", linewidth=0.3, label=label,
        )  # fmt: skip
        below += height
    canvas.axes.set_ylim(0, max(1.0, below.max()) * 1.25)
    if not kinds:
        canvas.say(f"0 of {reached} requests")
    canvas.legend("requests/s")
    total = int(((outcomes != "ok") & np.isfinite(due)).sum())
    return f"{total} of {reached} requests did not end well" + (f": {', '.join(kinds)}." if kinds else ".")


def tokens(canvas: Canvas) -> str:
    """Each answer's tokens spread evenly between its first and its last one: a rate, not bursts at the end."""
    first, done, held = canvas.column("first"), canvas.column("last"), canvas.column("tokens")
    done = np.where(np.isfinite(done), done, canvas.column("done"))
    real = np.isfinite(first) & np.isfinite(done) & (held > 0)
    if not real.any():
        return canvas.nothing("no token was recorded")
    edges = canvas.seconds()
    streamed = _streamed(first[real], np.maximum(done[real], first[real] + 1e-3), held[real], edges)
    canvas.axes.stairs(streamed, edges, fill=True, color=SKY, alpha=0.4)
    canvas.axes.stairs(streamed, edges, color=BLUE, lw=1.1)
    canvas.axes.set_ylim(0, max(1.0, streamed.max()) * 1.2)
    canvas.legend("tokens/s")
    return f"{held[real].sum():.0f} tokens in all, at most {streamed.max():.0f} in one second."


def _streamed(first: Numbers, done: Numbers, held: Numbers, edges: Numbers) -> Numbers:
    # The number of tokens out by time t is a straight line between any two starts or ends, so it is exact at the
    # knots and one interpolation gives every edge: no loop over requests and seconds.
    slope = held / (done - first)
    times, changes = np.concatenate([first, done]), np.concatenate([slope, -slope])
    order = np.argsort(times, kind="stable")
    times, slopes = times[order], np.cumsum(changes[order])
    out = np.concatenate([[0.0], np.cumsum(slopes[:-1] * np.diff(times))])
    rates: Numbers = np.maximum(np.diff(np.interp(edges, times, out)), 0.0) / (edges[1] - edges[0])
    return rates


def engines(canvas: Canvas) -> str:
    """Running (line) and waiting (dots) per engine as Prometheus saw them, broken where it saw nothing."""
    kinds = {"engine_running": "-", "engine_waiting": ":"}
    drawable = (one for one in canvas.timeline.metrics.series if one.name in kinds)
    series = [one for one in drawable if any(np.isfinite(value) for _, value in one.points)]
    if not series:
        return canvas.nothing(canvas.timeline.metrics.trouble or "Prometheus gave no engine series")
    names = sorted({one.labels.get("instance", "?") for one in series})
    palette = (BLUE, VERMILION, GREEN, PURPLE, BLACK, SKY)
    top = 1.0
    for one in series:
        name = one.labels.get("instance", "?")
        times, values = with_gaps(one, canvas.timeline.metrics.interval)
        color, running = palette[names.index(name) % len(palette)], one.name == "engine_running"
        label = name if running else None
        canvas.axes.plot(times, values, kinds[one.name], color=color, lw=1.2 if running else 1.6, label=label)
        top = max(top, np.nanmax(values, initial=1.0))
    canvas.axes.plot([], [], ":", color=BLACK, lw=1.6, label="waiting")
    canvas.axes.set_ylim(0, top * 1.25)
    canvas.legend("requests")
    return f"{len(names)} engines: {', '.join(names)}; lines break where an engine gave no samples."


def with_gaps(series: Series, interval: float) -> tuple[list[float], list[float]]:
    """The points with a NaN wherever two neighbours are more than two and a half scrape intervals apart."""
    times: list[float] = []
    values: list[float] = []
    for t, value in sorted(series.points):
        if times and t - times[-1] > 2.5 * max(interval, 1e-3):
            times.append(t)
            values.append(float("nan"))
        times.append(t)
        values.append(value)
    return times, values
