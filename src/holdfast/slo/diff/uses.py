"""What others still ask for: lines of dashboards, rules and scenarios that name something no SLO makes any more.

A line is read as text, whatever its format: a recorded name, an SLO's name in a scenario or in a `sloth_...` matcher,
an alert's name. A matcher that is a pattern may mean anything, and is not looked at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from holdfast.errors import Location
from holdfast.slo.counts import names_of
from holdfast.slo.diff.fields import Kind
from holdfast.slo.diff.slos import Change
from holdfast.slo.rules import period_name, windows_of
from holdfast.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from holdfast.model.slo import Slo

_RECORDED: Final = re.compile(r"\bslo:[a-z_]+:[A-Za-z0-9_]+")
_QUOTED: Final = r"\s*=\s*\\?[\"']{}\\?[\"']"
_ALERT_SUFFIX: Final = "NoData"


def still_used(old: Sequence[Slo], new: Sequence[Slo], texts: Mapping[str, str]) -> tuple[Change, ...]:
    """Each line of `texts` (by file name) that names what `old` made and `new` no longer makes."""
    gone = _gone(old, new)
    names = _recorded(old) - _recorded(new)
    return tuple(change for file, text in texts.items() for change in _in(file, text, gone, names))


def _recorded(slos: Iterable[Slo]) -> set[str]:
    """The names that only some SLOs record; whatever stays for one stays for all dashboards."""
    windows = {f"slo:sli_error:ratio_rate{window}" for slo in slos for window in _windows(slo)}
    return windows | {name for slo in slos for name in names_of(slo)}


def _windows(slo: Slo) -> list[str]:
    return [*map(show_duration, windows_of(slo)), period_name(slo)]


def _gone(old: Sequence[Slo], new: Sequence[Slo]) -> list[tuple[str, str, re.Pattern[str]]]:
    """(SLO, what of it is gone, how a line names it)."""
    kept = {one.id for one in new}
    alerts = {name for one in new for name in _alerts(one)}
    left = [(one.id, f"SLO {one.id}", _naming(one, new)) for one in old if one.id not in kept]
    names = dict.fromkeys((one.id, name) for one in old for name in _alerts(one) if name not in alerts)
    return left + [(slo, f"alert {name}", _word(re.escape(name))) for slo, name in names]


def _alerts(slo: Slo) -> set[str]:
    on = not (slo.page.disabled and slo.ticket.disabled)
    return {slo.alert, slo.alert + _ALERT_SUFFIX} if slo.alert and on else set()


def _naming(slo: Slo, new: Sequence[Slo]) -> re.Pattern[str]:
    """By its id anywhere, by its rule's id in a matcher, by its own name where no other SLO has that."""
    ways = [_word(re.escape(slo.id)).pattern, "sloth_id" + _QUOTED.format(re.escape(slo.rule_id))]
    if slo.name not in {one.name for one in new}:
        ways.append("sloth_slo" + _QUOTED.format(re.escape(slo.name)))
    if slo.service not in {one.service for one in new}:
        ways.append("sloth_service" + _QUOTED.format(re.escape(slo.service)))
    return re.compile("|".join(ways))


def _word(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w./-]){pattern}(?![\w/-])")


def _in(file: str, text: str, gone: Sequence[tuple[str, str, re.Pattern[str]]], names: set[str]) -> Iterator[Change]:
    for number, line in enumerate(text.splitlines(), 1):
        for slo, what, naming in gone:
            found = naming.search(line)
            if found:
                yield _used(slo, what, file, number, found.start())
        for found in _RECORDED.finditer(line):
            if found[0] in names:
                yield _used("", f"record {found[0]}", file, number, found.start())


def _used(slo: str, what: str, file: str, line: int, column: int) -> Change:
    where = Location(file=file, line=line, column=column + 1)
    return Change(
        kind=Kind.IN_USE, slo=slo, what=what, hint="it is no longer made; change this line first", where=where
    )
