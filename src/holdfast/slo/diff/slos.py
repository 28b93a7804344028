"""Two versions of the same SLOs, compared by what users may rely on: what got stricter, what got laxer, what breaks.

A looser objective is no error; one that nobody noticed is. It fails until the new file says why (`loosened`), in the
same change: a reason that stood there before is no reason for the next one.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from holdfast.model.verdict import State, worst
from holdfast.slo.diff.fields import Found, Kind, compare

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from holdfast.errors import Location
    from holdfast.model.slo import Slo

_STATES: Final = {
    Kind.REMOVED: State.FAIL,
    Kind.LOOSENED: State.FAIL,
    Kind.HISTORY: State.FAIL,
    Kind.IN_USE: State.FAIL,
    Kind.UNTOLD: State.UNKNOWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is different about one SLO; `reason` is what its owner says about a looser one, empty for none.

    `where` is in the new version, of what was removed in the old one.
    """

    kind: Kind
    slo: str
    what: str
    was: str = ""
    now: str = ""
    hint: str = ""
    reason: str = ""
    where: Location

    @property
    def state(self) -> State:
        """FAIL or UNKNOWN until it is acknowledged; what is still used cannot be."""
        if self.reason and self.kind is not Kind.IN_USE:
            return State.PASS
        return _STATES.get(self.kind, State.PASS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """Every change, worst first; `before` and `after` are how many SLOs each version has."""

    changes: tuple[Change, ...]
    before: int
    after: int

    @property
    def state(self) -> State:
        """The worst of all changes; two versions without a single SLO prove nothing."""
        if not self.before and not self.after:
            return State.UNKNOWN
        return worst([State.PASS, *(one.state for one in self.changes)])


def diff(old: Sequence[Slo], new: Sequence[Slo], retired: Collection[str] = ()) -> Diff:
    """What became of each SLO of `old` in `new`; `retired` are ids whose removal was announced by other means."""
    before, after = {one.id: one for one in old}, {one.id: one for one in new}
    pairs = _pairs(before, after)
    renamed = {now for was, now in pairs.items() if was != now}
    changes = [
        *(change for was, now in pairs.items() for change in _changed(before[was], after[now])),
        *(_removed(one, new, before, retired) for name, one in before.items() if name not in pairs),
        *(_added(one) for name, one in after.items() if name not in before and name not in renamed),
    ]
    return Diff(changes=ordered(changes), before=len(before), after=len(after))


def ordered(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Worst first, then by kind and place."""
    kinds = list(Kind)
    return tuple(sorted(changes, key=lambda one: (-one.state.severity, kinds.index(one.kind), one.where, one.what)))


def _pairs(before: Mapping[str, Slo], after: Mapping[str, Slo]) -> dict[str, str]:
    """Old id -> new id: the same one, or else the only one that is new and measures the same."""
    pairs = {name: name for name in before if name in after}
    come = [one for name, one in after.items() if name not in before]
    gone = [one for name, one in before.items() if name not in after]
    told = Counter(repr(one.indicator) for one in come), Counter(repr(one.indicator) for one in gone)
    for one in gone:
        same = [other for other in come if other.indicator == one.indicator]
        if len(same) == 1 and told[0][repr(one.indicator)] == told[1][repr(one.indicator)]:
            pairs[one.id] = same[0].id
    return pairs


def _changed(old: Slo, new: Slo) -> list[Change]:
    reason = new.loosened if new.loosened != old.loosened else ""
    found = compare(old, new)
    if old.id != new.id:
        hint = "the budget starts anew, whatever was spent of it; acknowledge it with loosened:"
        found = [Found(Kind.HISTORY, "name", old.id, new.id, hint), *found]
    return [_change(one, new, reason) for one in found]


def _change(found: Found, slo: Slo, reason: str) -> Change:
    told = reason if found.kind in _STATES else ""
    change = Change(kind=found.kind, slo=slo.id, what=found.what, was=found.was, now=found.now, where=slo.where)
    return replace(change, hint=found.hint, reason=told)


def _removed(slo: Slo, new: Sequence[Slo], before: Mapping[str, Slo], retired: Collection[str]) -> Change:
    """Gone, unless an SLO that stayed says so by its id in a text that is new."""
    named = re.compile(rf"(?<![\w./-]){re.escape(slo.id)}(?![\w/-])")
    told = [one.loosened for one in new if one.loosened != _loosened(before.get(one.id)) and named.search(one.loosened)]
    reason = told[0] if told else "retired" if slo.id in retired else ""
    hint = f"name {slo.id} in another SLO's loosened: text, or pass --retired {slo.id}"
    return Change(kind=Kind.REMOVED, slo=slo.id, what="the SLO", hint=hint, reason=reason, where=slo.where)


def _loosened(slo: Slo | None) -> str:
    return slo.loosened if slo else ""


def _added(slo: Slo) -> Change:
    return Change(kind=Kind.ADDED, slo=slo.id, what="the SLO", now=f"{slo.objective * 100:.10g} %", where=slo.where)
