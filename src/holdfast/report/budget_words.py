"""An error-budget review in words: the same sentences in the terminal, in Markdown and on the page."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from holdfast.model.verdict import State
from holdfast.report.words import NOTHING, clean
from holdfast.slo.review.forecast import GONE, METHOD, OVER
from holdfast.units import show_duration

if TYPE_CHECKING:
    from holdfast.slo.review.model import Part, Review, SloReview

MEANING: Final = {
    State.PASS: "budget left",
    State.FAIL: "budget gone",
    State.UNKNOWN: "what nobody saw could decide it",
}
ORDER: Final = (
    "An event belongs to one cause: the first chaos run that went on in its five minutes, else the first incident, "
    "else to none. The phases of a run share its bad events as the run's own record counted them, else by time."
)


def share(value: float | None) -> str:
    """A share of the budget as a percentage: "37.7 %"; a dash when it is not known."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value * 100:.1f} %" if abs(value) < 10 else f"{value * 100:.0f} %"  # noqa: PLR2004 - for the eye


def number(value: float) -> str:
    """Events, with thin spaces between thousands; fractions come from sharing one window among several causes."""
    whole = f"{value:,.0f}" if abs(value - round(value)) < 0.05 or abs(value) >= 1000 else f"{value:,.1f}"  # noqa: PLR2004
    return whole.replace(",", "\u202f")


def ratio(value: float) -> str:
    """A share of events."""
    return f"{value * 100:.3g} %" if math.isfinite(value) else NOTHING


def minutes(value: float) -> str:
    """A length, from minutes: "43m", "1d2h"; "none" for zero."""
    return show_duration(round(value) * 60) if value >= 0.5 else "none" if value <= 0 else "under 1m"  # noqa: PLR2004


def day(at: float, zone: str) -> str:
    """The day that ends at a moment, by the clocks of a zone."""
    return f"{datetime.fromtimestamp(at - 1, ZoneInfo(zone)):%-d %B}"


def moment(at: float, zone: str) -> str:
    """A moment, by the clocks of a zone."""
    return f"{datetime.fromtimestamp(at, ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def title(review: Review) -> str:
    """Which month."""
    return f"Error budgets, {datetime.fromtimestamp(review.month.start, ZoneInfo(review.month.zone)):%B %Y}"


def partial(review: Review) -> str:
    """Whether the month is over; empty when it is."""
    if not review.partial:
        return ""
    left = (review.month.end - review.now) / 86400
    until = moment(review.now, review.month.zone)
    return (
        f"This month is not over: {until} is as far as it goes, {left:.1f} days are to come. Shares are of the whole "
        "month's budget, if traffic goes on as it was."
    )


def tally(review: Review) -> str:
    """How many SLOs have budget left."""
    kept = sum(one.state is State.PASS for one in review.slos)
    return f"{kept} of {len(review.slos)} SLOs have budget left" + (" so far" if review.partial else "")


def sentence(one: SloReview, zone: str) -> str:
    """What a person must know of one SLO."""
    if not one.total:
        return "No event was seen, so nothing is known of its budget."
    between = f"between {share(one.low)} and {share(one.high)}"
    if one.state is State.UNKNOWN:
        return f"Whether budget is left cannot be told: {between} of it is spent, {share(one.spent)} by what was seen."
    spent = f"{share(one.spent)} of the month's budget is spent"
    gone = f"; it was gone on {moment(one.gone, zone)}" if one.gone is not None else f", {share(one.left)} is left"
    return spent + gone + "." + (f" With what nobody saw it is {between}." if one.missing else "")


def gaps(one: SloReview) -> str:
    """What was not seen, and what that does to the answer."""
    parts = []
    if one.missing:
        parts.append(f"{minutes(one.missing)} are missing and count neither as good nor as bad")
    if one.before:
        parts.append(f"the first {minutes(one.before)} are from before it was recorded, and are not part of the answer")
    return "; ".join(parts).capitalize() + "." if parts else "Every minute was seen."


def forecast(one: SloReview, zone: str) -> str:
    """What may become of the rest of the month, and how that was worked out; empty once it is over."""
    told = one.forecast
    if told.why in (OVER, GONE):
        return ""
    if told.lasts is None or told.end_low is None or told.end_high is None:
        return f"Forecast: UNKNOWN, {told.why}."
    dates = [NOTHING if at is None else day(at, zone) for at in (told.soonest, told.latest)]
    when = f"gone between {dates[0]} and {dates[1]} (one draw in ten is before, one after)"
    when = when.replace(NOTHING, "after the month's end")
    told_when = f", {when}" if told.soonest is not None else ""
    return (
        f"Forecast: the budget lasts the month in {_of_draws(told.lasts)}{told_when}; at the end "
        f"{share(told.end_low)} to {share(told.end_high)} are spent (80 % interval). {METHOD.capitalize()} of "
        f"{told.days} days in blocks of {told.block}, seed {told.seed}."
    )


def _of_draws(lasts: float) -> str:
    # Cut, not rounded: 99.96 % of draws are not all of them.
    return {0.0: "no draw", 1.0: "every draw"}.get(lasts, f"{share(math.floor(lasts * 1000) / 1000)} of draws")


def left(one: SloReview) -> tuple[str, str]:
    """The one number that is shown large, and the word beside it."""
    if one.state is State.UNKNOWN:
        return "?", "left"
    return (share(-one.left), "overspent") if one.left < 0 else (share(one.left), "left")


def cause(part: Part) -> str:
    """Its name, of a phase without its run's, and what of its time another cause has."""
    taken = f" ({minutes(part.taken)} of it belong to what stands above)" if part.taken else ""
    name = part.name.rpartition(": ")[2] if part.kind == "phase" else part.name
    return clean(name) + taken
