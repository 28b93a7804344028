"""The steps of Sloth's chain, its own and those it ships besides, with settings: each changes the rules so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

from pydantic import BeforeValidator, ConfigDict, Field

from holdfast.slo.compat import go
from holdfast.slo.compat.rules import (
    INFO,
    Request,
    Rule,
    Rules,
    alert_rules,
    matchers,
    mean_over_period,
    meta_rules,
    ratio_rule,
    rendered,
    sli_rules,
)
from holdfast.slo.files.windows import prometheus_duration
from holdfast.spec.shapes import Strict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_CORRECTION: Final = "slo:numerator_correction:ratio"
_FIVE_MINUTES: Final = 300.0
Labels: TypeAlias = dict[str, str]


def _seconds(value: object) -> float:
    if isinstance(value, str):
        return prometheus_duration(value)
    raise ValueError(f"expected a duration such as 5m, got {value!r}")


Duration = Annotated[float, BeforeValidator(_seconds)]


class Step(Strict):
    """One step of the chain and its settings."""

    # Most files have no plugins: what checks settings is only built for those that have.
    model_config = ConfigDict(defer_build=True)

    def apply(self, request: Request, rules: Rules) -> None:
        """Change the rules. A step that only looks changes nothing."""

    def refusal(self, request: Request) -> str:  # noqa: ARG002 - the signature is the base's
        """Why the step cannot work on this SLO; empty where it can."""
        return ""


class Debug(Step):
    """Sloth's log of the chain, which is not written here."""

    msg: str = ""
    result: bool = False
    request: bool = False


class SliRules(Step):
    """Error ratios."""

    disable_optimized: bool = Field(default=False, alias="disableOptimized")

    def apply(self, request: Request, rules: Rules) -> None:
        """Replace them."""
        rules.sli.rules = sli_rules(request, optimized=not self.disable_optimized)


class MetaRules(Step):
    """Objective, budget, burn rates."""

    def apply(self, request: Request, rules: Rules) -> None:
        """Replace them."""
        rules.meta.rules = meta_rules(request)


class AlertRules(Step):
    """Page and ticket."""

    def apply(self, request: Request, rules: Rules) -> None:
        """Replace them."""
        rules.alerts.rules = alert_rules(request)


class Corrected(Step):
    """Error ratios over the mean traffic of the period, so that few errors at night weigh little."""

    disable_optimized: bool = Field(default=False, alias="disableOptimized")

    def apply(self, request: Request, rules: Rules) -> None:
        """Replace the error ratios, and add what corrects them."""
        windows = request.windows
        bad, total = request.error_query, request.total_query
        last = f"({bad})\n/\n({total})\n" if self.disable_optimized else mean_over_period(request)
        part = f"(\n{_CORRECTION}{{{{.window}}}}{request.selector}\n* on()\n{bad}\n)\n/\n({total})\n"
        rules.sli.rules = [
            ratio_rule(request, last if window == windows.period else part, window) for window in windows.lengths
        ]
        labels = {**request.ids, **request.labels}
        rules.meta.rules = [
            *rules.meta.rules,
            *(self._correction(request, window, labels) for window in windows.lengths[:-1]),
        ]

    def refusal(self, request: Request) -> str:
        """It divides by the number of events."""
        return "" if request.total_query else "needs an SLI of events, not a ratio"

    def _correction(self, request: Request, window: float, labels: Labels) -> Rule:
        part, whole = (rendered(request.total_query, length) for length in (window, request.windows.period))
        return {"record": f"{_CORRECTION}{go.duration(window)}", "expr": f"({part})/({whole})", "labels": labels}


class Exhausted(Step):
    """An alert when no more than `threshold` of the budget is left."""

    threshold: float = 0
    lasting: Duration = Field(default=0, alias="for")
    annotations: Labels = Field(default_factory=dict)
    alert_name: str = ""
    selector_labels: Labels = Field(default_factory=dict)
    alert_labels: Labels = Field(default_factory=dict)

    def apply(self, request: Request, rules: Rules) -> None:
        """Add it."""
        chosen = matchers({**request.ids, **request.labels, **self.selector_labels})
        alert: Rule = {
            "alert": self.alert_name or "ErrorBudgetExhausted",
            "expr": f"slo:period_error_budget_remaining:ratio{chosen} <= {go.number(self.threshold)}",
            "for": go.duration(self.lasting or _FIVE_MINUTES),
            "labels": self.alert_labels,
            "annotations": self.annotations,
        }
        rules.alerts.rules = [*rules.alerts.rules, alert]


class InfoLabels(Step):
    """More labels on one of the metrics about the SLO."""

    labels: Labels = Field(min_length=1)
    metric: str = Field(default="", alias="metricName")

    def apply(self, request: Request, rules: Rules) -> None:  # noqa: ARG002 - the signature is the base's
        """Add them to the first rule of that name."""
        for rule in rules.meta.rules:
            if rule["record"] == (self.metric or INFO):
                rule["labels"] = {**rule["labels"], **self.labels}
                return


class RemoveLabels(Step):
    """Fewer labels on recorded series, so that renaming one breaks no rule."""

    kept: list[str] = Field(default_factory=list, alias="preserveLabels")
    skipped: list[str] = Field(default_factory=list, alias="skipMetrics")

    def apply(self, request: Request, rules: Rules) -> None:
        """Take away all labels but the SLO's own and those kept."""
        kept = {*request.ids, *self.kept}
        self._strip(rules.sli.rules, kept | {"sloth_window"})
        self._strip(rules.meta.rules, kept - {"sloth_window"})

    def _strip(self, rules: Iterable[Rule], kept: set[str]) -> None:
        for rule in rules:
            if rule["record"] not in {INFO, *self.skipped}:
                labels: Labels = rule["labels"]
                for name in labels.keys() - kept:
                    del labels[name]


class _Intervals(Strict):
    default: Annotated[Duration, Field(gt=0)]
    sli: Duration = Field(default=0, alias="sliError")
    meta: Duration = Field(default=0, alias="metadata")
    alert: Duration = 0


class RuleIntervals(Step):
    """How often the rules are evaluated."""

    interval: _Intervals

    def apply(self, request: Request, rules: Rules) -> None:  # noqa: ARG002 - the signature is the base's
        """Set it on the three groups."""
        chosen = self.interval
        rules.sli.interval = chosen.sli or chosen.default
        rules.meta.interval = chosen.meta or chosen.default
        rules.alerts.interval = chosen.alert or chosen.default


STEPS: Final[Mapping[str, type[Step]]] = {
    "sloth.dev/core/validate/v1": Step,
    "sloth.dev/core/noop/v1": Step,
    "sloth.dev/core/debug/v1": Debug,
    "sloth.dev/core/sli_rules/v1": SliRules,
    "sloth.dev/core/metadata_rules/v1": MetaRules,
    "sloth.dev/core/alert_rules/v1": AlertRules,
    "sloth.dev/contrib/denominator_corrected_rules/v1": Corrected,
    "sloth.dev/contrib/error_budget_exhausted_alert/v1": Exhausted,
    "sloth.dev/contrib/info_labels/v1": InfoLabels,
    "sloth.dev/contrib/remove_labels/v1": RemoveLabels,
    "sloth.dev/contrib/rule_intervals/v1": RuleIntervals,
    "sloth.dev/contrib/validate_victoria_metrics/v1": Step,
}
"""The steps that ship with Sloth, by id. Validation is the reader's: here it has already passed."""
