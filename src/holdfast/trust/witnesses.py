"""Did those who watched the platform from its own side look all the time, and see what the clients saw?"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from holdfast.expect.base import bad_events
from holdfast.trust.base import NUMBERS, WITNESSED, check_of
from holdfast.units import show_duration

if TYPE_CHECKING:
    from holdfast.model.scenario import Phase
    from holdfast.model.slo import Slo
    from holdfast.model.timeline import Counted, Timeline
    from holdfast.model.verdict import Check

_WATCHDOG_GAP: Final = 20.0
_SCRAPES_MISSED: Final = 3
_SLOWEST_SCRAPE: Final = 60.0


def prometheus_watched(timeline: Timeline) -> Check:
    """Prometheus answered, and scraped without gaps through the judged phases."""
    trouble = timeline.metrics.trouble
    series = [one for one in timeline.metrics.series if one.name == "up"]
    if not trouble and not series:
        trouble = "no scrape was recorded"
    if not trouble and not 0 < timeline.metrics.interval <= _SLOWEST_SCRAPE:
        trouble = f"a scrape interval of {timeline.metrics.interval:g} s"
    most = _SCRAPES_MISSED * timeline.metrics.interval + 0.5
    widest = max((_gap([t for t, _ in one.points], timeline.scenario.phases) for one in series), default=0.0)
    if not trouble and not widest <= most:
        trouble = f"a scrape gap of {show_duration(round(widest, 1))}"
    return check_of(
        "prometheus watched",
        trouble,
        seen=f"widest scrape gap {show_duration(round(widest, 1))}",
        limit=f"no gap over {show_duration(most)}",
        reason="the second witness must have looked",
        spoils=WITNESSED,
    )


def _gap(times: list[float], phases: tuple[Phase, ...]) -> float:
    judged = [phase for phase in phases if phase.judged]
    start, end = judged[0].start, judged[-1].end
    inside = [start, *sorted(t for t in times if start < t < end), end]
    return max(after - before for before, after in pairwise(inside))


def witnesses_agree(timeline: Timeline) -> Check:
    """Client and Prometheus counted the same requests in each judged phase, within what their timing allows."""
    far = []
    if not timeline.scenario.slos() and any(one.kind in NUMBERS for one in timeline.scenario.expect):
        far = ["no SLO is named, so Prometheus was not asked"]
    for slo in timeline.scenario.slos():
        for phase in timeline.scenario.phases:
            if phase.judged:
                far += _disagreement(timeline, slo, phase)
    return check_of(
        "witnesses agree",
        "; ".join(far[:2]),
        seen="client and Prometheus agree",
        limit="requests that ended within 1.5 scrapes of a phase's edge, and 2 scrapes' extrapolation",
        reason="two witnesses that disagree prove nothing",
        spoils=WITNESSED,
    )


def _disagreement(timeline: Timeline, slo: Slo, phase: Phase) -> list[str]:
    counted = next((one for one in timeline.metrics.counted if (one.slo, one.phase) == (slo.id, phase.name)), None)
    where = f"{slo.id} in {phase.name}"
    numbers = (counted.total, counted.bad) if counted else (None,)
    if counted is None or not all(one is not None and math.isfinite(one) for one in numbers):
        return [f"{where}: Prometheus has no number"]
    mine = _client_counts(timeline, slo, phase, counted)
    return [
        f"{where}: client {client:.0f} {what}, Prometheus {server:.1f}, allowed difference {allowed:.1f}"
        for what, client, server, allowed in mine
        if not abs(client - server) <= allowed
    ]


def _client_counts(
    timeline: Timeline, slo: Slo, phase: Phase, counted: Counted
) -> list[tuple[str, float, float, float]]:
    """(what, client's count by end time, Prometheus' count, allowed difference) for all and for bad requests.

    Prometheus sees a request when it ends, up to a scrape later, and `rate` extrapolates over up to a scrape at both
    edges: so what ended near an edge, and two scrapes' share of the count, may differ.
    """
    requests = timeline.load.requests
    ended = requests[requests["done"].notna()]
    near = 1.5 * timeline.metrics.interval
    edges = ((ended["done"] - phase.start).abs() <= near) | ((ended["done"] - phase.end).abs() <= near)
    inside = (ended["done"] >= phase.start) & (ended["done"] < phase.end)
    bad = bad_events(ended, slo)
    share = 2 * timeline.metrics.interval / phase.length
    return [
        ("requests", inside.sum(), counted.total or 0.0, edges.sum() + share * (counted.total or 0.0) + 1),
        ("bad ones", (inside & bad).sum(), counted.bad or 0.0, (edges & bad).sum() + share * (counted.bad or 0.0) + 2),
    ]


def alerts_heard(timeline: Timeline) -> Check:
    """The watchdog alert kept arriving, so that silence means silence."""
    times = [event.t for event in timeline.alerts if event.name == "Watchdog"]
    gap = _gap(times, timeline.scenario.phases)
    trouble = "" if gap <= _WATCHDOG_GAP else f"no watchdog for {show_duration(round(gap, 1))}"
    return check_of(
        "alert path alive",
        trouble,
        seen=f"{len(times)} watchdogs",
        limit=f"one every {show_duration(_WATCHDOG_GAP)}",
        reason="an alert path that is dead is silent too",
        spoils={"alert"},
    )
