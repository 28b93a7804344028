"""Sloth's chain of steps that make an SLO's rules.

The four default ones stand at priority 0: what has a lower one runs before them. They are written out here, so that
files without plugins, which most are, wait for no others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.slo.compat.rules import Rules, alert_rules, meta_rules, sli_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.slo.compat.plugins import Step
    from holdfast.slo.compat.rules import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One step's place in the chain."""

    step: Step
    priority: int = 0


def chained(request: Request, links: Sequence[Link], *, alone: bool = False) -> Rules:
    """The rules an SLO has after every step, by priority; `alone` without the default ones."""
    ordered = sorted(links, key=lambda link: link.priority)
    rules = Rules()
    for link in ordered:
        if link.priority < 0:
            link.step.apply(request, rules)
    if not alone:
        rules.sli.rules, rules.meta.rules = sli_rules(request), meta_rules(request)
        rules.alerts.rules = alert_rules(request)
    for link in ordered:
        if link.priority >= 0:
            link.step.apply(request, rules)
    return rules
