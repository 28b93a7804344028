"""What a person sees of a run: a line every few seconds in a pipeline, and a line of its own for what is news."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from holdfast.load.live import Pulse
from holdfast.run import Glimpse
from holdfast.watch import Watcher, line, panel, sparkline

NOTE = "baseline ends after 12.3s of 1m: settled slo:gateway/availability[baseline]"


def glimpse(t, phase="baseline", note="", left=60.0):
    pulse = Pulse(planned=720, offered=10, sent=10, good=9, bad=1, ttft=0.12)
    return Glimpse(t=t, phase=phase, left=left, total_left=left, pulse=pulse, note=note)


@pytest.fixture
def seen():
    """Everything printed for these glimpses, in a pipeline."""

    def lines(*glimpses):
        text = io.StringIO()
        with Watcher(Console(file=text, width=160), "A run", 60.0) as watch:
            for one in glimpses:
                watch(one)
        return text.getvalue().splitlines()

    return lines


def test_a_line_every_five_seconds_and_one_for_each_new_phase(seen):
    lines = seen(*(glimpse(t) for t in range(11)), glimpse(10.5, "recovery"))
    assert [line.split()[0] for line in lines[1:]] == ["0.0s", "5.0s", "10.0s", "10.5s"]


def test_what_ended_a_phase_is_said_once_and_in_its_own_words(seen):
    lines = seen(glimpse(12.0), *(glimpse(12.3 + i / 10, "recovery", NOTE) for i in range(20)))
    assert [line for line in lines if NOTE in line] == [f"  12.3s {NOTE}"]


def test_the_live_panel_shows_it_too_and_its_bar_is_full_when_nothing_is_left():
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(panel(glimpse(30.0, note=NOTE, left=0.0), "A run"))
    text = " ".join(console.export_text().replace("│", " ").split())
    assert NOTE in text
    assert "━" * 68 in text


def test_before_second_zero_the_bar_is_empty_and_long_enough():
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(panel(replace(glimpse(-2.0), total_left=62.0), "A run"))
    assert "baseline" in console.export_text()


def text_of(seen, width):
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(panel(seen, "A run", width))
    return console.export_text()


def busy(**changes):
    """Half a minute in which the time to first token rose from 10 to 300 ms."""
    trend = tuple(second / 100 for second in range(1, 31))
    healthy = {"late": 0.003, "lag": 0.002, "beat": 30.0, "ttfts": trend, "gaps": (0.0104,) * 30}
    return replace(glimpse(30.0), pulse=replace(glimpse(30.0).pulse, **healthy | changes))


def test_a_sparkline_rises_from_nothing_to_the_highest_value_and_shows_what_is_not_known():
    assert sparkline((0.1, 0.2, 0.4, 0.8)) == "▁▂▄█"
    assert sparkline((0.8, None, 0.8)) == "█ █"
    assert sparkline(()) == ""
    assert sparkline((None, 0.0)) == " ▁"


def test_the_panel_shows_both_trends_with_the_highest_value_and_errors_by_class():
    text = text_of(busy(errors={"connect": 3, "timeout": 1}), 80)
    assert "top 300 ms" in text
    assert "itl p50   10 ms" in text
    assert "connect 3, timeout 1" in text
    assert "● client on time: p99 3 ms, limit 100 ms" in text


def test_a_client_that_is_too_late_is_said_in_the_panel_and_in_the_plain_line():
    late = busy(late=0.14)
    assert "● INVALID client late: p99 140 ms, limit 100 ms" in text_of(late, 80)
    assert line(late).endswith("INVALID client late: p99 140 ms, limit 100 ms")
    assert "INVALID" not in line(busy())


def test_a_plain_line_names_errors_only_where_there_are_any():
    assert "bad   1 (connect 1)" in line(busy(errors={"connect": 1}))
    assert "(" not in line(busy())


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_the_panel_fits_the_terminal_and_cuts_no_name_or_number(width):
    lines = text_of(busy(), width).splitlines()
    assert max(map(len, lines)) == min(width, 72)
    assert not [one for one in lines if "…" in one and ("p50" in one or "load" in one)]
