"""Prometheus rules of an SLO: SLI over each window, budget and burn rate, and the multi-window burn-rate alerts.

Windows and factors: Google, "The Site Reliability Workbook", chapter 5, tables 5-8; names and labels as Sloth writes
them, so that dashboards made for Sloth work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from holdfast.model.slo import Events
from holdfast.units import SECONDS, show_duration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.model.slo import AlertPolicy, Slo


@dataclass(frozen=True, slots=True)
class Tier:
    """Alert when this share of the period's budget burns within `long`, and still burns over `short`."""

    budget_share: float
    short: str
    long: str

    def factor(self, period: float) -> float:
        """Burn rate at which the tier fires: share x period / long window."""
        unit = self.long[-1]
        return round(self.budget_share * period / (float(self.long[:-1]) * SECONDS[unit]), 12)


PAGE: Final = (Tier(0.02, "5m", "1h"), Tier(0.05, "30m", "6h"))
TICKET: Final = (Tier(0.10, "2h", "1d"), Tier(0.10, "6h", "3d"))
WINDOWS: Final = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


def rule_file(slos: Iterable[Slo]) -> str:
    """The rules of several SLOs as one Prometheus rule file."""
    groups = [group for slo in slos for group in _groups(slo)]
    head = "# Made by `holdfast slo generate`; edit the SLO file instead.\n"
    return head + yaml.dump({"groups": groups}, Dumper=_Readable, sort_keys=False, width=1000)


class _Readable(yaml.SafeDumper):
    """Writes several lines as a block, so that the committed rules can be read and diffed."""


_Readable.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def _groups(slo: Slo) -> list[dict[str, Any]]:
    name = _labels(slo)["sloth_id"]
    groups = [
        {"name": f"sloth-slo-sli-recordings-{name}", "rules": _sli_rules(slo)},
        {"name": f"sloth-slo-meta-recordings-{name}", "rules": _meta_rules(slo)},
    ]
    alerts = [*_alert(slo, "page", slo.page, PAGE), *_alert(slo, "ticket", slo.ticket, TICKET)]
    return [*groups, {"name": f"sloth-slo-alerts-{name}", "rules": alerts}] if alerts else groups


def _labels(slo: Slo) -> dict[str, str]:
    return {"sloth_id": f"{slo.service}-{slo.name}", "sloth_service": slo.service, "sloth_slo": slo.name}


def _selector(slo: Slo) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in _labels(slo).items()) + "}"


def _sli_rules(slo: Slo) -> list[dict[str, Any]]:
    period = show_duration(slo.period)
    rules = [_sli_rule(slo, window, _ratio(slo, window)) for window in WINDOWS]
    mean = f"slo:sli_error:ratio_rate5m{_selector(slo)}[{period}]"
    whole = f"sum_over_time({mean})\n/ ignoring (sloth_window)\ncount_over_time({mean})"
    return [*rules, _sli_rule(slo, period, whole)]


def _sli_rule(slo: Slo, window: str, expr: str) -> dict[str, Any]:
    labels = {**slo.labels, **_labels(slo), "sloth_window": window}
    return {"record": f"slo:sli_error:ratio_rate{window}", "expr": expr, "labels": labels}


def _ratio(slo: Slo, window: str) -> str:
    assert isinstance(slo.indicator, Events)  # noqa: S101
    queries = slo.indicator.error_query, slo.indicator.total_query
    bad, total = (query.replace("{{.window}}", window) for query in queries)
    return f"({bad})\n/\n({total})"


def _meta_rules(slo: Slo) -> list[dict[str, Any]]:
    selector, period = _selector(slo), show_duration(slo.period)
    per_budget = f"\n/ on(sloth_id, sloth_slo, sloth_service) group_left\nslo:error_budget:ratio{selector}"
    values = {
        "slo:objective:ratio": f"vector({slo.objective:.12g})",
        "slo:error_budget:ratio": f"vector({slo.budget:.12g})",
        "slo:time_period:days": f"vector({slo.period / SECONDS['d']:g})",
        "slo:current_burn_rate:ratio": f"slo:sli_error:ratio_rate5m{selector}{per_budget}",
        "slo:period_burn_rate:ratio": f"slo:sli_error:ratio_rate{period}{selector}{per_budget}",
        "slo:period_error_budget_remaining:ratio": f"1 - slo:period_burn_rate:ratio{selector}",
    }
    labels = {**slo.labels, **_labels(slo)}
    return [{"record": name, "expr": expr, "labels": labels} for name, expr in values.items()]


def _alert(slo: Slo, severity: str, policy: AlertPolicy, tiers: tuple[Tier, ...]) -> list[dict[str, Any]]:
    if policy.disabled:
        return []
    summary = f"{slo.id} spends its error budget too fast"
    return [
        {
            "alert": slo.alert,
            "expr": "\nor\n".join(_tier(slo, tier) for tier in tiers),
            "labels": {"sloth_severity": severity, "severity": severity, **slo.alert_labels, **policy.labels},
            "annotations": {"summary": summary, **slo.alert_annotations, **policy.annotations},
        }
    ]


def _tier(slo: Slo, tier: Tier) -> str:
    limit = f"({tier.factor(slo.period):g} * {slo.budget:.12g})"
    burns = [
        f"max(slo:sli_error:ratio_rate{window}{_selector(slo)} > {limit}) without (sloth_window)"
        for window in (tier.short, tier.long)
    ]
    return "(" + "\nand\n".join(burns) + ")"
