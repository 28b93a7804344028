"""One verdict explained: every number that leads to it, and every doubt about them."""

from __future__ import annotations

from holdfast.judge import judge
from holdfast.report.explain import explain
from holdfast.testing import a_timeline


def explained(kind: str, **story) -> list[str]:
    timeline = a_timeline(**story)
    report = judge(timeline)
    verdict = next(one for one in report.verdicts if one.kind == kind)
    return explain(report, timeline, verdict).splitlines()


def test_it_goes_from_the_question_to_the_answer():
    steps = [line for line in explained("slo") if not line.startswith(" ")]
    assert steps == ["asked", "counted", "second witness", "proved", "trusted", "answer"]


def test_it_counts_the_requests_of_the_phases_alone():
    lines = explained("slo")
    # baseline 20 s and recovery 25 s at 12/s
    assert "  540 requests: 540 ok" in lines
    assert "  0 bad of 540" in lines


def test_it_names_the_requests_that_failed_and_says_how_many_more_there_are():
    text = "\n".join(explained("slo", bad={"baseline": 8}))
    assert text.count("  request ") == 5
    assert "and 3 more that did not end well" in text


def test_a_doubt_stands_before_what_may_be_trusted():
    lines = explained("slo", lateness=0.5)
    doubt = next(index for index, line in enumerate(lines) if "UNKNOWN: load on time" in line)
    assert "checks it rests on passed" in lines[doubt + 1]
    assert lines[-1].startswith("  UNKNOWN: Not judged: load on time")


def test_an_empty_record_is_explained_too():
    lines = explained("slo", edit=lambda rows: rows.iloc[:0])
    assert "  0 requests: none" in lines
