"""A backtest as rows for a terminal, for machines, and as one HTML file that needs nothing else."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from holdfast.model.verdict import State
from holdfast.report.backtest_plot import picture
from holdfast.report.page import rendered
from holdfast.report.words import NOTHING, clean
from holdfast.slo import counts
from holdfast.units import show_duration, show_ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.slo.evaluate.backtest import Backtest, Firing
    from holdfast.slo.evaluate.score import Score
    from holdfast.slo.evaluate.vectors import Mask
    from holdfast.slo.review.model import Cause

SCHEMA: Final = "holdfast/backtest/v1"
HEAD: Final = ("SLO", "objective", "bad", "left", "least", "pages", "tickets", "missing", "dead")
FIRING_HEAD: Final = ("fired", "cleared", "for", "alert", "severity", "tier")
SCORE_HEAD: Final = ("SLO", "objective", "severity", "found", "right", "slowest")
_CURVE: Final = 1000


def state(result: Backtest) -> State:
    """UNKNOWN where nothing can be said; a backtest that says something judges nobody."""
    return State.PASS if result.decided else State.UNKNOWN


def row(result: Backtest) -> list[str]:
    """One SLO under HEAD; what is not known is a dash."""
    fired = [one.severity for one in result.firings]
    return [
        clean(result.slo.id),
        f"{result.slo.objective * 100:.10g} %",
        _share(result.error_ratio),
        _share(result.left),
        _share(result.least_left),
        str(fired.count("page")),
        str(fired.count("ticket")),
        lasted(result, result.missing),
        lasted(result, result.silent & ~result.missing),
    ]


def notes(result: Backtest) -> list[str]:
    """What must be known besides the numbers: what is missing, what was refused, when the budget was gone."""
    whole, dead = np.ones(len(result.at), dtype=bool), result.silent & ~result.missing
    said = [f"Prometheus would have refused {trouble}." for trouble in result.troubles]
    if result.events:
        unit = "events" if counts.counts_events(result.slo) else "slices of time"
        said.append(f"{result.bad_events:,.0f} of {result.events:,.0f} {unit} were bad.")
    if result.missing.all():
        said.append("There is no sample of what counts its events in all that time: nothing is known.")
    elif result.missing.any():
        out = lasted(result, result.missing)
        said.append(f"{out} of {lasted(result, whole)} have no record: nothing is known of them.")
    if dead.any():
        said.append(f"{lasted(result, dead)} without a sample count as an outage at the mean traffic of a day.")
    if result.spent_at is not None:
        said.append(f"The budget was gone on {moment(result.spent_at)}.")
    return [clean(one) for one in said]


def firing_row(one: Firing, end: float) -> list[str]:
    """One alert under FIRING_HEAD."""
    length = show_duration((one.end or end) - one.start)
    cleared = moment(one.end) if one.end is not None else "not yet"
    return [moment(one.start), cleared, length, clean(one.alert), one.severity, " then ".join(one.tiers) or NOTHING]


def score_rows(result: Backtest, scores: Sequence[Score]) -> list[list[str]]:
    """How the alerts told the incidents, under SCORE_HEAD."""
    return [
        [
            clean(result.slo.id),
            f"{result.slo.objective * 100:.10g} %",
            one.severity,
            _of(sum(found.after is not None for found in one.found), len(one.found), one.recall),
            _of(one.right, one.alerts, one.precision),
            NOTHING if one.slowest is None else show_duration(one.slowest) if one.slowest else "fired already",
        ]
        for one in scores
    ]


def lasted(result: Backtest, when: Mask) -> str:
    """How long something lasted."""
    return show_duration(result.minutes(when) * 60) if when.any() else "0"


def moment(at: float) -> str:
    """Unix seconds as a minute of UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"


def _of(part: int, whole: int, share: float | None) -> str:
    return NOTHING if share is None else f"{part} of {whole}"


def _share(value: float | None) -> str:
    return NOTHING if value is None else show_ratio(value, 4)


def to_dict(
    source: str,
    trials: Sequence[tuple[Backtest, Sequence[Score]]],
    others: Sequence[tuple[Backtest, Sequence[Score]]] = (),
) -> dict[str, Any]:
    """For machines; a number that is not known is null, times are Unix seconds, ratios shares of one."""
    return {
        "schema": SCHEMA,
        "source": source,
        "slos": [_trial(result, scores, curve=True) for result, scores in trials],
        "objectives": [_trial(result, scores, curve=False) for result, scores in others],
    }


def _trial(result: Backtest, scores: Sequence[Score], *, curve: bool) -> dict[str, Any]:
    each = -(-len(result.at) // _CURVE)
    kept = sorted({*range(0, len(result.at), each), len(result.at) - 1}) if curve else []
    return {
        "slo": result.slo.id,
        "objective": result.slo.objective,
        "verdict": state(result).value,
        "start": float(result.at[0]),
        "end": float(result.at[-1]),
        "step": result.step,
        "events": _number(result.events),
        "bad": _number(result.bad_events),
        "error_ratio": result.error_ratio,
        "budget": {"left": result.left, "least": result.least_left, "gone": result.spent_at},
        "ratios": {name: _extremes(values) for name, values in result.ratios.items()},
        "minutes": {
            "all": result.minutes(np.ones(len(result.at), dtype=bool)),
            "missing": result.minutes(result.missing),
            "dead": result.minutes(result.silent & ~result.missing),
        },
        "alerts": [
            {"alert": one.alert, "severity": one.severity, "tiers": one.tiers, "start": one.start, "end": one.end}
            for one in result.firings
        ],
        "incidents": [_score(one) for one in scores],
        "troubles": result.troubles,
        "curve": [[float(result.at[index]), _number(float(result.remaining[index]))] for index in kept],
    }


def _extremes(values: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float | None]:
    return {"last": _number(float(values[-1])), "worst": _number(float(np.fmax.reduce(values)))}


def _score(one: Score) -> dict[str, Any]:
    return {
        "severity": one.severity,
        "recall": one.recall,
        "precision": one.precision,
        "alerts": one.alerts,
        "right": one.right,
        "found": [{"name": found.name, "start": found.start, "after": found.after} for found in one.found],
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def page(
    source: str,
    trials: Sequence[tuple[Backtest, Sequence[Score]]],
    others: Sequence[tuple[Backtest, Sequence[Score]]] = (),
    incidents: Sequence[Cause] = (),
) -> str:
    """The backtest as HTML, with a picture of each SLO's budget."""
    first = trials[0][0]
    return rendered(
        "backtest.html.j2",
        title=f"Backtest of {len(trials)} SLO{'s' if len(trials) != 1 else ''}",
        span=f"{moment(float(first.at[0]))} to {moment(float(first.at[-1]))} UTC, every {show_duration(first.step)}",
        source=clean(source),
        unknown=sum(not result.decided for result, _ in trials),
        head=HEAD,
        rows=[(state(result).value, row(result)) for result, _ in trials],
        firing_head=FIRING_HEAD,
        score_head=SCORE_HEAD[1:],
        cards=[
            _card(result, scores, [one for one in others if one[0].slo.id == result.slo.id], incidents, f"slo-{index}")
            for index, (result, scores) in enumerate(trials)
        ],
    )


def _card(
    result: Backtest,
    scores: Sequence[Score],
    others: Sequence[tuple[Backtest, Sequence[Score]]],
    incidents: Sequence[Cause],
    name: str,
) -> dict[str, Any]:
    end = float(result.at[-1]) + result.step
    everyone = [(result, scores), *others]
    return {
        "id": name,
        "slo": clean(result.slo.id),
        "state": state(result).value,
        "description": clean(result.slo.description),
        "notes": notes(result),
        "picture": picture(result, incidents, name),
        "firings": [firing_row(one, end) for one in result.firings],
        "others": [row(one)[1:] for one, _ in everyone] if others else [],
        "scores": [cells[1:] for one, some in everyone for cells in score_rows(one, some)],
    }
