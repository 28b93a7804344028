"""An error-budget review as Markdown, as one HTML file that needs nothing else, and for machines."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from holdfast.report import budget_words as words
from holdfast.report.budget_plots import pictures
from holdfast.report.page import rendered
from holdfast.report.words import clean

if TYPE_CHECKING:
    from holdfast.slo.review.model import Part, Review, SloReview

SCHEMA: Final = "holdfast/budget/v1"
HEAD: Final = ("state", "SLO", "left", "spent", "bad", "events", "missing", "objective")
PARTS: Final = ("what it was spent on", "spent", "bad", "events", "time")
DAYS: Final = ("day", "spent", "bad", "events", "missing")


def rows(review: Review) -> list[list[str]]:
    """The overview under HEAD."""
    return [
        [
            one.state.value,
            one.asked.slo,
            words.share(one.left),
            words.share(one.spent),
            words.number(one.bad),
            f"{words.number(one.total)} {one.asked.unit}",
            words.minutes(one.missing),
            f"{one.asked.objective * 100:.10g} %",
        ]
        for one in review.slos
    ]


def markdown(review: Review) -> str:
    """The review for a wiki or a ticket: overview, then each SLO with what it was spent on and day by day."""
    notes = [note for note in (words.partial(review), words.ORDER) if note]
    parts = [
        f"# {words.title(review)}",
        f"**{words.tally(review)}.** {_from(review)}",
        *notes,
        _table(HEAD, rows(review)),
        *(part for one in review.slos for part in _slo(one, review.month.zone)),
    ]
    return "\n\n".join(parts) + "\n"


def _from(review: Review) -> str:
    until = words.moment(min(review.now, review.month.end), review.month.zone)
    return f"Clocks of {review.month.zone}; until {until}; from {clean(review.source)}."


def _slo(one: SloReview, zone: str) -> list[str]:
    told = [words.sentence(one, zone), words.gaps(one), words.forecast(one, zone)]
    parts = [f"## {one.asked.slo}: {words.MEANING[one.state]}", " ".join(part for part in told if part)]
    if not one.total:
        return parts
    return [
        *parts,
        _table(PARTS, [_part(part) for part in one.parts]),
        _table(DAYS, [_day(one, index) for index in range(len(one.days))]),
    ]


def _part(part: Part) -> list[str]:
    indent = "· " if part.kind == "phase" else ""
    numbers = [words.share(part.spent), words.number(part.bad), words.number(part.total), words.minutes(part.minutes)]
    return [indent + words.cause(part), *numbers]


def _day(one: SloReview, index: int) -> list[str]:
    day = one.days[index]
    numbers = [words.share(day.spent), words.number(day.bad), words.number(day.total), words.minutes(day.missing)]
    return [day.name, *numbers]


def _table(head: tuple[str, ...], body: list[list[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *body]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def page(review: Review) -> str:
    """The review as HTML, with pictures."""
    zone = review.month.zone
    return rendered(
        "budget.html.j2",
        review=review,
        title=words.title(review),
        tally=words.tally(review),
        partial=words.partial(review),
        origin=_from(review),
        order=words.ORDER,
        overview=rows(review),
        head=HEAD,
        part_head=PARTS,
        day_head=DAYS,
        cards=[
            {
                "one": one,
                "id": f"slo-{index}",
                "meaning": words.MEANING[one.state],
                "sentence": words.sentence(one, zone),
                "gaps": words.gaps(one),
                "forecast": words.forecast(one, zone),
                "left": words.left(one),
                "bar": _bar(one),
                "facts": _facts(one),
                "pictures": pictures(review, one, f"slo-{index}"),
                "parts": [(part, _part(part)) for part in one.parts],
                "days": [_day(one, number) for number in range(len(one.days))],
            }
            for index, one in enumerate(review.slos)
        ],
    )


def _facts(one: SloReview) -> tuple[tuple[str, str], ...]:
    return (
        ("objective", f"{one.asked.objective * 100:.10g} %"),
        (one.asked.unit, words.number(one.total)),
        ("bad", f"{words.number(one.bad)} of {words.number(one.allowed)} allowed"),
        ("bad share", words.ratio(one.ratio)),
        ("seen", words.minutes(one.seen)),
        ("missing", words.minutes(one.missing)),
    )


def _bar(one: SloReview) -> dict[str, float] | None:
    """Places on a bar that ends at the whole budget, or beyond it where more was spent: percentages of its length."""
    if not (math.isfinite(one.low) and math.isfinite(one.high)):
        return None
    whole = max(1.0, one.high * 1.03)
    places = {"spent": one.spent, "low": one.low, "high": one.high, "whole": 1.0}
    return {name: round(100 * place / whole, 2) for name, place in places.items()}


def to_dict(review: Review) -> dict[str, Any]:
    """For machines; a number that is not known is null."""
    return {
        "schema": SCHEMA,
        "month": review.month.name,
        "zone": review.month.zone,
        "until": min(review.now, review.month.end),
        "made": review.now,
        "partial": review.partial,
        "source": review.source,
        "verdict": review.state.value,
        "slos": [_slo_dict(one) for one in review.slos],
    }


def _slo_dict(one: SloReview) -> dict[str, Any]:
    numbers = ("total", "bad", "allowed", "spent", "low", "high", "left", "seen", "missing", "before", "gone")
    told = one.forecast
    fields = (
        "days",
        "block",
        "lasts",
        "soonest",
        "middle",
        "latest",
        "end_low",
        "end_middle",
        "end_high",
        "seed",
        "why",
    )
    return {
        "slo": one.asked.slo,
        "objective": one.asked.objective,
        "unit": one.asked.unit,
        "verdict": one.state.value,
        **{name: _known(getattr(one, name)) for name in numbers},
        "parts": [
            _fields(part, ("kind", "name", "total", "bad", "spent", "minutes", "taken", "by")) for part in one.parts
        ],
        "days": [_fields(day, ("name", "total", "bad", "spent", "seen", "missing")) for day in one.days],
        "forecast": _fields(told, fields),
    }


def _fields(thing: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: _known(getattr(thing, name)) for name in names}


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
