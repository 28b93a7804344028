"""Months as arrays: what an SLO's records would have said, minute causes known, so that a review can be checked."""

from __future__ import annotations

import numpy as np

from holdfast.slo.review.budgets import order, review
from holdfast.slo.review.model import Asked, Cause, Cells, Phase, Review
from holdfast.slo.review.month import month_of

STEP = 300.0
DAY = 86400.0
PHASES = (("baseline", 120, 3), ("fault", 60, 88), ("recovery", 240, 11))
ASKED = Asked(slo="gateway/availability", objective=0.99, budget=0.01)


def cells(total, bad, *, start=0.0, alive=True):
    total, bad = np.asarray(total, dtype=float), np.asarray(bad, dtype=float)
    return Cells(start=start, step=STEP, total=total, bad=bad, alive=np.full(len(total), alive))


def month_cells(month, *, total=100.0, bad=0.0, until=None):
    """Every cell of a month alike, up to `until` (Unix seconds)."""
    number = int(((until or month.end) - month.start) // STEP)
    return cells(np.full(number, total), np.full(number, bad), start=month.start)


def incident(name, start, end, *slos):
    return Cause(kind="incident", name=name, start=start, end=end, slos=frozenset(slos))


def run(name, start, *phases):
    """`phases` are (name, seconds, bad events of gateway/availability that the run itself counted)."""
    found, at = [], start
    for phase, seconds, bad in phases:
        told = {} if bad is None else {ASKED.slo: bad}
        found.append(Phase(name=phase, start=at, end=at + seconds, bad=told))
        at += seconds
    return Cause(kind="run", name=name, start=start, end=at, phases=tuple(found))


def sample(seed=7):
    """A month that goes on, by Berlin's clocks, in the month their clocks change: the committed sample."""
    month = month_of("2026-10", "Europe/Berlin")
    now = month.days[20].start + 15 * 3600
    random = np.random.default_rng(seed)
    number = int((now - month.start) // STEP)
    at = month.start + STEP * np.arange(number)
    daily = 1 + 0.55 * np.sin(2 * np.pi * (at - month.start - 8 * 3600) / DAY)
    total = random.poisson(900 * daily).astype(float)
    bad = random.binomial(total.astype(int), 0.0023).astype(float)
    slow = random.binomial(total.astype(int), 0.043).astype(float)
    third, ninth = month.days[2].start, month.days[8].start
    outage = (at >= third + 14 * 3600) & (at < third + 15.5 * 3600)
    bad[outage] += random.binomial(total[outage].astype(int), 0.22)
    slow[outage] += random.binomial(total[outage].astype(int), 0.4)
    struck = (at >= ninth + 10 * 3600) & (at < ninth + 10 * 3600 + 600)
    bad[struck] += random.binomial(total[struck].astype(int), 0.12)
    blind = (at >= month.days[12].start + 3 * 3600) & (at < month.days[12].start + 4.25 * 3600)
    for one in (total, bad, slow):
        one[blind] = np.nan
    causes = [
        incident("INC-118 database failover", third + 14 * 3600, third + 15.5 * 3600),
        run("20261009-100000-engine-kill", ninth + 10 * 3600, *PHASES),
        incident("INC-121 a slow node", ninth + 10 * 3600 - 1800, ninth + 11 * 3600, "gateway/ttft"),
    ]
    alive = ~blind
    new = np.where(at < month.days[15].start, np.nan, total)
    told = (
        (ASKED, total, bad),
        (Asked(slo="gateway/ttft", objective=0.95, budget=0.05), total, slow),
        (Asked(slo="usage/freshness", objective=0.999, budget=0.001), new, np.where(np.isnan(new), np.nan, bad * 2)),
    )
    slos = [
        review(asked, Cells(start=month.start, step=STEP, total=all_, bad=wrong, alive=alive), month, causes, seed=seed)
        for asked, all_, wrong in told
    ]
    return Review(
        month=month, now=now, step=STEP, source="a sample with known causes", slos=tuple(slos),
        causes=tuple(order(causes)),
    )  # fmt: skip
