"""The numbers of a verdict in words, the same in every report; what is not known is a dash, never a zero."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from holdfast.model.verdict import State
from holdfast.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.model.verdict import Check, Evidence, Report

NOTHING: Final = "–"  # noqa: RUF001 - an en dash is what a table shows for "no number"
SUMMARY_LENGTH: Final = 140
"""Characters; the length of a commit status on the forges that cut it shortest."""

MEANING: Final = {
    State.PASS: "proved by the record",
    State.FAIL: "disproved by the record",
    State.UNKNOWN: "the record does not decide",
    State.NOT_RESTORED: "a fault may still be there",
}
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def known(value: float | None) -> bool:
    """Whether there is a finite number."""
    return value is not None and math.isfinite(value)


def clean(text: str) -> str:
    r"""`text` with control characters spelled out, "\x1b" for ESC: text from a server must not drive a terminal."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def one_line(text: str) -> str:
    """`text` cleaned and with every run of white space as one space."""
    return clean(" ".join(text.split()))


def is_share(evidence: Evidence) -> bool:
    """Whether the numbers are shares of one, to be shown as percentages."""
    unit = evidence.unit
    return "ratio" in unit or "share" in unit or unit == "%" or (not unit and evidence.n is not None)


def amount(value: float | None, evidence: Evidence) -> str:
    """A value in the evidence's unit: "0.55 %", "6.98s", "12 requests"; a dash when it is not known."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if is_share(evidence):
        return f"{value * 100:.3g} %"
    if evidence.unit.startswith("second"):
        return show_duration(round(value, 3)) if value >= 0 else f"{value:.3g}s"
    return f"{value:.4g} {clean(evidence.unit)}".strip()


def interval(evidence: Evidence) -> str:
    """Both bounds, or the one there is: "0.3 % … 2.1 %"; else the bare estimate; else a dash."""
    low, high = amount(evidence.low, evidence), amount(evidence.high, evidence)
    if NOTHING not in (low, high):
        return f"{low} … {high}"
    if high != NOTHING:
        return f"≤ {high}"
    return f"≥ {low}" if low != NOTHING else amount(evidence.estimate, evidence)


def count(value: int | None) -> str:
    """A whole number with thin spaces between thousands, or a dash."""
    return NOTHING if value is None else f"{value:,}".replace(",", "\u202f")


def other_value(value: float | str | None) -> str:
    """A value of `Evidence.other`: figures a reader may compare, words as they are."""
    if isinstance(value, str):
        return clean(value)
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:.6g}"


def not_passed(checks: Iterable[Check]) -> tuple[Check, ...]:
    """The checks that did not pass, worst first."""
    return tuple(
        sorted((one for one in checks if one.state is not State.PASS), key=lambda one: one.state.severity, reverse=True)
    )


def tally(states: Iterable[State]) -> str:
    """How many of each, worst first: "1 FAIL, 4 PASS"."""
    counted = Counter(states)
    return ", ".join(f"{counted[state]} {state}" for state in reversed(State) if counted[state])


def shorten(text: str, length: int = SUMMARY_LENGTH) -> str:
    """`text` on one line, cut with an ellipsis when it is longer than `length` characters."""
    line = one_line(text)
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def summary(report: Report) -> str:
    """The one sentence for a commit status, at most SUMMARY_LENGTH characters: what holds, or what is worst."""
    if not report.verdicts:
        return shorten("Nothing was expected, so nothing was proved.")
    if report.state is State.PASS:
        return shorten(f"{_plural(len(report.verdicts), 'expectation')} proved; {_trust(report.checks)}.")
    # A record that cannot be trusted is the reason; the expectations it spoilt are its consequences.
    for check in report.checks:
        if check.state is report.state:
            return shorten(f"{check.name}: {check.seen}")
    for verdict in report.verdicts:
        if verdict.state is report.state:
            return shorten(f"{verdict.id}: {verdict.sentence}")
    return shorten(f"{report.state}: {MEANING[report.state]}.")


def _trust(checks: tuple[Check, ...]) -> str:
    if not checks:
        return "no check of trust was made"
    passed = len(checks) - len(not_passed(checks))
    return f"{passed} of {_plural(len(checks), 'check')} of trust passed"


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
