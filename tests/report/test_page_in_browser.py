"""The page in a real browser: no sideways scrolling, one picture of each pair, no complaint on the console."""

from __future__ import annotations

import shutil

import pytest

from holdfast.judge import judge
from holdfast.model.verdict import State
from holdfast.report.page import index, page
from holdfast.testing import a_check, a_report, a_timeline, a_verdict

pytestmark = pytest.mark.browser

LONG = "an-error-without-any-space-" * 12
WIDTHS = (1280, 390)


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield launched
        launched.close()


@pytest.fixture(scope="module", params=["a run that passed", "long words everywhere", "an index"])
def html(request, tmp_path_factory):
    timeline = a_timeline(slow={"fault": 30})
    nasty = a_report(
        (a_verdict(State.FAIL, sentence=LONG, id=LONG),),
        (a_check(State.UNKNOWN, name=LONG, seen=LONG),),
        scenario=LONG, title=LONG, run=LONG, provenance={LONG: LONG},
    )  # fmt: skip
    text = {
        "a run that passed": lambda: page(judge(timeline), timeline),
        "long words everywhere": lambda: page(nasty, a_timeline(edit=lambda rows: rows.assign(error=LONG))),
        "an index": lambda: index([nasty, a_report()]),
    }[request.param]()
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(text, encoding="utf-8")
    return path


def opened(browser, path, width):
    tab = browser.new_page(viewport={"width": width, "height": 900})
    complaints = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("request", lambda request: complaints.append(request.url) if request.url != path.as_uri() else None)
    tab.goto(path.as_uri())
    return tab, complaints


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_does_not_scroll_sideways(browser, html, width):
    tab, _ = opened(browser, html, width)
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    tab.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_fetched_and_nothing_is_complained_of(browser, html, width):
    tab, complaints = opened(browser, html, width)
    assert [one for one in complaints if not one.startswith("data:")] == []
    tab.close()


@pytest.mark.parametrize(("width", "shown"), [(1280, "wide"), (390, "narrow")])
def test_one_picture_of_each_pair_is_shown(browser, html, width, shown):
    tab, _ = opened(browser, html, width)
    for name in ("wide", "narrow"):
        visible = tab.locator(f"figure .{name} svg").evaluate_all("all => all.map(one => one.checkVisibility())")
        assert visible == [name == shown] * len(visible)
    tab.close()
