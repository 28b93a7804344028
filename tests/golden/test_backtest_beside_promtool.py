"""A backtest records and fires what Prometheus would have: promtool plays the same rules over the same series."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from holdfast.model.slo import AlertPolicy, Calendar, Exclusion, Rolling, Timeslices
from holdfast.slo.evaluate.query import Track
from holdfast.slo.evaluate.rules import play
from holdfast.slo.rules import groups_of, rule_file
from holdfast.testing import an_slo
from promtool_says import Play, promtool_says

MINUTE = 60
TODAY = datetime(1970, 1, 1, tzinfo=UTC)
GOOD, BAD = 'gateway_requests_total{code="200"}', 'gateway_requests_total{code="500"}'


def counter(*parts: tuple[int | str, int]) -> list[str]:
    """Values minute by minute: (increase each minute, minutes), or ("_" or "stale" or "reset", minutes)."""
    value, found = 0, []
    for each, minutes in parts:
        for _ in range(minutes):
            value = 0 if each == "reset" else value + (each if isinstance(each, int) else 0)
            found.append(each if each in {"_", "stale"} else str(value))
    return found


STORIES = {
    "busy, with a burst of errors": {GOOD: counter((600, 400)), BAD: counter((1, 150), (300, 40), (1, 210))},
    "never failed": {GOOD: counter((60, 300))},
    "an idle hour": {GOOD: counter((60, 60), (0, 60), (60, 60)), BAD: counter((1, 60), (0, 60), (1, 60))},
    "dead for hours, then back": {
        GOOD: counter((60, 100), ("stale", 1), ("_", 199), ("reset", 1), (60, 60)),
        BAD: counter((1, 100), ("stale", 1), ("_", 199), ("reset", 1), (0, 60)),
    },
    "scraped no more, without a mark": {GOOD: counter((60, 90), ("_", 90)), BAD: counter((0, 90), ("_", 90))},
    "errors born at 50": {GOOD: counter((100, 200)), BAD: ["_"] * 120 + ["50"] * 80},
    "counter resets": {
        GOOD: counter((60, 50), ("reset", 1), (60, 50), ("reset", 1), (60, 60)),
        BAD: counter((6, 50), ("reset", 1), (6, 50), ("reset", 1), (0, 60)),
    },
    "gaps of all lengths": {
        GOOD: counter((60, 30), ("_", 3), (60, 30), ("_", 7), (60, 30), ("_", 20), (60, 60)),
        BAD: counter((2, 30), ("_", 3), (2, 30), ("_", 7), (2, 30), ("_", 20), (2, 60)),
    },
    "not a number": {GOOD: counter((60, 80)) + ["NaN"] * 12 + counter((60, 60)), BAD: counter((1, 152))},
    "one sample": {GOOD: ["_"] * 20 + ["7"] + ["_"] * 60},
    "dead twice": {
        GOOD: counter((60, 40), ("_", 31), (60, 10), ("_", 60), (60, 20)),
        BAD: counter((1, 40), ("_", 31), (1, 10), ("_", 60), (1, 20)),
    },
}


def an_alerting_slo(**changes):
    kept = {"objective": 0.99, "alert": "Gateway", "page": AlertPolicy(), "ticket": AlertPolicy()}
    return an_slo(**{**kept, **changes})


def tracks_of(series):
    found = []
    for name, values in series.items():
        kept = [(MINUTE * minute, value) for minute, value in enumerate(values) if value != "_"]
        found.append(
            Track(
                labels={"__name__": "gateway_requests_total", "code": name[-5:-2]},
                times=np.array([at for at, _ in kept], dtype=float),
                values=np.array([math.nan if value == "stale" else float(value) for _, value in kept]),
                stale=np.array([value == "stale" for _, value in kept], dtype=bool),
            )
        )
    return found


def differences(slo, series, folder, every=7, prometheus=2):
    """(metric, minute, promtool's, ours) wherever they are not the same; asked at some minutes, to the last."""
    minutes = max(len(values) for values in series.values()) + 30
    at = np.arange(minutes, dtype=float) * MINUTE
    rules = play(groups_of(slo, TODAY), tracks_of(series), at, prometheus=prometheus)
    assert [one.trouble for one in rules] == [""] * len(rules)
    names = list(dict.fromkeys(one.rule["record"] for one in rules if "record" in one.rule))
    alerts = 'ALERTS{alertstate="firing"}'
    asked = [*range(0, minutes, every), minutes - 1]
    questions = tuple((name, MINUTE * minute) for name in [*names, alerts] for minute in asked)
    given = Play(series={name: " ".join(values) for name, values in series.items()}, questions=questions)
    theirs = promtool_says([given], folder, rules=rule_file([slo], TODAY), prometheus=prometheus)
    found = []
    for (name, second), wanted in zip(questions, theirs, strict=True):
        ours = firing(rules, second) if name == alerts else recorded(rules, name, second)
        if not same(ours, wanted):
            found.append((name, second // MINUTE, wanted, ours))
    assert sum(len(one) > 0 for one in theirs) > len(names)
    return found


def recorded(rules, name, second):
    return {
        frozenset(vector.labels.items()): float(vector.values[second // MINUTE])
        for one in rules
        if one.rule.get("record") == name
        for vector in one.vectors
        if vector.present[second // MINUTE]
    }


def firing(rules, second):
    return {
        frozenset(
            {**vector.labels, "__name__": "ALERTS", "alertname": one.rule["alert"], "alertstate": "firing"}.items()
        ): 1.0
        for one in rules
        if "alert" in one.rule
        for vector in one.vectors
        if vector.present[second // MINUTE]
    }


def same(ours, theirs):
    return ours.keys() == theirs.keys() and all(
        math.isclose(ours[key], theirs[key], rel_tol=1e-9, abs_tol=1e-9) for key in theirs
    )


OFTEN = ("dead twice", "gaps of all lengths", "one sample", "errors born at 50")


@pytest.mark.parametrize(
    "story", [story if story in OFTEN else pytest.param(story, marks=pytest.mark.slow) for story in STORIES]
)
def test_every_record_and_alert_is_the_one_that_promtool_finds(story, tmp_path):
    assert differences(an_alerting_slo(), STORIES[story], tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("story", STORIES)
def test_so_it_is_with_the_semantics_of_prometheus_3(story, tmp_path):
    assert differences(an_alerting_slo(), STORIES[story], tmp_path, every=19, prometheus=3) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"window": Rolling(length=7 * 86400.0), "objective": 0.9},
        {"budgeting": Timeslices(length=120.0, target=0.95)},
        {"window": Calendar(unit="day", count=2, start=datetime(1969, 12, 30, 3, tzinfo=UTC))},
        {"exclusions": (Exclusion(reason="moved", start=datetime(1970, 1, 1, 2, tzinfo=UTC), length=3600.0),)},
        {"labels": {"owner": "us"}, "dead_after": 600.0, "least_bad": 5},
    ],
    ids=["a short window", "slices", "a calendar", "an exclusion", "labels"],
)
@pytest.mark.parametrize("story", ["busy, with a burst of errors", "dead for hours, then back"])
@pytest.mark.parametrize("prometheus", [2, 3])
@pytest.mark.slow
def test_so_it_is_for_every_kind_of_objective(changes, story, prometheus, tmp_path):
    slo = replace(an_alerting_slo(), **changes)
    assert differences(slo, STORIES[story], tmp_path, every=19, prometheus=prometheus) == []
