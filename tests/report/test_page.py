"""The page: one file with everything in it, the answer first, and text from outside never taken for markup."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pandas as pd
import pytest

from holdfast.judge import judge
from holdfast.model.timeline import Event, LoadRecord, Metrics
from holdfast.model.verdict import Evidence, State
from holdfast.report.page import index, page
from holdfast.report.rows import bar, failed, slowest, story
from holdfast.testing import a_check, a_report, a_timeline, a_verdict, fault_steps

NOTHING = LoadRecord(planned=0, requests=pd.DataFrame(), beats=pd.DataFrame(), ended=False)
EMPTY = replace(a_timeline(), load=NOTHING, events=(), alerts=(), metrics=Metrics(trouble="gone"), damaged=("all",))
VOID = {"meta", "rect", "circle", "line", "br"}


class Outline(HTMLParser):
    """Tags in order, with attributes, and whether each was closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def story_page():
    timeline = a_timeline(slow={"fault": 6})
    return page(judge(timeline, {"holdfast": "0.1.0", "seed": "7"}), timeline)


def test_every_tag_is_closed_where_it_must_be(story_page):
    assert Outline(story_page).open == []


def test_the_page_needs_nothing_from_outside(story_page):
    outline = Outline(story_page)
    assert not {tag for tag, _ in outline.tags} & {"script", "link", "img", "iframe", "object", "embed"}
    addresses = [attrs[name] for _, attrs in outline.tags for name in ("href", "src") if name in attrs]
    assert all(address.startswith(("#", "data:")) for address in addresses)
    assert "@import" not in story_page
    assert set(re.findall(r"url\((.)", story_page)) <= {"#"}


def test_the_answer_comes_first(story_page):
    body = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", story_page.partition("<body>")[2])).strip()
    assert body.startswith("PASS proved by the record 5 expectations proved; 10 of 10 checks of trust passed. One of")


def test_headings_descend_without_a_gap(story_page):
    levels = [int(tag[1]) for tag, _ in Outline(story_page).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_picture_has_words_and_every_table_headers(story_page):
    outline = Outline(story_page)
    assert all(len(attrs.get("aria-label", "")) > 10 for attrs in outline.all("svg"))
    assert all("scope" in attrs for attrs in outline.all("th"))
    ids = [attrs["id"] for _, attrs in outline.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["aria-labelledby"] for _, attrs in outline.tags if "aria-labelledby" in attrs} <= set(ids)


def test_it_says_how_to_judge_again_and_where_it_comes_from(story_page):
    assert "holdfast judge 20260301-101500-engine-kill" in story_page
    assert "scenarios/engine-kill.yaml:14" in story_page
    assert "prometheus total" in story_page
    assert "Clopper-Pearson, one-sided bounds" in story_page


def test_the_same_run_gives_the_same_page(story_page):
    timeline = a_timeline(slow={"fault": 6})
    assert page(judge(timeline, {"holdfast": "0.1.0", "seed": "7"}), timeline) == story_page


@pytest.mark.parametrize("state", list(State))
def test_each_state_is_spelled_in_the_banner_and_on_the_card(state):
    text = page(a_report((a_verdict(state),), state=state), EMPTY)
    spelled = state.value.replace("_", " ")
    assert f'<p class="state">{spelled} ' in text
    assert f'<span class="pill">{spelled}</span>' in text


def test_text_from_outside_is_never_markup():
    in_table = "<script>alert(1)</script>\"'&\x1b[31m"
    nasty = in_table + "\ud800"
    odd = Evidence(estimate=1.0, limit=2.0, method=nasty, unit=nasty, other={nasty: nasty})
    verdict = a_verdict(id=nasty, sentence=nasty, evidence=odd)
    doubt = a_check(State.UNKNOWN, name=nasty, seen=nasty, limit=nasty, reason=nasty)
    report = a_report((verdict,), (doubt,), scenario=nasty, title=nasty, run=nasty, provenance={nasty: nasty})
    timeline = a_timeline(
        faults=fault_steps(target=nasty, detail=nasty),
        outcome=in_table,
        edit=lambda rows: rows.assign(error=in_table),
        changes={"damaged": (nasty,)},
    )
    for text in (page(report, timeline), index([report], {nasty: nasty})):
        assert "<script" not in text
        assert "\x1b" not in text
        assert text.encode()
        assert Outline(text).open == []


def test_a_run_of_which_nothing_is_left_still_has_a_page():
    text = page(a_report((), (), state=State.UNKNOWN, provenance={}), EMPTY)
    for said in (
        "No expectation was judged, so nothing is proved.",
        "No check of the record was made.",
        "no data: no request was recorded",
        "no event was recorded",
        "none was recorded",
        "no provenance was recorded",
    ):
        assert said in text


def test_an_interval_bar_has_one_scale_for_interval_and_limit():
    drawn = bar(Evidence(n=100, bad=2, estimate=0.02, low=0.01, high=0.04, limit=0.08))
    # The scale ends a quarter beyond the largest number: 0.08 x 1.25 = 0.1.
    assert (drawn.low, drawn.estimate, drawn.high, drawn.limit) == (10.0, 20.0, 40.0, 80.0)
    assert drawn.limit_text == "limit 8 %"


@pytest.mark.parametrize(
    "seen",
    [
        Evidence(),
        Evidence(limit=0.1),
        Evidence(estimate=math.nan, high=math.nan, limit=0.1),
        Evidence(n=5, bad=0, estimate=0.0, limit=0.0),
    ],
)
def test_there_is_no_bar_without_something_to_draw(seen):
    assert bar(seen) is None


def test_an_open_interval_reaches_the_end_of_the_bar():
    assert bar(Evidence(n=9, low=0.5, limit=0.5)).high == 100.0


def test_the_story_is_in_order_and_tells_faults_and_alerts_without_the_heartbeat():
    rows = story(a_timeline())
    told = [row.what for row in rows]
    assert told.index("applied: kill-engine on engine-2") < told.index("gone: kill-engine on engine-2")
    assert "▲ EngineDown firing" in told
    assert not any("Watchdog" in what for what in told)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (Event(t=1, kind="interrupted", data={"signal": "SIGTERM"}), "interrupted by SIGTERM"),
        (Event(t=1, kind="collected", data={"source": "alerts", "ok": False}), "alerts could not be read"),
        (Event(t=1, kind="collected", data={"source": "alerts"}), "alerts could not be read"),
        (Event(t=1, kind="end", data={}), "the record is not complete"),
        (Event(t=1, kind="restored", data={"ok": False}), "not every replica is ready"),
        (Event(t=1, kind="something new", data={"x": 1}), "something new"),
    ],
)
def test_an_event_is_told_in_words_and_silence_is_never_good_news(event, said):
    (row,) = story(replace(a_timeline(watchdog=False, alerts=()), events=(event,)))
    assert row.what == said
    assert row.tone != "good"


def test_failed_requests_come_in_order_and_are_counted_beyond_the_twentieth():
    rows, how_many = failed(a_timeline(bad={"fault": 50}))
    assert (len(rows), how_many) == (20, 50)
    assert rows[0][:4] == ("373", "31.08 s", "fault", "cut")  # 373 / 12 per second = 31.083 s


def test_the_slowest_are_those_longest_after_they_were_due():
    rows = slowest(a_timeline(slow={"fault": 30}))
    took = [float(row[5].removesuffix("s")) for row in rows]
    assert took == sorted(took, reverse=True)
    assert len(rows) == 20


def test_the_index_has_the_worst_first_and_links_only_where_it_can():
    good, bad = a_report(run="a"), a_report((a_verdict(State.FAIL),), run="b", scenario="worse")
    text = index([good, bad], {"b": "b/report.html"})
    assert text.index("worse") < text.index("engine-kill")
    assert 'href="b/report.html"' in text
    assert '<p class="state">FAIL</p>' in text


def test_an_index_of_nothing_is_unknown():
    assert '<p class="state">UNKNOWN</p>' in index([])
