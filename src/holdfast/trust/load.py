"""Was the load offered that was planned, all of it, by everyone who had a share in it?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdfast.model.scenario import SLIP
from holdfast.trust.base import WITNESSED, check_of
from holdfast.units import show_ratio

if TYPE_CHECKING:
    from holdfast.model.timeline import Timeline
    from holdfast.model.verdict import Check

_SHORTFALL: Final = 0.01


def load_offered(timeline: Timeline) -> Check:
    """The planned arrivals were really sent, to the end; or to where the run cut the load, when it may stop early."""
    load = timeline.load
    sent = int(load.requests["sent"].notna().sum())
    wanted, trouble = _wanted(timeline)
    return check_of(
        "load offered",
        trouble or _gave_up(timeline, sent, wanted) or _not_as_planned(timeline, wanted - sent, wanted),
        seen=f"{sent} of {wanted} requests sent",
        limit=f"at most {show_ratio(_SHORTFALL)} short",
        reason="a target spared part of the load was not tested",
        spoils=WITNESSED,
    )


def _wanted(timeline: Timeline) -> tuple[int, str]:
    """How many requests had to be offered, and what is wrong with the word that cut the load at the end of the run."""
    planned, cuts = timeline.load.planned, timeline.of("load", step="cut")
    if not cuts:
        return planned, ""
    until, expected = cuts[0].data.get("until"), cuts[0].data.get("expected")
    if len(cuts) > 1 or timeline.scenario.stop != "early":
        return planned, "the load was cut, and nothing in the scenario allows that"
    if not isinstance(expected, int) or not 0 <= expected <= planned or not isinstance(until, int | float):
        return planned, f"the load was cut at {until!r} s with {expected!r} of {planned} requests"
    if not abs(until - timeline.scenario.length) <= SLIP or not cuts[0].t <= until:
        return planned, f"the load was cut at {until:.1f} s, the run ended at {timeline.scenario.length:.1f} s"
    after = int((timeline.load.requests["due"] >= until).sum())
    return expected, f"{after} requests were offered after the load was cut" if after else ""


def _gave_up(timeline: Timeline, sent: int, wanted: int) -> str:
    """Why the generator, or one of its workers, did not play the load to its end."""
    load, over = timeline.load, timeline.first("load", step="ended")
    # A generator that broke when nearly all was sent wrote its last line all the same.
    code = over.data.get("code") if over else None
    lost = [
        f"worker {one.get('index')} was lost at second {one.get('t')}: {one.get('why')}"
        if one.get("state") == "lost"
        else f"worker {one.get('index')}: {one['error']}"
        for one in load.workers
        if one.get("state") == "lost" or one.get("error")
    ]
    if load.ended and not code and not lost:
        return ""
    how = "stopped early" if not load.ended else f"ended with exit code {code}" if code else "ended"
    return "; ".join((f"the load generator {how}: {sent} of {wanted} requests sent", *lost[:2]))


def _not_as_planned(timeline: Timeline, missing: int, wanted: int) -> str:
    """What of the plan was not offered, or was offered beside it."""
    load, started = timeline.load, timeline.first("load", step="started")
    expected = started.data.get("expected") if started else None
    if wanted == 0:
        closed = "a closed loop plans no request: its users wait for their answers, so a slow target is spared"
        return closed if timeline.scenario.load.arrivals == "closed" else "no request was planned"
    if load.planned != expected:
        return f"the load generator planned {load.planned} requests, the plan says {expected}"
    if len(load.requests) > wanted or load.requests["due"].isna().any():
        return f"{len(load.requests)} requests are recorded, {wanted} were planned"
    if load.requests["id"].isna().any() or load.requests["id"].duplicated().any():
        return "a request is recorded twice"
    if missing > _SHORTFALL * wanted:
        return f"{missing} of {wanted} planned requests were never sent ({load.dropped} over the in-flight cap)"
    return ""
