"""The run folder: what is read back is what was written, and whatever is missing, torn or touched is named."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest

from examples import quickstart, write_run
from holdfast.errors import HoldfastError, UsageError
from holdfast.judge import judge
from holdfast.model.verdict import State
from holdfast.store import folder as store
from holdfast.store.load import REQUEST_COLUMNS, parse_lines, read_load, table, to_parquet
from holdfast.store.reading import broken_seals, find_run, read_manifest, read_metrics, read_timeline
from holdfast.testing import KILL, a_timeline, fault_steps


@pytest.fixture(scope="module")
def story():
    return a_timeline(scenario=quickstart())


@pytest.fixture
def run(tmp_path, story):
    return write_run(tmp_path / "runs" / "20260301-101500-quickstart-ab12", story)


def told(report):
    return report.state, [(one.id, one.state, one.sentence) for one in (*report.verdicts,)]


def test_what_is_read_back_is_judged_as_what_was_written(run, story):
    assert told(judge(read_timeline(run))) == told(judge(story))
    assert judge(story).state is State.PASS


def test_reading_twice_gives_the_same_report_to_the_last_digit(run, tmp_path):
    first = read_timeline(run)
    copy = shutil.copytree(run, tmp_path / "elsewhere" / run.name)
    assert judge(read_timeline(copy)) == judge(first)


def test_every_part_of_the_timeline_comes_back(run, story):
    found = read_timeline(run)
    assert found.run == run.name
    assert found.damaged == ()
    assert found.events == story.events
    assert found.metrics == story.metrics
    assert found.anchor == story.anchor
    assert [(one.name, one.status, one.severity) for one in found.alerts] == [
        (one.name, one.status, one.severity) for one in story.alerts
    ]
    pd.testing.assert_frame_equal(found.load.requests, story.load.requests, check_dtype=False)
    pd.testing.assert_frame_equal(found.load.beats, story.load.beats, check_dtype=False)
    assert (found.load.planned, found.load.dropped, found.load.ended) == (len(story.load.requests), 0, True)


def test_the_scenario_is_judged_as_it_was_and_not_as_it_is_now(run, story):
    assert read_timeline(run).scenario.expect == story.scenario.expect
    assert read_timeline(run).scenario.phases == story.scenario.phases


@pytest.mark.parametrize(
    "name",
    [
        *("events.ndjson", "alerts.ndjson", "metrics.json", "requests.parquet", "beats.parquet", "load.json"),
        *("seal.json", "manifest.json", "files/scenarios/quickstart.yaml", "files/slos/gateway.yaml"),
        *("files/loadtests/chat-peak.conf", "files/chaos/engine-kill.yaml"),
    ],
)
def test_a_missing_file_is_never_green_and_never_a_traceback(run, name):
    (run / name).unlink()
    assert state_of(run) is not State.PASS


@pytest.mark.parametrize("name", ["notes.txt", "files/slos/more.yaml", "requests.csv"])
def test_an_added_file_is_no_part_of_the_run(run, name):
    (run / name).write_text("", encoding="utf-8")
    assert f"{name}: not part of the run" in broken_seals(run)
    assert state_of(run) is not State.PASS


def test_an_edited_file_is_told_by_its_name(run):
    path = run / "metrics.json"
    path.write_text(path.read_text().replace('"trouble": ""', '"trouble": " "'), encoding="utf-8")
    assert broken_seals(run) == ["metrics.json: changed since the run"]
    assert state_of(run) is State.UNKNOWN


def test_a_changed_load_record_is_no_evidence(run):
    path = run / "requests.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    timeline = read_timeline(run)
    assert len(timeline.load.requests) == 0
    assert judge(timeline).state is State.UNKNOWN


@pytest.mark.parametrize("text", ["", "[]", "5", "{}", '{"sha256": 5}', '{"sha256": {}}', "\N{SNOWMAN}", "{"])
def test_a_seal_that_is_none_is_told(run, text):
    (run / "seal.json").write_text(text, encoding="utf-8")
    assert broken_seals(run)
    assert state_of(run) is State.UNKNOWN


def test_even_a_seal_that_says_the_same_in_other_words_was_touched(run):
    path = run / "seal.json"
    path.write_text(json.dumps(json.loads(path.read_text())), encoding="utf-8")
    assert broken_seals(run) == ["seal.json: changed since the run"]


def test_reports_beside_the_record_are_not_part_of_it(run):
    for name in ("verdict.json", "junit.xml", "report.html"):
        (run / name).write_text("anything", encoding="utf-8")
    assert broken_seals(run) == []


@pytest.mark.parametrize(
    "text",
    ["", "[]", "5", "null", "{}", '{"scenario_file": "x", "zero": 5}', '{"scenario_file": 5, "zero": {"wall": 1}}'],
)
def test_a_manifest_that_is_none_is_a_usage_error(run, text):
    (run / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="is not a"):
        read_timeline(run)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"counted": 5}', '{"counted": [], "series": [{"name": "up"}]}'])
def test_metrics_that_cannot_be_read_are_trouble_and_not_zero(tmp_path, text):
    (tmp_path / "metrics.json").write_text(text, encoding="utf-8")
    assert read_metrics(tmp_path / "metrics.json").trouble.startswith("metrics.json cannot be read")
    assert read_metrics(tmp_path / "none.json").trouble == "nothing was taken from Prometheus"


@pytest.mark.parametrize("line", ['{"t": 1', "5", "[]", '{"t": "x", "kind": "end"}', '{"kind": "end"}', "\x00"])
def test_a_line_that_is_no_event_is_told_by_its_number(run, story, line):
    with (run / "events.ndjson").open("a", encoding="utf-8") as file:
        file.write(line)
    timeline = read_timeline(run)
    assert f"events.ndjson: line {len(story.events) + 1} is cut short" in timeline.damaged
    assert judge(timeline).state is State.UNKNOWN


# A harness that was killed with SIGKILL: the load so far, the events so far, no end and no seal.


def test_a_killed_run_is_unknown(tmp_path, story):
    killed = write_run(tmp_path / "killed", cut_short(story, 30.0), sealed=False)
    timeline = read_timeline(killed)
    assert "seal.json: missing, so the run did not end by itself" in timeline.damaged
    assert 0 < len(timeline.load.requests) < len(story.load.requests)
    report = judge(timeline)
    assert report.state is State.UNKNOWN
    assert {one.state for one in report.verdicts} == {State.UNKNOWN}


def test_one_that_was_killed_while_a_fault_was_there_is_not_restored(tmp_path, story):
    killed = write_run(tmp_path / "killed", cut_short(story, 33.5), sealed=False)
    assert judge(read_timeline(killed)).state is State.NOT_RESTORED


def test_one_that_was_killed_before_its_first_event_is_unknown(tmp_path, story):
    killed = write_run(tmp_path / "killed", cut_short(story, -5.0), sealed=False)
    (killed / "load.ndjson").unlink()
    assert judge(read_timeline(killed)).state is State.UNKNOWN


def test_a_last_line_cut_in_the_middle_is_passed_over_and_told(tmp_path, story):
    killed = write_run(tmp_path / "killed", cut_short(story, 30.0), sealed=False)
    path = killed / "load.ndjson"
    path.write_bytes(path.read_bytes()[:-20])
    assert "load.ndjson: last line cut short" in read_timeline(killed).damaged


def cut_short(story, t):
    rows, beats = story.load.requests, story.load.beats
    load = type(story.load)(
        planned=story.load.planned, requests=rows[rows["done"] < t], beats=beats[beats["t"] < t], ended=False
    )
    return a_timeline(
        scenario=story.scenario, changes={"load": load, "events": tuple(one for one in story.events if one.t < t)}
    )


# The pieces.


def test_an_open_fault_survives_the_round_trip(tmp_path):
    open_fault = a_timeline(scenario=quickstart(), faults=fault_steps({"asked": KILL["asked"]}))
    assert judge(read_timeline(write_run(tmp_path / "run", open_fault))).state is State.NOT_RESTORED


def test_a_table_has_exactly_its_columns_and_nan_for_what_is_missing():
    rows = table([{"id": 2, "due": 1.0}, {"id": 1, "due": None, "strange": 1}], REQUEST_COLUMNS)
    assert tuple(rows.columns) == REQUEST_COLUMNS
    assert rows["id"].tolist() == [1.0, 2.0]
    assert rows["due"].isna().tolist() == [True, False]
    assert rows["sent"].isna().all()


@pytest.mark.parametrize("line", ["5", "[]", "null", '"x"', "{}", '{"planned": 3}', "{"])
def test_a_load_line_that_is_none_is_a_torn_record(line):
    record, torn = parse_lines('{"kind": "start", "planned": 3}\n' + line + "\n")
    assert torn
    assert record.planned == 3


def test_no_load_record_at_all_is_damage(tmp_path):
    record, damage = read_load(tmp_path)
    assert (len(record.requests), record.ended, damage) == (0, False, ["requests.parquet: missing"])
    assert to_parquet(tmp_path) is False


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "a.json"
    store.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="Out of range float"):
        store.write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [one.name for one in path.parent.iterdir()] == ["a.json"]


def test_an_event_that_is_not_a_number_is_not_written(tmp_path):
    from holdfast.clock import VirtualClock

    recorder = store.Recorder(tmp_path, VirtualClock(now=1010.0), zero=1000.0)
    recorder.event("phase", name="baseline", edge="start")
    with pytest.raises(ValueError, match="Out of range float"):
        recorder.event("end", wall=float("nan"))
    assert (
        tmp_path / store.EVENTS
    ).read_text() == '{"t": 10.0, "kind": "phase", "name": "baseline", "edge": "start"}\n'


def test_a_spec_cannot_be_kept_outside_its_folder(tmp_path, story):
    scenario = type(story.scenario)(
        **{name: getattr(story.scenario, name) for name in story.scenario.__dataclass_fields__ if name != "files"},
        files={"/etc/../../x.yaml": "a"},
    )
    store.keep_specs(tmp_path / "run", scenario)
    assert all(path.is_relative_to(tmp_path / "run" / "files") for path in tmp_path.rglob("*.yaml"))


def test_a_run_is_found_by_its_path_or_its_name(run):
    assert find_run(str(run), run.parent) == run.resolve()
    store.point_latest(run.parent, run)
    assert find_run("latest", run.parent) == run.resolve()
    assert read_manifest(run)["scenario_file"] == "scenarios/quickstart.yaml"
    with pytest.raises(UsageError, match="no run at nothing"):
        find_run("nothing", run.parent)


def state_of(run):
    """The state, or None where the folder is refused with a reason."""
    try:
        return judge(read_timeline(run)).state
    except HoldfastError:
        return None
