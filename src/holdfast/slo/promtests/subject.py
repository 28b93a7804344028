"""An SLO under test: what moves it, what its rules owe for a truth, and how promtool is asked."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from holdfast.model.slo import Calendar, ErrorRatio, Events, Occurrences, Severity, Slo, Tier, Timeslices
from holdfast.slo import counts, promql
from holdfast.slo.horizon import PERIOD
from holdfast.slo.promtests.series import Stretch, written
from holdfast.slo.tiers import is_dead, tiers_of

if TYPE_CHECKING:
    from holdfast.slo.promtests.probe import Probe

STEPS: Final = (60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 21600.0, 43200.0, 86400.0)
"""How often a case may have its rules evaluated, in seconds."""
HAIR: Final = 1e-3
"""How far from a threshold is just above it."""
_EXACT: Final = 1e-9
Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A PromQL expression whose samples are known at a time in seconds."""

    at: float
    expr: str
    samples: tuple[tuple[Labels, float], ...]

    def document(self, name: str) -> dict[str, Any]:
        """As promtool reads it; it shows an expression that fails, and so the name that stands before it."""
        samples = [{"labels": _shown(labels), "value": value} for labels, value in self.samples]
        return {"expr": f"# {name}\n{self.expr}", "eval_time": f"{self.at:.0f}s", "exp_samples": samples}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One sentence about the rules, the series it is said of, and how often the rules are evaluated."""

    name: str
    step: float
    tick: float
    series: Mapping[str, str]
    checks: tuple[Check, ...]
    variant: str = ""
    """Which of the rules it is asked of; empty: as they are."""

    def document(self) -> dict[str, Any]:
        """As promtool reads it."""
        series = [{"series": name, "values": values} for name, values in self.series.items()]
        checks = [check.document(self.name) for check in sorted(self.checks, key=lambda check: check.at)]
        return {
            "name": self.name,
            "interval": f"{self.tick:g}s",
            "input_series": series,
            "promql_expr_test": checks,
        }


def _shown(labels: Labels) -> str:
    name = labels.get("__name__", "")
    pairs = sorted((label, value) for label, value in labels.items() if label != "__name__" and value)
    return f"{name}{{{', '.join(f'{label}={json.dumps(value, ensure_ascii=False)}' for label, value in pairs)}}}"


@dataclass(frozen=True, slots=True)
class Subject:
    """An SLO with what moves it, and what its rules owe for a truth."""

    slo: Slo
    probe: Probe
    tile: float = field(init=False)
    """Seconds that one record looks back; evaluated as often, records lie side by side and sums are exact."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tile", counts.window_of(self.slo))

    @property
    def by_event(self) -> bool:
        """Whether events weigh alike, and not slices of time."""
        occurrences = isinstance(self.slo.indicator, Events) and isinstance(self.slo.budgeting, Occurrences)
        return occurrences and self.probe.graded

    @property
    def counts_events(self) -> bool:
        """Whether the records are numbers of events."""
        return counts.counts_events(self.slo)

    @property
    def counts_first(self) -> bool:
        """Whether the value that a new series begins with counts."""
        return isinstance(self.slo.indicator, Events) and promql.counts(self.slo.indicator.error_query)

    @property
    def idles(self) -> bool:
        """Whether it can be told that nothing happens."""
        return isinstance(self.slo.indicator, Events | ErrorRatio) and self.probe.graded

    @property
    def alerts(self) -> bool:
        """Whether anybody is told of anything."""
        return any(not self.slo.policy(tier.severity).disabled for tier in tiers_of(self.slo.period))

    @property
    def graded(self) -> bool:
        """Whether a moment can be bad in part."""
        return self.probe.graded and not isinstance(self.slo.budgeting, Timeslices)

    @property
    def tick(self) -> float:
        """Seconds between samples, five in what a record looks back."""
        return min(60.0, self.tile / 5)

    @property
    def busy(self) -> int:
        """Events a tick, so many that a thousandth of the budget is many."""
        return int(10 ** max(6, math.ceil(7 - math.log10(self.slo.budget))))

    def stretch(self, length: float, share: float = 0.0, events: int | None = None) -> Stretch:
        """Steady traffic; where a moment is good or bad as a whole, just within what a slice may have, or beyond."""
        if not self.graded and isinstance(self.slo.budgeting, Timeslices) and self.probe.graded:
            allowed = 1 - self.slo.budgeting.target
            share = min(1.0, allowed * (1 + HAIR)) if share else allowed * (1 - HAIR)
        return Stretch(length=length, events=self.busy if events is None else events, share=share)

    def weight(self, one: Stretch) -> tuple[float, float]:
        """What is bad of a stretch, and all of it, in the unit that the budget counts."""
        bad, total = one.counted(self.probe, self.tick)
        if self.by_event:
            return bad, total
        if isinstance(self.slo.indicator, ErrorRatio) and not one.events:
            return 0.0, 0.0
        slices = one.length / self.tile
        return self.badness(one, bad / total if total else 0.0) * slices, slices

    def badness(self, one: Stretch, share: float) -> float:
        """How much of a slice is bad when such a share of its events is."""
        if not self.probe.graded:
            return one.share
        budgeting = self.slo.budgeting
        return float(share > 1 - budgeting.target) if isinstance(budgeting, Timeslices) else share

    def truth(self, *stretches: Stretch) -> float:
        """The share of the stretches that is bad."""
        bad, total = map(sum, zip(*(self.weight(one) for one in stretches), strict=True))
        return bad / total if total else 0.0

    def tiers(self) -> tuple[Tier, ...]:
        """Those that alert and could ever fire."""
        return tuple(
            tier
            for tier in tiers_of(self.slo.period)
            if not self.slo.policy(tier.severity).disabled and not is_dead(tier, self.slo)
        )

    def series(self, *stretches: Stretch, tick: float | None = None, **words: Any) -> dict[str, str]:
        """As promtool writes them."""
        return written(self.probe, stretches, tick or self.tick, **words)

    def case(
        self,
        name: str,
        step: float,
        series: Mapping[str, str],
        *checks: Check,
        tick: float | None = None,
        variant: str = "",
    ) -> Case:
        """A case of this SLO."""
        return Case(name=name, step=step, tick=tick or self.tick, series=series, checks=checks, variant=variant)

    def labels(self, window: str = "") -> Labels:
        """Of every series that is recorded, and of alerts."""
        found = {**self.slo.labels, **counts.ids(self.slo)}
        return {**found, "sloth_window": window} if window else found

    def is_near(self, at: float, metric: str, value: float, *, window: str = "", within: float = 0.0) -> Check:
        """One series with all its labels; promtool compares to the last bit, so what is near becomes the value."""
        series, slack = f"{metric}{counts.selector(self.slo)}", within or _EXACT * max(1.0, abs(value))
        expr = f"{value!r} + 0 * (abs({series} - {_number(value)}) <= {slack:.3g}) or {series}"
        return Check(at=at, expr=expr, samples=((self.labels(window), value),))

    def records_are(self, at: float, last: Stretch) -> list[Check]:
        """The two records that all else is summed from; no label of the user's, so that renaming one breaks nothing."""
        tiles = last.length / self.tile
        bad, total = (amount / tiles for amount in self.weight(last))
        names = counts.names_of(self.slo)
        return [self.record_is(at, name, value) for name, value in zip(names, (total, bad), strict=True)]

    def record_is(self, at: float, name: str, value: float) -> Check:
        """One of the two records, whichever period of a calendar it is for."""
        found = self.is_near(at, name, value)
        expr = found.expr
        if isinstance(self.slo.window, Calendar):
            series = f"{name}{counts.selector(self.slo)}"
            expr = expr.replace(series, f"max without ({PERIOD}) ({series})")
        return replace(found, expr=expr, samples=((counts.ids(self.slo), value),))

    def nothing_is_recorded(self, at: float) -> Check:
        """There is no number of events at all."""
        return Check(at=at, expr=f"{counts.names_of(self.slo)[0]}{counts.selector(self.slo)}", samples=())

    def ratio_is(self, at: float, window: str, value: float, within: float = 0.0) -> Check:
        """What a window's error ratio is."""
        slack = within or _EXACT * (value or 1.0)
        return self.is_near(at, f"slo:sli_error:ratio_rate{window}", value, window=window, within=slack)

    def info(self, at: float) -> Check:
        """The series that says what there is, and where it came from."""
        own = {"sloth_mode": "holdfast", "sloth_objective": f"{self.slo.objective * 100:.12g}"}
        labels = {"__name__": "sloth_slo_info", **self.labels(), **own}
        return Check(at=at, expr=f"sloth_slo_info{counts.selector(self.slo)}", samples=((labels, 1.0),))

    def fire(self, at: float, *tiers: Tier, silent: bool = False) -> Check:
        """Exactly these alerts fire, with all their labels; `silent` adds the one that says there is no data."""
        made = [self._alert(tier.severity, tier.name) for tier in tiers]
        made += [self._no_data()] if silent else []
        odd = sorted({label for labels in made for label, value in labels.items() if "{{" in value} | {"alertstate"})
        expr = f'count without ({", ".join(odd)}) (ALERTS{{alertstate="firing", sloth_id="{self.slo.rule_id}"}})'
        samples = [({label: value for label, value in labels.items() if label not in odd}, 1.0) for labels in made]
        return Check(at=at, expr=expr, samples=tuple(sorted(samples, key=str)))

    def tier_fires(self, at: float, tier: Tier, *, fires: bool) -> Check:
        """Whether one tier fires, whatever else does."""
        severity = self._alert(tier.severity, tier.name)["sloth_severity"]
        chosen = f'sloth_id="{self.slo.rule_id}", sloth_severity="{severity}", sloth_tier="{tier.name}"'
        return Check(at=at, expr=f"count(ALERTS{{{chosen}}}) or vector(0)", samples=(({}, float(fires)),))

    def no_data(self, at: float, *, fires: bool) -> Check:
        """Whether the alert fires that says there is no data, with all its labels."""
        labels = self._no_data()
        odd = sorted({label for label, value in labels.items() if "{{" in value} | {"alertstate"})
        expr = f'count without ({", ".join(odd)}) (ALERTS{{alertname="{labels["alertname"]}"}})'
        kept = {label: value for label, value in labels.items() if label not in odd}
        return Check(at=at, expr=expr, samples=((kept, 1.0),) if fires else ())

    def _alert(self, severity: Severity, tier: str) -> dict[str, str]:
        slo = self.slo
        own = {"sloth_severity": severity, "severity": severity, **slo.alert_labels, **slo.policy(severity).labels}
        return {**self.labels(), "sloth_tier": tier, **own, "alertname": slo.alert}

    def _no_data(self) -> dict[str, str]:
        severity: Severity = "ticket" if self.slo.page.disabled else "page"
        found = {**self._alert(severity, ""), "alertname": f"{self.slo.alert}NoData"}
        return {label: value for label, value in found.items() if value}


def _number(value: float) -> str:
    return f"({value!r})" if value < 0 else repr(value)


def up(seconds: float, step: float) -> float:
    """The next whole number of steps, in seconds."""
    return math.ceil(round(seconds / step, 9)) * step


def down(seconds: float, step: float) -> float:
    """The last whole number of steps, in seconds."""
    return math.floor(round(seconds / step, 9)) * step
