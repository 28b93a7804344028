"""Native Prometheus rules of an SLO, made from two recorded counts; their names and labels are Sloth's.

Alerts over several windows: Google, "The Site Reliability Workbook", chapter 5, sections 5 and 6. Why the rules are as
they are: docs/decisions/007-rules-from-counts.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from holdfast.model.slo import DAY, Calendar, Severity, Slo, Tier
from holdfast.slo import counts, horizon
from holdfast.slo.counts import IDS, ids, selector
from holdfast.slo.emit import dump
from holdfast.slo.horizon import PERIOD
from holdfast.slo.tiers import MARGIN, is_dead, threshold, tiers_of
from holdfast.units import show_duration, show_ratio

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

Rule = dict[str, Any]
Group = dict[str, Any]
_WINDOW: Final = "sloth_window"
TIER: Final = "sloth_tier"
"""Which of an alert's two tiers fired: quick or slow."""


def rule_file(slos: Iterable[Slo], today: datetime | None = None) -> str:
    """The rules of several SLOs as one Prometheus rule file.

    Raises ValueError without `today` where an SLO has exclusions or a calendar.
    """
    groups = [group for slo in slos for group in groups_of(slo, today)]
    head = "# Made by `holdfast slo generate`; edit the SLO file instead.\n"
    return head + dump(groups)


def groups_of(slo: Slo, today: datetime | None = None) -> list[Group]:
    """Three groups of rules, few enough in each for servers that take 20: SLI, what follows from it, alerts."""
    alerts = [rule for severity in ("page", "ticket") for rule in _alert(slo, severity)]
    if alerts:
        alerts.append(_no_data(slo, today))
    rules = {"sli-recordings": _sli(slo, today), "meta-recordings": _meta(slo, today), "alerts": alerts}
    return [{"name": f"sloth-slo-{kind}-{slo.rule_id}", "rules": some} for kind, some in rules.items() if some]


def period_name(slo: Slo) -> str:
    """How the SLO's window is called in names and labels: 30d, 1month."""
    window = slo.window
    return f"{window.count}{window.unit}" if isinstance(window, Calendar) else show_duration(window.length)


def windows_of(slo: Slo) -> tuple[float, ...]:
    """Seconds of the windows that the alerts look at, shortest first."""
    return tuple(sorted({length for tier in tiers_of(slo.period) for length in (tier.short, tier.long)}))


def _sli(slo: Slo, today: datetime | None) -> list[Rule]:
    total, bad = counts.names_of(slo)
    records = [
        {"record": counts.AWAKE, "expr": f"vector({slo.objective:.12g})", "labels": _labels(slo)},
        {"record": total, "expr": counts.total_expr(slo, today), "labels": ids(slo)},
        {"record": bad, "expr": counts.bad_expr(slo), "labels": ids(slo)},
    ]
    ratios = [_ratio(slo, show_duration(window), _over(slo, window)) for window in windows_of(slo)]
    return [*records, *ratios, _ratio(slo, period_name(slo), _over_period(slo, today))]


def _ratio(slo: Slo, window: str, sums: tuple[str, str]) -> Rule:
    bad, total = sums
    # Where the sum of all events is 0, it is the ratio too; were bad ones ever missing, it would be no small one.
    expr = f"{bad}\n/\n({total} > 0)\nor\n{total}"
    return {"record": f"slo:sli_error:ratio_rate{window}", "expr": expr, "labels": {**_labels(slo), _WINDOW: window}}


def _over(slo: Slo, window: float) -> tuple[str, str]:
    """Bad events and all events of a window, in the same unit."""
    total, bad = (f"{name}{selector(slo)}" for name in counts.names_of(slo))
    if window > counts.window_of(slo):
        bad, total = (f"sum_over_time({one}[{show_duration(window)}])" for one in (bad, total))
    if isinstance(slo.window, Calendar):
        bad, total = (f"sum without ({PERIOD}) ({one})" for one in (bad, total))
    return bad, total


def _over_period(slo: Slo, today: datetime | None) -> tuple[str, str]:
    length = show_duration(horizon.longest(slo, today))
    total, bad = (f"{name}{selector(slo)}" for name in counts.names_of(slo))
    sums = [f"sum_over_time({one}[{length}])" for one in (bad, total)]
    if isinstance(slo.window, Calendar):
        # The two records of this moment bear the name of the present period, and no other's.
        sums = [f"sum without ({PERIOD}) ({some} and {now})" for some, now in zip(sums, (bad, total), strict=True)]
    return sums[0], sums[1]


def _meta(slo: Slo, today: datetime | None) -> list[Rule]:
    windows = show_duration(windows_of(slo)[0]), period_name(slo)
    # For minutes after a label got another value both series are there, and one rule cannot write two.
    now, period = (
        f"max without ({', '.join([*slo.labels, _WINDOW])}) (slo:sli_error:ratio_rate{window}{selector(slo)})"
        for window in windows
    )
    values = {
        "slo:error_budget:ratio": f"vector({slo.budget:.12g})",
        "slo:time_period:days": f"vector({horizon.longest(slo, today) / DAY:.6g})",
        "slo:current_burn_rate:ratio": f"{now}\n/ {slo.budget:.12g}",
        "slo:period_burn_rate:ratio": f"{period}\n/ {slo.budget:.12g}",
        "slo:period_error_budget_remaining:ratio": f"1 - {period}\n/ {slo.budget:.12g}",
        "sloth_slo_info": "vector(1)",
    }
    info = {"sloth_mode": "holdfast", "sloth_objective": f"{slo.objective * 100:.12g}"}
    return [
        {"record": name, "expr": expr, "labels": _labels(slo) | (info if name == "sloth_slo_info" else {})}
        for name, expr in values.items()
    ]


def _labels(slo: Slo) -> dict[str, str]:
    return {**slo.labels, **ids(slo)}


def _alert(slo: Slo, severity: Severity) -> list[Rule]:
    tiers = [one for one in tiers_of(slo.period) if one.severity == severity and not is_dead(one, slo)]
    policy = slo.policy(severity)
    if policy.disabled or not tiers:
        return []
    return [
        {
            "alert": slo.alert,
            "expr": "\nor\n".join(_fires(slo, tier) for tier in tiers),
            "labels": {"sloth_severity": severity, "severity": severity, **slo.alert_labels, **policy.labels},
            "annotations": {**_words(slo, tiers), **slo.alert_annotations, **policy.annotations},
        }
    ]


def _fires(slo: Slo, tier: Tier) -> str:
    """Burning over both windows, with enough bad events in the longer one; the label says which tier it was."""
    limit = f"{threshold(tier, slo):.12g}"
    burns = [
        f"max without ({_WINDOW}) (slo:sli_error:ratio_rate{show_duration(window)}{selector(slo)} > {limit})"
        for window in (tier.short, tier.long)
    ]
    if counts.counts_events(slo) and slo.least_bad > 1:
        burns.append(f"on({', '.join(IDS)}) {_events(slo, tier.long)} > {slo.least_bad - MARGIN:g}")
    both = "\n  and ".join(burns)
    return f'label_replace(\n  {both},\n  "{TIER}", "{tier.name}", "", ""\n)'


def _events(slo: Slo, window: float) -> str:
    """Bad events in a window, from records that overlap: so many of them are made while one looks back."""
    bad = f"{counts.names_of(slo)[1]}{selector(slo)}"
    parts = [f"sum_over_time({bad}[{show_duration(window)}])", f"count_over_time({bad}[1h])"]
    if isinstance(slo.window, Calendar):
        parts = [f"sum without ({PERIOD}) ({part})" for part in parts]
    return f"{parts[0]} / {parts[1]} * {3600 / counts.window_of(slo):g}"


def _words(slo: Slo, tiers: list[Tier]) -> dict[str, str]:
    """What the page says: what happens to users, and what each tier means for the budget."""
    period = period_name(slo)
    said = [f'{{{{ if eq $labels.{TIER} "{tier.name}" }}}}{_meaning(slo, tier, period)}{{{{ end }}}}' for tier in tiers]
    return {
        "summary": f"{slo.id} spends its error budget too fast",
        "description": f"{{{{ $value | humanizePercentage }}}} of events are bad; {show_ratio(slo.budget)} may be.",
        "meaning": "".join(said),
    }


def _meaning(slo: Slo, tier: Tier, period: str) -> str:
    factor = threshold(tier, slo) / slo.budget
    share = factor * tier.long / slo.period
    gone = show_duration(round(slo.period / factor / 3600) * 3600)
    return f"{show_ratio(share, 2)} of the budget for {period} goes in {show_duration(tier.long)}; all of it in {gone}"


def _no_data(slo: Slo, today: datetime | None) -> Rule:
    severity: Severity = "ticket" if slo.page.disabled else "page"
    policy, times = slo.policy(severity), horizon.exclusions(slo, today)
    after = show_duration(counts.dead_after(slo))
    words = {
        "summary": f"{slo.id} has no data",
        "description": (
            f"Nothing that counts its events had a sample for {after}: it is dead, or nobody can see it. "
            "Or there are samples, and its query gives no number of them: `holdfast slo lint --prometheus` says why."
        ),
    }
    missing = "\nor\n".join(filter(None, (counts.silence(slo), counts.unanswered(slo))))
    return {
        "alert": f"{slo.alert}NoData",
        "expr": f"({missing})\nunless vector({times}) > 0" if times else missing,
        "labels": {
            **_labels(slo),
            "sloth_severity": severity,
            "severity": severity,
            **slo.alert_labels,
            **policy.labels,
        },
        "annotations": {**words, **slo.alert_annotations, **policy.annotations},
    }
