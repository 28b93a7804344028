"""What the page shows, as rows of text: cards, bars, events, requests; the template only arranges them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from holdfast.model.verdict import State
from holdfast.report.canvas import shown_alerts
from holdfast.report.words import NOTHING, amount, clean, count, interval, known, other_value
from holdfast.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from holdfast.model.timeline import Timeline
    from holdfast.model.verdict import Evidence, Verdict

TOP: Final = 20
"""Rows of each table of requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Where estimate, bounds and limit stand on one scale from 0 to `most`; places in percent of its width."""

    low: float
    high: float
    estimate: float | None
    limit: float | None
    limit_text: str
    most: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One expectation as the page shows it."""

    verdict: Verdict
    facts: tuple[tuple[str, str], ...]
    bar: Bar | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the run's story."""

    t: str
    kind: str
    what: str
    detail: str
    tone: str = ""


def cards(verdicts: Iterable[Verdict]) -> tuple[Card, ...]:
    """Worst first; within a state in the order of the scenario file."""
    ordered = sorted(verdicts, key=lambda one: -one.state.severity)
    return tuple(Card(verdict=one, facts=_facts(one), bar=bar(one.evidence)) for one in ordered)


def _facts(verdict: Verdict) -> tuple[tuple[str, str], ...]:
    seen, open_ = verdict.evidence, verdict.state is State.UNKNOWN
    facts = {
        "n": count(seen.n),
        "bad": count(seen.bad),
        "worth": NOTHING if seen.n_eff is None else f"{seen.n_eff:.0f} independent ones",
        "estimate": amount(seen.estimate, seen),
        "interval": interval(seen) if known(seen.low) or known(seen.high) else NOTHING,
        "limit": amount(seen.limit, seen),
        "still needed": count(seen.more) if seen.more and open_ else NOTHING,
        **{clean(name): other_value(value) for name, value in seen.other.items()},
        "counted in": NOTHING if seen.unit in _EVIDENT else clean(seen.unit),
        "alpha": NOTHING if seen.alpha is None else f"{seen.alpha:g}",
        "method": clean(seen.method) or NOTHING,
    }
    always = {"n", "bad", "estimate", "limit"}
    return tuple((name, value) for name, value in facts.items() if name in always or value != NOTHING)


_EVIDENT: Final = ("", "%", "ratio", "bad-event ratio", "seconds")
"""Units that the figures themselves already show."""


def bar(seen: Evidence) -> Bar | None:
    """The picture of estimate and interval against the limit; None when there is no estimate to draw."""
    low, high, estimate, limit = (_finite(one) for one in (seen.low, seen.high, seen.estimate, seen.limit))
    numbers = [one for one in (low, high, estimate, limit) if one is not None]
    if estimate is None and high is None and low is None:
        return None
    most = max(numbers) * 1.25
    if most <= 0:
        return None
    start = low if low is not None else estimate if high is None else 0.0
    end = high if high is not None else estimate if low is None else most
    return Bar(
        low=_percent(start, most) or 0.0,
        high=_percent(end, most) or 0.0,
        estimate=_percent(estimate, most),
        limit=_percent(limit, most),
        limit_text=f"limit {amount(limit, seen)}",
        most=amount(most, seen),
        label=f"estimate {amount(estimate, seen)}, interval {interval(seen)}, limit {amount(limit, seen)}",
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _percent(value: float | None, most: float) -> float | None:
    return None if value is None else round(100 * min(max(value / most, 0.0), 1.0), 2)


def story(timeline: Timeline) -> tuple[Row, ...]:
    """Every event and every alert in the order of time, without the alert path's heartbeat."""
    rows = [(event.t, _event(event.t, event.kind, event.data)) for event in timeline.events]
    for alert in shown_alerts(timeline):
        marker = "▲" if alert.status == "firing" else "▼"
        labels = ", ".join(f"{name}={value}" for name, value in sorted(alert.labels.items()))
        what = clean(f"{marker} {alert.name} {alert.status}")
        detail = clean("; ".join(part for part in (alert.severity, labels) if part))
        tone = "bad" if alert.status == "firing" else "good"
        rows.append((alert.t, Row(t=second(alert.t), kind="alert", what=what, detail=detail, tone=tone)))
    return tuple(row for _, row in sorted(rows, key=lambda one: one[0]))


def _event(t: float, kind: str, data: Mapping[str, Any]) -> Row:
    word = {name: clean(str(value)) for name, value in data.items() if value not in (None, "")}
    tone = ""
    match kind:
        case "run":
            what = "the run begins"
        case "phase":
            what = f"{word.pop('name', '?')} {'begins' if word.pop('edge', '') == 'start' else 'ends'}"
        case "fault":
            step = word.pop("step", "?")
            tone = {"applied": "bad", "observed": "bad", "failed": "bad", "refused": "bad", "gone": "good"}.get(
                step, ""
            )
            what = f"{step}: {word.pop('fault', '?')} on {word.pop('target', '?')}"
            word.pop("id", None)
        case "load":
            what = f"load {word.pop('step', '?')}"
        case "interrupted":
            what, tone = f"interrupted by {word.pop('signal', '?')}", "bad"
        case "collected":
            worked = data.get("ok") is True
            word.pop("ok", None)
            what, tone = (
                f"{word.pop('source', '?')} {'read' if worked else 'could not be read'}",
                "" if worked else "bad",
            )
        case "restored":
            whole = data.get("ok") is True
            word.pop("ok", None)
            what, tone = ("every replica is ready again", "good") if whole else ("not every replica is ready", "bad")
        case "failed":
            what, tone = "the run failed", "bad"
        case "halt":
            what, tone = "the run is broken off", "bad"
        case "note":
            what = f"{word.pop('by', '?')} notes"
        case "end":
            whole = data.get("complete") is True
            word.pop("complete", None)
            what, tone = ("the record is complete", "") if whole else ("the record is not complete", "bad")
        case _:
            what = kind
    detail = "; ".join(value if name == "detail" else f"{name} {value}" for name, value in word.items())
    return Row(t=second(t), kind=clean(kind), what=what, detail=detail, tone=tone)


def failed(timeline: Timeline) -> tuple[tuple[tuple[str, ...], ...], int]:
    """The first TOP requests that are not ok, by due time, and how many there are in all."""
    requests = timeline.load.requests
    if "outcome" not in requests or not len(requests):
        return (), 0
    rows = requests[requests["outcome"] != "ok"]
    return _requests(timeline, _sorted(rows, "due").head(TOP)), len(rows)


def slowest(timeline: Timeline) -> tuple[tuple[str, ...], ...]:
    """The TOP ok requests with the longest time from due to first token."""
    requests = timeline.load.requests
    if not {"outcome", "first", "due"} <= set(requests.columns):
        return ()
    took = (requests["first"] - requests["due"])[requests["outcome"] == "ok"].dropna()
    return _requests(timeline, requests.loc[took.sort_values(ascending=False, kind="stable").index[:TOP]])


REQUEST_COLUMNS: Final = ("id", "due", "phase", "outcome", "status", "first token", "done", "tokens", "error")


def _requests(timeline: Timeline, rows: pd.DataFrame) -> tuple[tuple[str, ...], ...]:
    return tuple(_request(timeline, row) for row in rows.to_dict("records"))


def _request(timeline: Timeline, row: Mapping[Any, Any]) -> tuple[str, ...]:
    due = _number(row.get("due"))
    return (
        _text(row.get("id")),
        NOTHING if due is None else second(due),
        _phase_at(timeline, due),
        _text(row.get("outcome")),
        _text(row.get("status")),
        _since(due, row.get("first")),
        _since(due, row.get("done")),
        _text(row.get("tokens")),
        _text(row.get("error")),
    )


def _phase_at(timeline: Timeline, due: float | None) -> str:
    inside = [one.name for one in timeline.scenario.phases if due is not None and one.start <= due < one.end]
    return inside[0] if inside else NOTHING


def _since(due: float | None, value: object) -> str:
    then = _number(value)
    return NOTHING if then is None or due is None else _took(then - due)


def _took(seconds: float) -> str:
    return show_duration(round(seconds, 3)) if seconds >= 0 else f"{seconds:.3f}s"


def _number(value: object) -> float | None:
    return _finite(float(value)) if isinstance(value, int | float | np.number) else None


def _text(value: object) -> str:
    number = _number(value)
    if number is not None:
        return f"{number:g}"
    return clean(value) if isinstance(value, str) and value else NOTHING


def _sorted(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    return rows.sort_values(column, kind="stable") if column in rows else rows


def second(t: float) -> str:
    """A run second with two places: "31.02 s"."""
    return f"{t:.2f} s" if math.isfinite(t) else NOTHING
