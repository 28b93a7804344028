"""What a person sees while a run is on: one live panel on a terminal, a plain line every few seconds in a pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from holdfast.units import show_duration

if TYPE_CHECKING:
    from types import TracebackType

    from holdfast.run import Glimpse

EVERY: Final = 5.0
"""Seconds between two plain lines of the same phase."""


def line(seen: Glimpse) -> str:
    """One plain line: where we are, what is offered, how it goes."""
    pulse = seen.pulse
    ttft = f"{pulse.ttft * 1000:.0f} ms" if pulse.ttft is not None else "-"
    words = [
        f"{seen.t:6.1f}s {seen.phase:<9}",
        f"offered {pulse.offered_rate:5.1f}/s sent {pulse.sent_rate:5.1f}/s",
        f"good {pulse.good:>5} bad {pulse.bad:>3}",
        f"ttft p50 {ttft}",
    ]
    return "  ".join([*words, seen.fault]).rstrip()


def panel(seen: Glimpse, title: str) -> Panel:
    """The live view of one moment."""
    pulse = seen.pulse
    facts = Table.grid(padding=(0, 2))
    for _ in range(4):
        facts.add_column(justify="left", no_wrap=True)
    left = show_duration(round(seen.left)) if seen.left else "-"
    ttft = f"{pulse.ttft * 1000:.0f} ms" if pulse.ttft is not None else "-"
    facts.add_row("phase", Text(seen.phase, style="bold"), "left", f"{left} of {show_duration(round(seen.total_left))}")
    facts.add_row("offered", f"{pulse.offered_rate:.1f}/s", "sent", f"{pulse.sent_rate:.1f}/s")
    facts.add_row("good", f"{pulse.good}", "bad", Text(f"{pulse.bad}", style="bold red" if pulse.bad else ""))
    facts.add_row("ttft p50", ttft, "in flight", f"{pulse.in_flight}")
    fault = Text(f"fault  {seen.fault or 'none'}", style="yellow" if seen.fault else "dim")
    bar = Table.grid(expand=True)  # a bar by itself ends without a new line
    # What is left shrinks when a phase ends early, so the whole is what was played and what is left.
    bar.add_row(ProgressBar(total=seen.t + seen.total_left, completed=max(0.0, seen.t)))
    notes = [Text(seen.note, style="green")] if seen.note else []
    return Panel(Group(bar, facts, fault, *notes), title=title, title_align="left", width=72)


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
            self._live.update(panel(seen, self.title))
        elif seen.phase != self._phase or seen.t >= self._next:
            self._phase, self._next = seen.phase, seen.t + EVERY
            self.console.print(line(seen), highlight=False, soft_wrap=True)
