"""What the linter can say: each kind of finding with its code, and a finding with its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from holdfast.errors import Problem
    from holdfast.slo.lint.place import Place

Severity = Literal["error", "warning", "info"]

CODES: Final = {
    "no-metric": "no metric of that name was seen",
    "no-label": "the metric never had that label",
    "no-value": "the label never had that value",
    "no-series": "each matcher finds something, but no series satisfies all of them",
    "not-an-edge": "the histogram has no such bucket, so nothing is counted under the bound",
    "edge-spelling": "the bucket is there, but its `le` is written differently",
    "bound": "the SLO's `bound:` is not the `le` of its query",
    "every-bucket": "buckets are summed without choosing one, so an event counts many times",
    "counter-without-rate": "a counter is read as it stands; it only ever grows, and restarts at zero",
    "rate-of-gauge": "`rate` takes every fall of a gauge for a restart",
    "irate": "`irate` sees two samples of the window and nothing of what lies between",
    "quantile": "a quantile is interpolated or cannot be added up; count what is under a bound",
    "native-histogram": "the histogram is read as a native one, and only its classic buckets were seen",
    "sum-of-fractions": "shares of single series are added up, and one that is idle spoils the sum",
    "no-answer": "its series are there, but the query gave nothing for an hour",
    "groups": "errors and total are grouped by different labels, so one finds no other to be divided by",
    "not-a-part": "the errors are counted where the total is not",
    "cardinality": "the labels of `by` split the SLO into many",
    "dead-alert": "no error ratio there can be makes the alert fire",
    "dead-tier": "one of the alert's two tiers can never fire",
    "no-runbook": "whoever is paged is not told what to do",
    "exclusion-over": "an exclusion lies in the past",
    "exclusion-ends": "an exclusion that repeats has its last time soon",
    "rules-end": "the rules know calendar and exclusions for less than a month from now",
    "retention": "the server forgets samples that the period still needs",
    "scrape-interval": "the shortest window holds too few samples",
    "evaluation-interval": "rules are evaluated too seldom for their shortest window",
    "plugin": "a plugin of Sloth's chain that native rules pass over",
    "rule-without-metric": "a rule reads a metric that was never seen, so it never gives anything",
}
"""Every code with what it means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One thing found by a check, before its place is looked up."""

    code: str
    severity: Severity
    what: str
    hint: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """One thing found, at a place in a file."""

    problem: Problem
    severity: Severity

    def __str__(self) -> str:
        """As compilers print it: place, severity, words and code; then line, caret and hint."""
        where = f"{self.problem.where}: "
        return f"{where}{self.severity}: {str(self.problem).removeprefix(where)}"
