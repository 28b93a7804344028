"""A game day's page over real HTTP: what it shows, who may look, notes and the button that end in the record."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from examples import write_project
from holdfast.errors import InfrastructureError
from holdfast.gameday.server import Page
from holdfast.halting import Burn
from holdfast.judge import judge
from holdfast.load.live import Pulse
from holdfast.model.verdict import State
from holdfast.project import load_scenario
from holdfast.report.gameday import broken, gameday
from holdfast.run import Glimpse, Stop
from holdfast.sources.alerts import firing
from holdfast.testing import KILL, a_timeline, fault_steps
from stage import Stage

GOLDEN = Path(__file__).parent / "golden"

SCENARIO = """\
apiVersion: holdfast/v1
kind: Scenario
metadata: {name: day, title: "One <engine> dies"}
seed: 7
load: chat-peak
crew: {lead: presses the button}
phases:
  - {name: baseline, for: 30s}
  - {name: fault, for: 30s, chaos: engine-kill}
expect:
  - {slo: gateway/availability, during: [baseline], objective: 95%}
"""


@pytest.fixture
def scenario(tmp_path):
    path = write_project(tmp_path / "project")
    path.write_text(SCENARIO)
    return load_scenario(path, tmp_path / "project")


@pytest.fixture
def page(scenario):
    with Page(scenario, Stop(), lambda: ["EngineDown, page, engine-2"]) as page:
        yield page


def get(page, path):
    with urllib.request.urlopen(page.url + path, timeout=5) as answer:
        return answer.read()


def post(page, path, body):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(page.url + path, data=data), timeout=5) as answer:
        return answer.status


def glimpse(**more):
    return Glimpse(t=41.0, phase="fault", left=19.0, total_left=19.0, pulse=Pulse(good=400, bad=3), **more)


def test_the_plan_says_what_each_phase_breaks_and_who_does_what(page):
    told = json.loads(get(page, "plan"))
    assert told["crew"] == {"lead": "presses the button"}
    assert [(one["name"], one["breaks"] != "") for one in told["phases"]] == [("baseline", False), ("fault", True)]


def test_before_anything_is_known_nothing_is_green(page):
    told = json.loads(get(page, "now"))
    assert told["known"] is False
    assert "green" not in json.dumps(told)


@pytest.mark.parametrize(("rate", "color"), [(0.4, "green"), (20.0, "red"), (None, "grey")])
def test_a_lamp_is_green_only_for_a_rate_that_is_known_and_below_its_limit(page, rate, color):
    page(glimpse(burns=(Burn(slo="gateway/availability", rate=rate, limit=20.0, over=10.0, ended=9),)))
    (lamp,) = json.loads(get(page, "now"))["slos"]
    assert lamp["color"] == color


def test_what_is_broken_now_and_which_alerts_fire_is_shown(page):
    page(glimpse(broken=("kill of engine-2 since second 32: observed",)))
    told = json.loads(get(page, "now"))
    assert told["broken"] == ["kill of engine-2 since second 32: observed"]
    assert told["alerts"] == ["EngineDown, page, engine-2"]


def test_a_note_is_on_the_page_at_once_and_on_its_way_to_the_record(page):
    page(glimpse())
    assert post(page, "notes", {"by": "scribe", "text": " queues grow "}) == 201
    assert json.loads(get(page, "now"))["notes"] == [{"t": 41.0, "by": "scribe", "text": "queues grow"}]
    assert list(page.stop.notes) == [("scribe", "queues grow")]


def test_the_button_halts_and_a_second_press_waits_for_nothing(page):
    assert post(page, "halt", {"by": "lead"}) == 202
    assert (page.stop.signal, page.stop.asked, page.stop.why) == ("halt", 1, "lead pressed the button")
    assert json.loads(get(page, "now"))["halting"] is True
    post(page, "halt", {})
    assert page.stop.asked == 2


@pytest.mark.parametrize("path", ["", "now", "plan"])
def test_without_the_token_there_is_nothing(page, path):
    origin = page.url.removesuffix(f"{page.token}/")
    for guess in ("", "wrong/", f"{page.token}x/"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{origin}{guess}{path}", timeout=5)


def test_without_the_token_nobody_can_halt(page):
    origin = page.url.removesuffix(f"{page.token}/")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(urllib.request.Request(f"{origin}wrong/halt", data=b"{}"), timeout=5)
    assert page.stop.signal is None


@pytest.mark.parametrize("body", [b"[]", b"{", b'"x"', b"x" * 5000])
def test_what_is_no_note_is_refused_and_halts_nothing(page, body):
    with pytest.raises(urllib.error.HTTPError, match="400"):
        post(page, "halt", body)
    assert page.stop.signal is None


def test_an_empty_note_is_none(page):
    with pytest.raises(urllib.error.HTTPError, match="404"):
        post(page, "notes", {"by": "scribe", "text": "  "})
    assert not page.stop.notes


def test_a_port_that_is_taken_is_said_with_a_way_out(page, scenario):
    with (
        pytest.raises(InfrastructureError, match="cannot be opened") as caught,
        Page(scenario, Stop(), port=_port(page)),
    ):
        pass
    assert caught.value.hint == "--port 0 takes any that is free"


def _port(page):
    return int(page.url.split(":")[2].split("/")[0])


# In a whole run, in virtual time.


def test_notes_and_the_button_end_in_the_record_and_the_run_proves_nothing(tmp_path, scenario):
    stage = Stage(tmp_path / "runs" / "one", scenario)

    def look(seen):
        stage.seen.append(seen)
        if seen.t > 10 and not stage.stop.notes and not stage.stop.signal:
            page.write("scribe", "todo look at the queues")
            page.halt("lead")

    page = Page(scenario, stage.stop)
    stage.seen_by = look
    timeline = stage.play()
    assert [one.data["text"] for one in timeline.of("note")] == ["todo look at the queues", "halt"]
    assert timeline.first("interrupted").data["signal"] == "halt: lead pressed the button"
    assert timeline.first("end").t < 30
    assert judge(timeline).state is State.UNKNOWN


# Afterwards.


def test_times_are_counted_from_the_strike():
    # Applied at 31.02, seen at 31.1, taken back from 33.0 on, gone at 36.5.
    (one,) = broken(a_timeline())
    assert (one.struck, round(one.bit, 2), round(one.held, 2), round(one.gone, 2)) == (31.02, 0.08, 1.98, 5.48)


def test_a_fault_that_nobody_was_told_of_is_a_question():
    timeline = a_timeline(alerts=())
    assert "- [ ] no alert told of kill-engine of engine-2" in gameday(judge(timeline), timeline)


def test_what_never_happened_is_never():
    timeline = a_timeline(faults=fault_steps({name: KILL[name] for name in ("asked", "applied", "observed")}))
    assert "| never | never |" in gameday(judge(timeline), timeline)


def test_the_whole_report(golden):
    timeline = a_timeline()
    golden(GOLDEN / "gameday.md", gameday(judge(timeline), timeline))


def test_an_alert_fires_until_its_last_word_says_otherwise(tmp_path):
    def line(name, status, **labels):
        return json.dumps({"wall": 1.0, "status": status, "labels": {"alertname": name, "severity": "page", **labels}})

    path = tmp_path / "alerts.ndjson"
    path.write_text(
        "\n".join(
            [
                line("Watchdog", "firing"),
                line("EngineDown", "firing", instance="engine-1"),
                line("EngineDown", "firing", instance="engine-2"),
                line("EngineDown", "resolved", instance="engine-1"),
                '{"torn',
            ]
        )
    )
    assert firing(str(path)) == ["EngineDown, page, engine-2"]
