"""The table on a terminal: state first and spelled, whole sentences, never wider than asked."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from holdfast.judge import judge
from holdfast.model.verdict import Report, State
from holdfast.report.terminal import verdict_table
from holdfast.testing import a_check, a_report, a_timeline, a_verdict

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def joined(text: str) -> str:
    return " ".join(text.split())


def test_a_default_run_reads_like_this_in_80_columns():
    text = verdict_table(judge(a_timeline()), 80, color=False)
    assert text.startswith("PASS  engine-kill  proved by the record\n")
    lines = text.splitlines()
    header = next(line for line in lines if line.startswith("state"))
    assert header.split() == ["state", "n", "bad", "interval", "limit"]
    # baseline and recovery: (20 + 25) s x 12 requests/s = 540; the fault phase: 20 s x 12/s = 240, 4 of them cut
    calm = lines[lines.index("  slo:gateway/availability[baseline,recovery]") - 1]
    struck = lines[lines.index("  slo:gateway/availability[fault]") - 1]
    assert joined(calm) == "PASS 540 0 0 % … 0.666 % 1 %"  # 540 tell as much as 449: 1 - 0.05^(1/449)
    assert joined(struck) == "PASS 240 4 0.571 % … 7.75 % 10 %"
    assert "  4 of 240 requests were bad (1.67%); 10% may be, and at most 7.75% truly are." in lines
    assert lines[-1] == "report  holdfast report 20260301-101500-engine-kill"


def test_a_wide_terminal_has_the_sentence_in_its_own_column():
    text = verdict_table(a_report(), 160, color=False)
    row = next(line for line in text.splitlines() if "[baseline,recovery]" in line)
    assert row.startswith("PASS")
    assert row.endswith("0 of 540 requests were bad; at most 0.67 % may be, and 1 % is allowed.")


def test_checks_that_did_not_pass_are_told_whole_and_the_others_in_one_line():
    doubt = a_check(State.UNKNOWN, name="witnesses agree", seen="9 against 3", limit="2 apart", reason="one is wrong")
    checks = (a_check(name="load on time"), doubt, a_check(name="clock sane"))
    text = joined(verdict_table(a_report(checks=checks), 80, color=False))
    assert (
        "UNKNOWN trust: witnesses agree 9 against 3 (limit: 2 apart); this spoils every expectation one is wrong"
        in text
    )
    assert "trust 2 of 3 checks passed: load on time, clock sane" in text


def test_nothing_judged_and_nothing_checked_are_said_aloud():
    text = verdict_table(a_report((), (), state=State.UNKNOWN), 80, color=False)
    assert "no expectation was judged: nothing is proved" in text
    assert "no check was made" in text


def test_the_place_of_the_report_is_the_one_it_was_given():
    text = verdict_table(a_report(provenance={"report": "runs/x/report.html"}), 80, color=False)
    assert text.splitlines()[-1] == "report  runs/x/report.html"


@pytest.mark.parametrize("state", list(State))
def test_every_state_is_spelled_and_coloured(state):
    report = a_report((a_verdict(state),), state=state)
    assert state.value in verdict_table(report, 80, color=False)
    assert re.search(rf"\x1b\[1;3\dm{state.value}", verdict_table(report, 80, color=True))


def test_colour_adds_escape_codes_and_nothing_else():
    report = judge(a_timeline())
    colored = ESCAPES.sub("", verdict_table(report, 80, color=True))
    assert [line.rstrip() for line in colored.splitlines()] == verdict_table(report, 80, color=False).splitlines()


def test_square_brackets_are_text_not_markup():
    report = a_report((a_verdict(sentence="[red]not markup[/red] [/]"),))
    assert "[red]not markup[/red] [/]" in verdict_table(report, 80, color=True)


@settings(max_examples=40, deadline=None)
@given(report=st.from_type(Report), width=st.sampled_from([80, 100, 160]))
def test_no_line_is_wider_than_the_terminal_and_no_server_text_reaches_it_raw(report, width):
    text = verdict_table(report, width, color=False)
    assert "\x1b" not in text
    assert report.state.value in text
    assert all(cell_len(line) <= width for line in text.splitlines())
