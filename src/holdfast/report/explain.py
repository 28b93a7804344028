"""One verdict from raw counts to state, step by step, so that nobody has to take it on faith."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.expect.base import requests_of
from holdfast.model.verdict import State
from holdfast.report.words import amount, interval, other_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from holdfast.model.timeline import Timeline
    from holdfast.model.verdict import Check, Evidence, Report, Verdict

_SHOWN = 5


def explain(report: Report, timeline: Timeline, verdict: Verdict) -> str:
    """Plain text: the line that asks, what was counted, what it proves, what may be trusted, what follows."""
    steps = [
        ("asked", _asked(timeline, verdict)),
        ("counted", _counted(timeline, verdict)),
        ("second witness", _witness(verdict.evidence)),
        ("proved", _proved(verdict.evidence)),
        ("trusted", _trusted(report.checks, verdict.kind)),
        ("answer", [f"{verdict.state}: {verdict.sentence}"]),
    ]
    told = [[f"{name}", *(f"  {line}" for line in lines)] for name, lines in steps if lines]
    return "\n".join(line for step in told for line in step)


def _asked(timeline: Timeline, verdict: Verdict) -> list[str]:
    text = timeline.scenario.files.get(verdict.where.file, "").splitlines()
    line = text[verdict.where.line - 1].strip() if 0 < verdict.where.line <= len(text) else ""
    return [f"{verdict.where}: {line}" if line else f"{verdict.where}: {verdict.id}"]


def _counted(timeline: Timeline, verdict: Verdict) -> list[str]:
    names = next((getattr(one, "during", ()) for one in timeline.scenario.expect if one.id == verdict.id), ())
    chosen = [phase for phase in timeline.scenario.phases if phase.name in names]
    lines = [f"phase {phase.name}: second {phase.start:g} to {phase.end:g}" for phase in chosen]
    requests = requests_of(timeline, names) if chosen else timeline.load.requests
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in requests["outcome"].value_counts().items())
    lines.append(f"{len(requests)} requests: {outcomes or 'none'}")
    return [*lines, *_failed(requests)]


def _failed(requests: pd.DataFrame) -> Iterator[str]:
    failed = requests[requests["outcome"] != "ok"]
    for row in failed.head(_SHOWN).to_dict("records"):
        yield f"request {row['id']:g}, due at {row['due']:.2f} s: {row['outcome']} {row['error']}".rstrip()
    if len(failed) > _SHOWN:
        yield f"and {len(failed) - _SHOWN} more that did not end well"


def _witness(seen: Evidence) -> list[str]:
    return [f"{name}: {other_value(value)}" for name, value in seen.other.items()]


def _proved(seen: Evidence) -> list[str]:
    lines = []
    if seen.n is not None and seen.bad is not None:
        lines.append(f"{seen.bad} bad of {seen.n}")
    if seen.n and seen.n_eff is not None:
        lines.append(f"{seen.n / seen.n_eff:.2f} of them tell as much as one alone: n_eff {seen.n_eff:.1f}")
    if seen.estimate is not None:
        lines.append(f"estimate {amount(seen.estimate, seen)}, limit {amount(seen.limit, seen)}")
    if seen.low is not None and seen.high is not None and seen.alpha is not None:
        lines.append(f"interval {interval(seen)}; each end is wrong at most {seen.alpha:.0%} of the time")
    if seen.p is not None:
        lines.append(f"chance of seeing so much against it at the very limit: {seen.p:.2g}")
    if seen.method:
        lines.append(f"method: {seen.method}")
    if seen.more:
        kind = "like these" if "difference" in seen.unit else "good requests"
        lines.append(f"{seen.more} more {kind} would prove it")
    return lines


def _trusted(checks: tuple[Check, ...], kind: str) -> list[str]:
    mine = [check for check in checks if check.touches(kind)]
    passed = [check.name for check in mine if check.state is State.PASS]
    doubts = [
        f"{check.state}: {check.name}: {check.seen} ({check.reason})" for check in mine if check.name not in passed
    ]
    return [*doubts, f"{len(passed)} of {len(mine)} checks it rests on passed: {', '.join(passed)}"]
