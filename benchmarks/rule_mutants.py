"""Every small wrong thing that could stand in a rule: one number, window, label, operator, name or rule at a time."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKENS: Final = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\])*")|(?P<window>\b\d+(?:ms|[smhdwy])(?:\d+(?:ms|[smhd]))*\b)"""
    r"|(?P<number>(?<![\w.])\d+(?:\.\d+)?(?:e[-+]?\d+)?\b)|(?P<word>[a-zA-Z_:][\w:]*)"
    r"|(?P<operator>>=|<=|!=|==|=~|!~|[-+*/<>])"
)
OPERATORS: Final = {
    ">": "<",
    "<": ">",
    ">=": "<",
    "<=": ">",
    "+": "-",
    "-": "+",
    "*": "/",
    "/": "*",
    "and": "or",
    "or": "and",
    "unless": "and",
    "=~": "!~",
    "!~": "=~",
    "!=": "=~",
}
FUNCTIONS: Final = {
    "sum": "min",
    "max": "sum",
    "count": "max",
    "sum_over_time": "max_over_time",
    "avg_over_time": "max_over_time",
    "count_over_time": "sum_over_time",
    "present_over_time": "absent_over_time",
    "absent_over_time": "present_over_time",
    "increase": "rate",
    "rate": "increase",
    "clamp_min": "clamp_max",
    "bool": "",
}
_OTHER: Final = {"by", "without", "on", "ignoring", "group_left", "offset", "vector", "scalar", "time", "label_replace"}
_LISTS: Final = re.compile(r"\b(?:by|without|on|ignoring|group_left)\s*\([^()]*\)")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one rule of an SLO."""

    kind: str
    rule: str
    change: str
    groups: list[dict[str, Any]]

    @property
    def text(self) -> str:
        """Where, and what was changed."""
        return f"{self.rule}: {self.change}"


def mutants(groups: list[dict[str, Any]]) -> Iterator[Mutant]:
    """Every mutant of an SLO's groups of rules."""
    for at, group in enumerate(groups):
        for number, rule in enumerate(group["rules"]):
            name = rule.get("record") or f"{rule['alert']} {rule['labels'].get('severity', '')}"
            for kind, change, changed in _of_rule(rule):
                copied = copy.deepcopy(groups)
                copied[at]["rules"][number : number + 1] = [changed] if changed else []
                copied[at]["rules"] = copied[at]["rules"] or [{"record": "nothing", "expr": "vector(0)"}]
                yield Mutant(kind, name, change, copied)


def _of_rule(rule: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any] | None]]:
    yield "rule", "removed", None
    for label, value in rule.get("labels", {}).items():
        yield "label", f"{label}: {value} -> x{value}", {**rule, "labels": {**rule["labels"], label: f"x{value}"}}
    key = "record" if "record" in rule else "alert"
    yield "name", f"{rule[key]} -> {rule[key]}X", {**rule, key: f"{rule[key]}X"}
    for kind, start, end, new in _of_expr(rule["expr"]):
        old = rule["expr"]
        before, after = old[max(0, start - 80) : start].splitlines()[-1:], old[end : end + 30].splitlines()[:1]
        around = [*before, f"[{old[start:end]} -> {new}]", *after]
        part = old[:start].count("\nor\n") + 1
        yield kind, f"part {part}: {''.join(around)}", {**rule, "expr": old[:start] + new + old[end:]}


def _of_expr(expr: str) -> Iterator[tuple[str, int, int, str]]:
    lists = [found.span() for found in _LISTS.finditer(expr)]
    for found in TOKENS.finditer(expr):
        start, end = found.span()
        kind, old = str(found.lastgroup), found[0]
        if kind == "word" and any(low < start and end < high for low, high in lists):
            continue
        for name, new in _changes(kind, old, expr[end:]):
            yield name, start, end, new


def _changes(kind: str, old: str, rest: str) -> Iterator[tuple[str, str]]:
    if kind == "text" and len(old) > len('""'):
        yield "label", f'"x{old[1:]}'
    elif kind == "window":
        yield "window", f"{int(re.match(r'[0-9]+', old)[0]) * 2}{old.lstrip('0123456789')}"  # type: ignore[index]
    elif kind == "number":
        value = float(old)
        yield "number", f"{value * 1.1 if value else 1:.12g}"
    elif old in OPERATORS:
        yield "operator", OPERATORS[old]
    elif old in FUNCTIONS and (
        old == "bool" or rest.lstrip()[:1] == "(" or rest.lstrip().startswith(("by", "without"))
    ):
        yield "function", FUNCTIONS[old]
    elif kind == "word" and old not in _OTHER | {"Inf", "bool"} and not re.match(r"\s*(?:=|!|\()", rest):
        yield "metric", f"{old}X"
