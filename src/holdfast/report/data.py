"""A judged run as plain data, `verdict.json`, and back; a file that says PASS without carrying it is refused."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from holdfast.errors import Location, UsageError
from holdfast.model.verdict import Check, Evidence, Report, State, Verdict, worst
from holdfast.report.words import summary

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA: Final = "holdfast/verdict/v1"
_WHOLE: Final = ("n", "bad", "more")
_REAL: Final = ("n_eff", "estimate", "low", "high", "limit", "alpha", "p")


def to_dict(report: Report) -> dict[str, Any]:
    """JSON-safe data; a number that is NaN or infinite is None, for JSON has neither and a gate must not guess."""
    return {
        "schema": SCHEMA,
        "scenario": report.scenario,
        "title": report.title,
        "run": report.run,
        "verdict": report.state.value,
        "summary": summary(report),
        "expectations": [_verdict(one) for one in report.verdicts],
        "checks": [_check(one) for one in report.checks],
        "provenance": dict(report.provenance),
    }


def from_dict(data: Mapping[str, Any]) -> Report:
    """The report again. Raises UsageError on another schema, a missing field, or a verdict better than its parts."""
    if data.get("schema") != SCHEMA:
        raise UsageError(f"expected schema {SCHEMA}, got {data.get('schema')!r}")
    try:
        report = _read(data)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"not a verdict file: {type(error).__name__}: {error}") from error
    _refuse_flattery(report)
    return report


def _refuse_flattery(report: Report) -> None:
    parts = [*(verdict.state for verdict in report.verdicts), *(check.state for check in report.checks)]
    carried = worst(parts) if report.verdicts and report.checks else worst([*parts, State.UNKNOWN])
    if report.state.severity < carried.severity:
        raise UsageError(
            f"the file says {report.state}, but what it holds is {carried}", hint="run holdfast judge again"
        )


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "id": verdict.id,
        "kind": verdict.kind,
        "state": verdict.state.value,
        "sentence": verdict.sentence,
        **_evidence(verdict.evidence),
        "where": {"file": verdict.where.file, "line": verdict.where.line, "column": verdict.where.column},
    }


def _evidence(seen: Evidence) -> dict[str, Any]:
    whole = {name: None if (value := getattr(seen, name)) is None else int(value) for name in _WHOLE}
    real = {name: None if (value := getattr(seen, name)) is None else _finite(float(value)) for name in _REAL}
    other = {name: _plain(value) for name, value in seen.other.items()}
    return {**whole, **real, "unit": seen.unit, "method": seen.method, "other": other}


def _plain(value: float | str | None) -> float | int | str | None:
    if value is None or isinstance(value, str):
        return value
    # numpy's integers are no ints, and json refuses them.
    return int(value) if float(value).is_integer() and not isinstance(value, float) else _finite(float(value))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _check(check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "state": check.state.value,
        "seen": check.seen,
        "limit": check.limit,
        "reason": check.reason,
        "spoils": sorted(check.spoils),
    }


def _read(data: Mapping[str, Any]) -> Report:
    return Report(
        scenario=data["scenario"],
        title=data["title"],
        run=data["run"],
        state=State(data["verdict"]),
        verdicts=tuple(_read_verdict(one) for one in data["expectations"]),
        checks=tuple(_read_check(one) for one in data["checks"]),
        provenance=dict(data["provenance"]),
    )


def _read_verdict(data: Mapping[str, Any]) -> Verdict:
    numbers = {name: data[name] for name in (*_WHOLE, *_REAL)}
    return Verdict(
        id=data["id"],
        kind=data["kind"],
        state=State(data["state"]),
        sentence=data["sentence"],
        evidence=Evidence(**numbers, unit=data["unit"], method=data["method"], other=dict(data["other"])),
        where=Location(**data["where"]),
    )


def _read_check(data: Mapping[str, Any]) -> Check:
    fields = {name: data[name] for name in ("name", "seen", "limit", "reason")}
    return Check(**fields, state=State(data["state"]), spoils=frozenset(data["spoils"]))
