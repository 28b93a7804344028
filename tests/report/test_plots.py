"""Pictures: the same record gives the same bytes, every record gives a picture, and missing data are called missing."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from dataclasses import replace
from xml.etree.ElementTree import fromstring

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.timeline import Event, LoadRecord, Metrics, Series
from holdfast.report.canvas import fault_spans
from holdfast.report.plots import _streamed, plots, with_gaps
from holdfast.testing import KILL, a_scenario, a_timeline, an_alert, fault_steps

NOTHING = LoadRecord(planned=0, requests=pd.DataFrame(), beats=pd.DataFrame(), ended=False)


def without_numbers(column):
    return lambda rows: rows.assign(**{column: np.nan})


STORY = a_timeline()
ODD_NAME = "a$b_{x}$ <&> \x1b " + "long " * 20
EVERY_REQUEST = {"warmup": 120, "baseline": 240, "fault": 240, "recovery": 300}
NOT_A_NUMBER = Series(name="engine_running", labels={}, points=((1.0, np.nan),))


def oddly_named(scenario):
    return replace(scenario, phases=tuple(replace(phase, name=ODD_NAME) for phase in scenario.phases))


ODD_TIMELINES = {
    "nothing at all": lambda: replace(STORY, load=NOTHING, events=(), alerts=(), metrics=Metrics(trouble="down")),
    "no phases": lambda: replace(STORY, scenario=a_scenario(lengths={}, expect=(), chaos=None), load=NOTHING),
    "nothing sent": lambda: a_timeline(edit=without_numbers("sent")),
    "nothing started": lambda: a_timeline(edit=without_numbers("first")),
    "nothing due": lambda: a_timeline(edit=without_numbers("due"), metrics=Metrics()),
    "no outcome": lambda: a_timeline(edit=lambda rows: rows.assign(outcome=None)),
    "all failed": lambda: a_timeline(bad=EVERY_REQUEST, struck=0.0, outcome="timeout"),
    "odd names": lambda: replace(STORY, scenario=oddly_named(STORY.scenario)),
    "metrics that are not numbers": lambda: replace(STORY, metrics=Metrics(series=(NOT_A_NUMBER,))),
    "a fault never seen gone": lambda: a_timeline(faults=fault_steps({"asked": 31.0, "applied": 31.1})),
    "an alert long after the end": lambda: a_timeline(alerts=an_alert(fired=40.0, cleared=400.0)),
}


@pytest.fixture(scope="module")
def drawn():
    return plots(STORY)


def test_there_are_five_pictures_each_wide_and_narrow(drawn):
    assert [plot.name for plot in drawn] == ["arrivals", "ttft", "not-ok", "tokens", "engines"]


def test_the_same_record_gives_the_same_bytes_in_another_process(drawn):
    code = (
        "import hashlib; from holdfast.report.plots import plots; from holdfast.testing import a_timeline;"
        "print(hashlib.sha256(repr(plots(a_timeline())).encode()).hexdigest())"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "2"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert told.strip() == hashlib.sha256(repr(drawn).encode()).hexdigest()


@pytest.mark.parametrize("name", ODD_TIMELINES)
def test_every_record_gives_pictures_that_parse(name):
    for plot in plots(ODD_TIMELINES[name]()):
        for text in (plot.wide, plot.narrow):
            root = fromstring(text)
            assert root.tag.endswith("svg")
            assert root.get("role") == "img"
            assert root.get("aria-label") == plot.label


def test_a_record_without_requests_says_no_data():
    empty = {plot.name: plot for plot in plots(replace(STORY, load=NOTHING))}
    for name in ("arrivals", "ttft", "not-ok"):
        assert "no data: no request was recorded" in empty[name].wide
        assert "No data" in empty[name].label
    assert "no data: no token was recorded" in empty["tokens"].wide


def test_silent_metrics_are_drawn_as_their_trouble():
    silent = replace(STORY, load=NOTHING, metrics=Metrics(trouble="Prometheus did not answer"))
    assert "no data: Prometheus did not answer" in plots(silent)[-1].wide


def test_each_picture_names_phases_the_fault_and_the_alert(drawn):
    for plot in drawn:
        words = {element.text for element in fromstring(plot.wide).iter() if element.tag.endswith("text")}
        assert {"warmup (not judged)", "baseline", "fault", "recovery"} <= words
        assert {"kill-engine engine-2", "EngineDown firing", "EngineDown resolved"} <= words
        assert not any("Watchdog" in word for word in words if word)


def test_labels_say_in_words_what_is_drawn(drawn):
    said = {plot.name: plot.label for plot in drawn}
    assert "900 planned, 900 reached, 900 sent, 896 good." in said["arrivals"]
    assert "4 not ok" in said["ttft"]
    assert "4 of 900 requests did not end well: cut." in said["not-ok"]


def test_the_slo_bound_is_named_on_the_latency_picture(drawn):
    assert "SLO 300ms" in drawn[1].wide


def test_no_id_is_used_twice_on_one_page_and_every_reference_has_its_target(drawn):
    page = "".join(plot.wide + plot.narrow for plot in drawn)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', page)) <= set(ids)


def test_many_requests_are_drawn_as_one_image_so_that_the_page_stays_small():
    many = a_timeline(scenario=a_scenario(rate=200))  # 75 s x 200/s = 15000 dots
    crowded = plots(many)
    assert "data:image/png;base64," in crowded[1].wide
    assert sum(len(plot.wide) + len(plot.narrow) for plot in crowded) < 1_000_000


def test_a_fault_is_shown_from_applied_to_gone():
    (span,) = fault_spans(fault_steps())
    assert (span.start, span.end, span.target) == (KILL["applied"], KILL["gone"], "engine-2")


def test_a_fault_that_was_never_seen_gone_has_no_end():
    (span,) = fault_spans(fault_steps({"applied": 31.0, "undone": 33.0}))
    assert span.end is None


def test_a_fault_that_was_never_applied_is_not_shown():
    assert fault_spans(fault_steps({"asked": 31.0, "failed": 31.2})) == ()


def test_two_faults_at_once_are_two_spans():
    both = (*fault_steps(), *fault_steps({"applied": 32.0, "gone": 34.0}, target="engine-3"))
    assert [(span.target, span.end) for span in fault_spans(both)] == [("engine-2", 36.5), ("engine-3", 34.0)]


def test_events_without_a_step_are_no_fault():
    assert fault_spans((Event(t=1.0, kind="fault", data={}),)) == ()


def test_a_line_breaks_where_samples_are_missing():
    series = Series(name="engine_running", labels={}, points=((0, 1), (1, 2), (6, 3), (7, 4)))
    times, values = with_gaps(series, interval=1.0)
    assert times == [0, 1, 6, 6, 7]
    np.testing.assert_equal(values, [1, 2, np.nan, 3, 4])


def test_tokens_are_spread_evenly_between_the_first_and_the_last():
    # 30 tokens from 0.5 s to 3.5 s: 10 a second, half of that in the first and in the last second.
    rates = _streamed(np.array([0.5]), np.array([3.5]), np.array([30.0]), np.arange(0.0, 6.0))
    np.testing.assert_allclose(rates, [5, 10, 10, 5, 0])


@given(
    st.lists(
        st.tuples(st.floats(0, 50), st.floats(0.001, 20), st.integers(1, 500)),
        min_size=1,
        max_size=30,
    )
)
def test_spreading_tokens_neither_makes_nor_loses_any(answers):
    first, length, held = (np.array(column, dtype=float) for column in zip(*answers, strict=True))
    rates = _streamed(first, first + length, held, np.arange(0.0, 80.0))
    np.testing.assert_allclose(rates.sum(), held.sum(), rtol=1e-6)
