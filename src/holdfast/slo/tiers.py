"""Which burn rates alert: the four tiers of a period, and how high they must reach for an objective.

Windows and shares: Google, "The Site Reliability Workbook", chapter 5, tables 5-6 and 5-8, as Sloth ships them for
28 and 30 days (internal/alert/windows).
"""

from __future__ import annotations

from typing import Final

from holdfast.model.slo import DAY, Slo, Tier

_MINUTE: Final = 60.0
_HOUR: Final = 3600.0
_STEP: Final = 5 * _MINUTE
_SHORTEST: Final = 2 * DAY
_WELL_KNOWN: Final = (28 * DAY, 30 * DAY)

MARGIN: Final = 0.65
"""How far below `least_bad` the counted events may lie. Prometheus extrapolates: where samples are a minute apart, it
counts the first three events of a counter that stood at 0 as 2.36, and where they are 45 s apart two others as 2.31.
"""

GOOGLE: Final = (
    Tier(severity="page", name="quick", share=0.02, short=5 * _MINUTE, long=_HOUR),
    Tier(severity="page", name="slow", share=0.05, short=30 * _MINUTE, long=6 * _HOUR),
    Tier(severity="ticket", name="quick", share=0.10, short=2 * _HOUR, long=DAY),
    Tier(severity="ticket", name="slow", share=0.10, short=6 * _HOUR, long=3 * DAY),
)
"""For a month: 14.4, 6, 3 and 1 times the burn rate that a budget lasts for."""


def tiers_of(period: float) -> tuple[Tier, ...]:
    """The tiers of a period in seconds: for other than 28 and 30 days the windows are shorter or longer in proportion.

    Raises ValueError for periods under two days, whose shortest windows would be under two minutes.
    """
    if period in _WELL_KNOWN:
        return GOOGLE
    if period < _SHORTEST:
        raise ValueError("a period under two days is too short for burn-rate alerts")
    return tuple(_scaled(tier, period / (30 * DAY)) for tier in GOOGLE)


def _scaled(tier: Tier, by: float) -> Tier:
    short, long = (max(_STEP, round(length * by / _STEP) * _STEP) for length in (tier.short, tier.long))
    return Tier(severity=tier.severity, name=tier.name, share=tier.share, short=short, long=max(long, 2 * short))


def threshold(tier: Tier, slo: Slo) -> float:
    """The error ratio beyond which a tier fires: factor x budget.

    One that is out of reach (1 or more) is drawn back, where the SLO allows it, to half-way between the budget and 1:
    it then fires at a smaller share of the budget than it was meant to.
    """
    plain = tier.factor(slo.period) * slo.budget
    return slo.budget + (1 - slo.budget) / 2 if slo.adapt and plain >= 1 else plain


def is_dead(tier: Tier, slo: Slo) -> bool:
    """Whether no error ratio there can be would make it fire."""
    return threshold(tier, slo) >= 1
