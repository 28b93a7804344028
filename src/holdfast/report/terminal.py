"""A judged run on a terminal: one table to read from the left, every state spelled as well as coloured."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Final

from holdfast.model.verdict import State
from holdfast.report.words import MEANING, NOTHING, amount, clean, count, interval, not_passed, summary

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

    from holdfast.model.verdict import Check, Report, Verdict

STYLE: Final = {
    State.PASS: "bold green",
    State.FAIL: "bold red",
    State.UNKNOWN: "bold yellow",
    State.NOT_RESTORED: "bold magenta",
}
_ID_WIDTH: Final = 44
WIDE: Final = 132
"""Columns from which the sentence has room beside the numbers."""


def verdict_table(report: Report, width: int, *, color: bool) -> str:
    """The report as lines of at most `width` columns (from 60 up); with escape codes only when `color`."""
    from rich.console import Console  # noqa: PLC0415 - `--help` need not pay for it

    text = StringIO()
    console = Console(
        file=text,
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        highlight=False,
        emoji=False,
        legacy_windows=False,
    )
    _print(console, report, wide=width >= WIDE)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _print(console: Console, report: Report, *, wide: bool) -> None:
    for line in _head(report):
        console.print(line)
    console.print()
    if report.verdicts:
        console.print(_wide(report.verdicts) if wide else _narrow(report.verdicts))
    else:
        console.print(_line("  no expectation was judged: nothing is proved", STYLE[State.UNKNOWN]))
    console.print()
    for part in _trust(report.checks):
        console.print(part)
    console.print(_line(f"report  {_place(report)}", "dim"))


def _head(report: Report) -> tuple[Text, ...]:
    first = _joined(_state(report.state), _line(report.scenario, "bold"), _line(MEANING[report.state], "dim"))
    return (first, _line(report.title), _line(f"run {report.run}", "dim"), _line(summary(report)))


def _wide(verdicts: tuple[Verdict, ...]) -> Table:
    table = _columns(verdicts)
    table.add_column("expectation", max_width=_ID_WIDTH, overflow="fold")
    table.add_column("what it means", ratio=1)
    for one in verdicts:
        table.add_row(*_row(one), _line(one.id), _line(one.sentence))
    return table


def _narrow(verdicts: tuple[Verdict, ...]) -> RenderableType:
    from rich.console import Group  # noqa: PLC0415
    from rich.padding import Padding  # noqa: PLC0415

    # A row of the table cannot span its columns, so there is a table of one row before each sentence.
    parts: list[RenderableType] = []
    for index, one in enumerate(verdicts):
        table = _columns(verdicts, show_header=index == 0)
        table.add_row(*_row(one))
        parts += [table, *(Padding(text, (0, 0, 0, 2)) for text in (_line(one.id, "bold"), _line(one.sentence)))]
    return Group(*parts)


def _columns(verdicts: tuple[Verdict, ...], *, show_header: bool = True) -> Table:
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, show_header=show_header, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    rows = [_row(one) for one in verdicts]
    for index, (title, least) in enumerate((("state", 5), ("n", 1), ("bad", 3), ("interval", 8), ("limit", 5))):
        width = max(least, *(row[index].cell_len for row in rows))
        table.add_column(title, justify="right" if index else "left", min_width=width, no_wrap=True)
    return table


def _row(verdict: Verdict) -> tuple[Text, ...]:
    seen = verdict.evidence
    numbers = (count(seen.n), count(seen.bad), interval(seen), amount(seen.limit, seen))
    return (_state(verdict.state), *map(_line, numbers))


def _trust(checks: tuple[Check, ...]) -> list[RenderableType]:
    if not checks:
        return [_line("trust   no check was made", STYLE[State.UNKNOWN])]
    parts = [part for check in not_passed(checks) for part in _doubt(check)]
    passed = [check.name for check in checks if check.state is State.PASS]
    return [*parts, _line(f"trust   {len(passed)} of {len(checks)} checks passed: {', '.join(passed) or NOTHING}")]


def _doubt(check: Check) -> tuple[RenderableType, ...]:
    from rich.padding import Padding  # noqa: PLC0415

    spoiled = f"every {', '.join(sorted(check.spoils))} expectation" if check.spoils else "every expectation"
    return (
        _joined(_state(check.state), _line(f"trust: {check.name}", "bold")),
        Padding(_line(f"{check.seen} (limit: {check.limit}); this spoils {spoiled}"), (0, 0, 0, 2)),
        Padding(_line(check.reason, "dim"), (0, 0, 0, 2)),
    )


def _place(report: Report) -> str:
    return report.provenance.get("report") or f"holdfast report {report.run}"


def _state(state: State) -> Text:
    return _line(state.value, STYLE[state])


def _joined(*parts: Text) -> Text:
    from rich.text import Text  # noqa: PLC0415

    return Text("  ").join(parts)


def _line(text: str, style: str = "") -> Text:
    from rich.text import Text  # noqa: PLC0415

    # A Text, never markup: ids hold square brackets.
    return Text(clean(text).replace("\n", " ").replace("\t", " "), style=style)
