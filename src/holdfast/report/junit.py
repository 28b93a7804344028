"""Judged runs as JUnit XML that no CI server can show greener than they are."""

from __future__ import annotations

import re
from itertools import chain
from itertools import count as count_from
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from holdfast.model.verdict import State, worst
from holdfast.report.words import NOTHING, amount, count, interval, not_passed, other_value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.model.verdict import Evidence, Report, Verdict

TRUST: Final = "trust"
"""Name of the test case that stands for the record's own checks."""
# XML 1.0, production 2 (Char), less the carriage return, which every parser turns into a line feed.
_FORBIDDEN: Final = re.compile(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(reports: Iterable[Report]) -> str:
    """One suite per report, one case per expectation and one for trust; nothing to report is one error."""
    root = Element("testsuites", name="holdfast")
    # Some servers keep only the first of two cases of one name, which could hide a failure behind a pass.
    taken: set[tuple[str, str]] = set()
    for report in reports:
        _suite(root, report, taken)
    if not len(root):
        suite = SubElement(root, "testsuite", name="holdfast")
        _error(_case(suite, "holdfast", "scenarios", taken), State.UNKNOWN, "no scenario was judged")
    for suite in root:
        _count(suite, suite.iter("testcase"))
    _count(root, root.iter("testcase"))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _suite(root: Element, report: Report, taken: set[tuple[str, str]]) -> None:
    suite = SubElement(root, "testsuite", name=_safe(report.scenario))
    properties = SubElement(suite, "properties")
    facts = {"run": report.run, "title": report.title, "verdict": report.state.value, **report.provenance}
    for name, value in facts.items():
        SubElement(properties, "property", name=_safe(name), value=_safe(value))
    for verdict in report.verdicts:
        _expectation(suite, report, verdict, taken)
    if not report.verdicts:
        case = _case(suite, report.scenario, "expectations", taken)
        _error(case, State.UNKNOWN, "no expectation was judged, so nothing is proved")
    _trust(_case(suite, report.scenario, TRUST, taken), report)


def _expectation(suite: Element, report: Report, verdict: Verdict, taken: set[tuple[str, str]]) -> None:
    case = _case(suite, report.scenario, verdict.id, taken)
    case.set("file", _safe(verdict.where.file))
    case.set("line", str(verdict.where.line))
    if verdict.state is State.FAIL:
        failure = SubElement(case, "failure", message=_safe(verdict.sentence), type=verdict.state.value)
        failure.text = _safe(f"{verdict.where}: {verdict.sentence}")
    elif verdict.state is not State.PASS:
        _error(case, verdict.state, verdict.sentence, f"{verdict.where}: {verdict.sentence}")
    SubElement(case, "system-out").text = _safe(evidence_text(verdict.evidence))


def _trust(case: Element, report: Report) -> None:
    doubts = not_passed(report.checks)
    if doubts:
        text = "\n".join(f"{one.state} {one.name}: {one.seen}; limit {one.limit}; {one.reason}" for one in doubts)
        _error(case, doubts[0].state, "; ".join(f"{one.name}: {one.seen}" for one in doubts), text)
    elif not report.checks:
        _error(case, State.UNKNOWN, "no check of the record was made")
    elif report.state.severity > worst(verdict.state for verdict in report.verdicts).severity:
        _error(case, report.state, f"the run as a whole is {report.state}")
    SubElement(case, "system-out").text = _safe(
        "\n".join(f"{one.state} {one.name}: {one.seen}; limit {one.limit}" for one in report.checks)
    )


def evidence_text(seen: Evidence) -> str:
    """Every number behind a verdict, one a line."""
    lines = {
        "n": count(seen.n),
        "bad": count(seen.bad),
        "n_eff": NOTHING if seen.n_eff is None else f"{seen.n_eff:.0f}",
        "estimate": amount(seen.estimate, seen),
        "interval": interval(seen),
        "limit": amount(seen.limit, seen),
        "unit": seen.unit or NOTHING,
        "method": seen.method or NOTHING,
        "alpha": NOTHING if seen.alpha is None else f"{seen.alpha:g}",
        "more": count(seen.more),
        **{name: other_value(value) for name, value in seen.other.items()},
    }
    return "\n".join(f"{name}: {value}" for name, value in lines.items())


def _case(suite: Element, scenario: str, name: str, taken: set[tuple[str, str]]) -> Element:
    classname, base = _safe(scenario), _safe(name)
    names = chain([base], (f"{base} #{again}" for again in count_from(2)))
    free = next(one for one in names if (classname, one) not in taken)
    taken.add((classname, free))
    return SubElement(suite, "testcase", classname=classname, name=free)


def _error(case: Element, state: State, message: str, text: str = "") -> None:
    error = SubElement(case, "error", message=_safe(message), type=state.value)
    error.text = _safe(text or message)


def _count(element: Element, cases: Iterable[Element]) -> None:
    every = list(cases)
    element.set("tests", str(len(every)))
    element.set("failures", str(sum(case.find("failure") is not None for case in every)))
    element.set("errors", str(sum(case.find("error") is not None for case in every)))
    element.set("skipped", "0")


def _safe(text: str) -> str:
    return _FORBIDDEN.sub(lambda found: ascii(found[0])[1:-1], text)
