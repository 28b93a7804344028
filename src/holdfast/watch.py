"""What a person sees while a run is on: one live panel on a terminal, a plain line every few seconds in a pipeline."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from holdfast.load.live import SPAN, Lamp, lamp
from holdfast.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from holdfast.load.live import Trend
    from holdfast.run import Glimpse

EVERY: Final = 5.0
"""Seconds between two plain lines of the same phase."""
WIDTH: Final = 72
"""Columns of the panel where the terminal has as many."""
_STEPS: Final = "▁▂▃▄▅▆▇█"
_COLORS: Final = {"green": "green", "red": "bold red", "grey": "dim"}
_BESIDE: Final = 24
"""Columns of a trend's row that are not the trend: the frame, its name, a time."""
_TOP: Final = 14
"""Columns for the highest value behind a whole trend."""
_FEWEST: Final = 0.01
"""Seconds under which a time is shown to a tenth of a millisecond."""


def line(seen: Glimpse) -> str:
    """One plain line: where we are, what is offered, how it goes; errors and a red lamp only where there are such."""
    pulse = seen.pulse
    light = lamp(pulse, seen.t, seen.limit)
    words = [
        f"{seen.t:6.1f}s {seen.phase:<9}",
        f"offered {pulse.offered_rate:5.1f}/s sent {pulse.sent_rate:5.1f}/s",
        f"good {pulse.good:>5} bad {pulse.bad:>3}" + (f" ({errors(pulse.errors)})" if pulse.errors else ""),
        f"ttft p50 {milliseconds(pulse.ttft)}",
        *([f"INVALID {light.why}"] if light.color == "red" else []),
    ]
    return "  ".join([*words, seen.fault]).rstrip()


def errors(found: Mapping[str, int]) -> str:
    """Failures by class: connect 3, timeout 1."""
    return ", ".join(f"{outcome} {count}" for outcome, count in found.items()) or "none"


def milliseconds(seconds: float | None) -> str:
    """A time for a glance; a dash where there is none."""
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.{1 if seconds < _FEWEST else 0}f} ms"


def sparkline(values: Trend) -> str:
    """One column a second from nothing to the highest of them; a blank where nothing is known."""
    top = max((value for value in values if value is not None), default=0.0)
    return "".join(" " if value is None else _STEPS[_step(value, top)] for value in values)


def _step(value: float, top: float) -> int:
    return max(0, math.ceil(value / top * len(_STEPS)) - 1) if top > 0 else 0


def panel(seen: Glimpse, title: str, width: int = WIDTH) -> Panel:
    """The live view of one moment, at most `width` columns wide."""
    bar = Table.grid(expand=True)  # a bar by itself ends without a new line
    # What is left shrinks when a phase ends early, so the whole is what was played and what is left.
    bar.add_row(ProgressBar(total=seen.t + seen.total_left, completed=max(0.0, seen.t)))
    fault = Text(f"fault  {seen.fault or 'none'}", style="yellow" if seen.fault else "dim")
    notes = [Text(seen.note, style="green")] if seen.note else []
    width = min(width, WIDTH)
    parts = Group(bar, _facts(seen), _trends(seen, width), _troubles(seen), fault, *notes)
    return Panel(parts, title=title, title_align="left", width=width)


def _facts(seen: Glimpse) -> Table:
    pulse = seen.pulse
    facts = Table.grid(padding=(0, 2))
    for _ in range(4):
        facts.add_column(justify="left", no_wrap=True)
    left = show_duration(round(seen.left)) if seen.left else "-"
    facts.add_row("phase", Text(seen.phase, style="bold"), "left", f"{left} of {show_duration(round(seen.total_left))}")
    facts.add_row("offered", f"{pulse.offered_rate:.1f}/s", "sent", f"{pulse.sent_rate:.1f}/s")
    facts.add_row("good", f"{pulse.good}", "bad", Text(f"{pulse.bad}", style="bold red" if pulse.bad else ""))
    facts.add_row("in flight", f"{pulse.in_flight}", "planned", f"{pulse.planned}")
    return facts


def _trends(seen: Glimpse, width: int) -> Table:
    """Time to first token and the gap between tokens: now, the seconds before that there is room for, their highest."""
    room = max(0, width - _BESIDE)
    trends = Table.grid(padding=(0, 2))
    for _ in range(3):
        trends.add_column(justify="left", no_wrap=True)
    latest = next((gap for gap in reversed(seen.pulse.gaps) if gap is not None), None)
    for name, now, trend in (("ttft p50", seen.pulse.ttft, seen.pulse.ttfts), ("itl p50", latest, seen.pulse.gaps)):
        shown = trend[-room:] if room else ()
        highest = max((value for value in shown if value is not None), default=None)
        most = f"  top {milliseconds(highest)}" if highest is not None and room >= SPAN + _TOP else ""
        trends.add_row(name, milliseconds(now), Text(sparkline(shown), style="cyan") + Text(most, style="dim"))
    return trends


def _troubles(seen: Glimpse) -> Table:
    """Failures by class, and whether this client's load can be judged; both may need more than one line."""
    pulse, troubles = seen.pulse, Table.grid(padding=(0, 2))
    troubles.add_row("errors", Text(errors(pulse.errors), style="bold red" if pulse.errors else "dim"))
    troubles.add_row("load", _shown(lamp(pulse, seen.t, seen.limit)))
    return troubles


def _shown(light: Lamp) -> Text:
    return Text(f"● {'INVALID ' if light.color == 'red' else ''}{light.why}", style=_COLORS[light.color])


@dataclass(slots=True)
class Watcher:
    """Shows glimpses as they come, live or as lines, whichever the terminal bears."""

    console: Console
    title: str
    length: float
    _live: Live | None = field(default=None, init=False)
    _phase: str = field(default="", init=False)
    _next: float = field(default=0.0, init=False)
    _note: str = field(default="", init=False)

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live = Live(console=self.console, refresh_per_second=4, transient=True)
            self._live.__enter__()
        else:
            self.console.print(f"{self.title} ({show_duration(self.length)})", highlight=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.__exit__(kind, error, trace)

    def __call__(self, seen: Glimpse) -> None:
        """Take one look."""
        if seen.note != self._note and not self._live:
            self.console.print(f"{seen.t:6.1f}s {seen.note}", highlight=False, markup=False, soft_wrap=True)
        self._note = seen.note
        if self._live:
            self._live.update(panel(seen, self.title, self.console.width))
        elif seen.phase != self._phase or seen.t >= self._next:
            self._phase, self._next = seen.phase, seen.t + EVERY
            self.console.print(line(seen), highlight=False, soft_wrap=True)
