"""An SLO diff for people: a line per change as compilers write them, and Markdown for a pull request."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from holdfast.model.verdict import State, worst
from holdfast.slo.diff.fields import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.slo.diff.slos import Change, Diff

SCHEMA = "holdfast/slo-diff/v1"
HEAD = ("state", "SLO", "changes")
_HINT = {
    State.FAIL: "say why in the new file, x-holdfast: {loosened: ...}, or undo it",
    State.UNKNOWN: "a person must look; say so in the new file, x-holdfast: {loosened: ...}",
}


def line(change: Change) -> str:
    """`file:line:column: kind: SLO: what was -> is`, then the hint."""
    said = f"{change.where}: {change.kind}: {_named(change)}{_values(change)}"
    hint = f"\n      hint: {change.hint}" if change.hint else ""
    reason = f"\n      acknowledged: {change.reason}" if change.reason else ""
    return said + hint + reason


def _named(change: Change) -> str:
    return ": ".join(part for part in (change.slo, change.what) if part)


def _values(change: Change) -> str:
    if change.was and change.now:
        return f" {change.was} -> {change.now}"
    return f" {change.was or change.now}" if change.was or change.now else ""


def rows(diff: Diff) -> list[list[str]]:
    """The table under HEAD: one row an SLO, worst first."""
    names = dict.fromkeys(one.slo for one in diff.changes)
    mine = {name: [one for one in diff.changes if one.slo == name] for name in names}
    return [[worst(one.state for one in found), name or "(records)", _tally(found)] for name, found in mine.items()]


def _tally(changes: Iterable[Change]) -> str:
    counted = Counter(_kind(one) for one in changes)
    return ", ".join(f"{number} {kind}" for kind, number in counted.items())


def _kind(change: Change) -> str:
    acknowledged = change.reason and change.kind is not Kind.IN_USE
    return f"{change.kind} (acknowledged)" if acknowledged else str(change.kind)


def summary(diff: Diff) -> str:
    """One sentence: the state, and how many changes of each kind."""
    if not diff.before and not diff.after:
        return f"{diff.state}: neither side has an SLO"
    told = _tally(diff.changes) or "no change"
    hint = _HINT.get(diff.state, "")
    return f"{diff.state}: {told} ({diff.before} SLOs before, {diff.after} after)" + (f"; {hint}" if hint else "")


def to_dict(diff: Diff) -> dict[str, Any]:
    """For machines."""
    return {
        "schema": SCHEMA,
        "verdict": diff.state.value,
        "before": diff.before,
        "after": diff.after,
        "changes": [
            {
                "kind": one.kind.value,
                "slo": one.slo,
                "what": one.what,
                "was": one.was,
                "is": one.now,
                "hint": one.hint,
                "acknowledged": one.reason,
                "verdict": one.state.value,
                "where": str(one.where),
            }
            for one in diff.changes
        ],
    }


def markdown(diff: Diff) -> str:
    """A comment for a pull request: what needs a decision in a table, the rest folded away."""
    open_ = [one for one in diff.changes if one.state is not State.PASS]
    rest = [one for one in diff.changes if one.state is State.PASS]
    parts = [f"### SLOs: {summary(diff)}", _table(open_)]
    if rest and open_:
        parts += ["<details><summary>Everything else</summary>", _table(rest), "</details>"]
    elif rest:
        parts.append(_table(rest))
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(changes: list[Change]) -> str:
    if not changes:
        return ""
    head = "| | SLO | what | was | is | |\n|---|---|---|---|---|---|"
    return "\n".join([head, *map(_row, changes)])


def _row(change: Change) -> str:
    said = f"acknowledged: {change.reason}" if change.reason else change.hint
    cells = (f"**{change.kind}**", f"`{change.slo}`" if change.slo else "", change.what, change.was, change.now)
    return "| " + " | ".join(map(_cell, (*cells, f"{said} ({change.where})" if said else str(change.where)))) + " |"


def _cell(text: str) -> str:
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())
