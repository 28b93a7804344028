"""Rules that are there already: what they record, and whether what they read exists."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from holdfast.errors import Location
from holdfast.model.slo import DAY
from holdfast.slo.horizon import needs_today
from holdfast.slo.lint import place as lint_place
from holdfast.slo.lint.place import Place
from holdfast.slo.lint.query import uses
from holdfast.slo.lint.remark import Remark
from holdfast.spec.source import did_you_mean, read_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from holdfast.model.slo import Slo
    from holdfast.slo.lint.metricsfile import Catalog

_OWN: Final = {"ALERTS", "ALERTS_FOR_STATE", "up", "scrape_duration_seconds", "scrape_samples_scraped"}
"""What Prometheus makes itself."""
_ABSENT: Final = {"absent", "absent_over_time"}
_SOON: Final = 31 * DAY
_MOMENT: Final = re.compile(r"vector\(time\(\)\) >= (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule; `record` or `alert` is its name, the other "". `slo` is its label `sloth_id`."""

    record: str
    alert: str
    expr: str
    where: Location
    slo: str = ""

    @property
    def title(self) -> str:
        """How a person calls it."""
        return f"alert {self.alert}" if self.alert else f"record {self.record}"


def read_rules(text: str, file: str) -> tuple[Rule, ...]:
    """The rules of one rule file; what is not a rule is left out. Raises SpecError when it is not YAML."""
    found = []
    for source in read_all(text, file, []):
        tree = source.tree.get("spec", source.tree) if isinstance(source.tree, dict) else {}
        root = ("spec",) if tree is not source.tree else ()
        for index, group in enumerate(_list(tree, "groups")):
            for number, rule in enumerate(_list(group, "rules")):
                where = source.location((*root, "groups", index, "rules", number, "expr"))
                found += [_rule(rule, where)] if isinstance(rule, dict) else []
    return tuple(found)


def rules_of(groups: Sequence[Any], source: str) -> tuple[Rule, ...]:
    """The rules that a server has loaded, from /api/v1/rules."""
    return tuple(
        _rule(
            {
                **rule,
                "expr": rule.get("query", ""),
                "alert" if rule.get("type") == "alerting" else "record": rule.get("name", ""),
            },
            Location(file=f"{source} {group.get('name', '')}"),
        )
        for group in groups
        for rule in group.get("rules", ())
    )


def of_rules(rules: Sequence[Rule], catalog: Catalog) -> Iterator[Remark]:
    """Rules that read what was never seen; not those that ask whether something is absent."""
    known = catalog.names | {rule.record for rule in rules} | _OWN
    for rule in rules:
        try:
            reads = uses(rule.expr)
        except ValueError:
            continue
        missing = dict.fromkeys(use.name for use in reads if use.name and not use.inside & _ABSENT)
        for name in (one for one in missing if one not in known):
            place = Place(where=rule.where, query=rule.expr, within=(lint_place.metric(name),))
            what = f"{rule.title} reads {name}, which was never seen"
            hint = did_you_mean(name, known)
            hint = "it can never give anything" if hint.startswith("known:") else hint
            yield Remark(code="rule-without-metric", severity="warning", what=what, hint=hint, place=place)


def of_horizon(slo: Slo, rules: Sequence[Rule], now: float) -> Iterator[Remark]:
    """Whether the rules of an SLO know its calendar and its exclusions for a month more; `now` in Unix seconds."""
    if not needs_today(slo):
        return
    own = [rule for rule in rules if rule.slo == slo.rule_id]
    moments = [float(moment) for rule in own for moment in _MOMENT.findall(rule.expr)]
    if moments and max(moments) < now + _SOON:
        last = datetime.fromtimestamp(max(moments), UTC).date()
        what = f"{slo.id}: its rules know periods and exclusions up to {last}"
        place = Place(where=slo.where)
        hint = "generate them again: they reach 13 months ahead"
        yield Remark(code="rules-end", severity="warning", what=what, hint=hint, place=place)


def _list(tree: Any, key: str) -> list[Any]:
    found = tree.get(key) if isinstance(tree, dict) else None
    return found if isinstance(found, list) else []


def _rule(rule: dict[str, Any], where: Location) -> Rule:
    labels = rule.get("labels")
    return Rule(
        record=str(rule.get("record", "")),
        alert=str(rule.get("alert", "")),
        expr=str(rule.get("expr", "")),
        where=where,
        slo=str(labels.get("sloth_id", "")) if isinstance(labels, dict) else "",
    )
