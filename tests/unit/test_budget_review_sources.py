"""Where a review's counts and causes come from: recorded rules, the SLOs' own queries, run folders whole or torn."""

from __future__ import annotations

import json
from datetime import datetime

import numpy as np
import pytest

from holdfast.errors import UsageError
from holdfast.model.slo import Calendar, ErrorRatio, Exclusion, Timeslices
from holdfast.objectives.budget import STEP, _asked, _raw, _recorded, _run, ask_tracks
from holdfast.slo.counts import ids, names_of
from holdfast.slo.evaluate.query import Track
from holdfast.slo.review.month import month_of
from holdfast.testing import an_slo

NOVEMBER = month_of("2026-11")
ENDS = NOVEMBER.start + STEP * np.arange(1, 13)
MINUTES = NOVEMBER.start + 60.0 * np.arange(1, 61)


def track(slo, which, values, times=MINUTES, stale=None, **labels):
    name = {"__name__": names_of(slo)[which], **ids(slo), **labels}
    held = np.broadcast_to(values, len(times)).astype(float)
    return Track(labels=name, times=np.asarray(times), values=held, stale=stale)


def cells(slo, *tracks):
    return _asked(slo, ask_tracks(tracks), ENDS, raw=False)


def test_a_record_of_five_minutes_is_one_cell_and_each_event_counts_once():
    total, bad = cells(an_slo(), track(an_slo(), 0, 100), track(an_slo(), 1, 2))
    assert total.tolist() == [100] * 12
    assert bad.tolist() == [2] * 12


def test_slices_of_a_minute_are_five_to_a_cell():
    slo = an_slo(budgeting=Timeslices(length=60, target=0.99))
    # The third minute of each five was bad.
    total, bad = cells(slo, track(slo, 0, 1), track(slo, 1, np.arange(1, 61) % 5 == 3))
    assert total.tolist() == pytest.approx([5] * 12)
    assert bad.tolist() == pytest.approx([1] * 12)


def test_after_the_last_record_cells_are_missing_however_long_prometheus_remembers():
    slo = an_slo()
    early = MINUTES[:31]
    total, _ = cells(slo, track(slo, 0, 100, early), track(slo, 1, 0, early))
    # The last sample is a minute into the seventh cell: four minutes later nobody was recording.
    assert np.isfinite(total).tolist() == [True] * 6 + [False] * 6


def test_a_calendars_new_period_is_not_counted_beside_the_old_one():
    slo = an_slo(window=Calendar(unit="month", start=datetime(2026, 1, 1)))  # noqa: DTZ001 - local by its zone
    old, new = MINUTES[:30], MINUTES[29:]
    ended = np.arange(30) == 29
    tracks = [
        track(slo, which, value, *when, slo_period=name)
        for which, value in ((0, 100), (1, 2))
        for name, when in (("2026-10", (old, ended)), ("2026-11", (new,)))
    ]
    total, bad = cells(slo, *tracks)
    assert (total.tolist(), bad.tolist()) == ([100] * 12, [2] * 12)


def test_the_own_queries_leave_out_excluded_times():
    slo = an_slo(exclusions=(Exclusion(reason="x", start=datetime(2026, 11, 1, 0, 20), length=600),))  # noqa: DTZ001
    requests = Track(
        labels={"__name__": "gateway_requests_total", "code": "500", "job": "a"},
        times=np.append(NOVEMBER.start, MINUTES),
        values=60.0 * np.arange(61),
    )
    total, bad = _asked(slo, ask_tracks([requests]), ENDS, raw=True)
    assert total.tolist() == pytest.approx([300] * 4 + [0] * 2 + [300] * 6)
    assert bad.tolist() == pytest.approx(total.tolist())


def test_what_counts_no_events_cannot_be_asked_raw():
    for slo in (an_slo(indicator=ErrorRatio(query="r")), an_slo(budgeting=Timeslices(length=60, target=0.9))):
        with pytest.raises(UsageError, match="does not count events"):
            _raw(slo)


def test_two_series_where_one_number_was_asked_for_are_a_mistake():
    one = Track(labels={"__name__": "up", "job": "a"}, times=MINUTES, values=np.ones(60))
    other = Track(labels={"__name__": "up", "job": "b"}, times=MINUTES, values=np.ones(60))
    with pytest.raises(UsageError, match="2 series"):
        ask_tracks([one, other])("up", ENDS)


def test_a_record_is_named_by_its_slo():
    assert 'sloth_id="gateway-availability"' in _recorded(an_slo(), names_of(an_slo())[0])


# --- runs ---

PHASES = [("baseline", 0.0, 15.0), ("fault", 15.0, 35.0)]


def run_folder(folder, *, wall=NOVEMBER.start + 3600, torn="", phases=PHASES, counted=()):
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({"zero": {"monotonic": 1.0, "wall": wall}}), encoding="utf-8")
    lines = [
        json.dumps({"t": at, "kind": "phase", "name": name, "edge": edge})
        for name, start, end in phases
        for edge, at in (("start", start), ("end", end))
    ]
    (folder / "events.ndjson").write_text("\n".join(lines) + torn, encoding="utf-8")
    metrics = {"counted": list(counted), "series": [], "interval": 1.0, "trouble": ""}
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    return folder


def test_a_run_folder_says_when_each_phase_was_and_what_it_counted(tmp_path):
    counted = [{"slo": "gateway/availability", "phase": "fault", "total": 100.0, "bad": 7.0}]
    found = _run(run_folder(tmp_path / "a-run", counted=counted), NOVEMBER)
    zero = NOVEMBER.start + 3600
    assert (found.kind, found.name, found.start, found.end) == (
        "run",
        "a-run",
        zero,
        pytest.approx(zero + 35, abs=0.01),
    )
    assert [(one.name, one.start - zero, one.end - zero, dict(one.bad)) for one in found.phases] == [
        ("baseline", 0, 15, {}),
        ("fault", 15, 35, {"gateway/availability": 7}),
    ]


def test_a_run_that_was_killed_lasted_as_long_as_its_record(tmp_path):
    folder = run_folder(tmp_path / "killed", phases=PHASES[:1], torn='\n{"t": 22.5, "kind": "fault"}\n{"t": 23.1, "ki')
    lines = (folder / "events.ndjson").read_text().splitlines()
    (folder / "events.ndjson").write_text("\n".join([lines[0], *lines[2:]]))
    found = _run(folder, NOVEMBER)
    assert found.end - found.start == pytest.approx(22.5, abs=0.01)


def test_a_run_of_another_month_or_without_a_time_is_no_cause(tmp_path):
    assert _run(run_folder(tmp_path / "later", wall=NOVEMBER.end + 1), NOVEMBER) is None
    broken = run_folder(tmp_path / "broken")
    (broken / "manifest.json").write_text("{", encoding="utf-8")
    assert _run(broken, NOVEMBER) is None


def test_a_run_whose_metrics_are_torn_counts_nothing_itself(tmp_path):
    folder = run_folder(tmp_path / "torn")
    (folder / "metrics.json").write_text('{"counted": [{"slo"', encoding="utf-8")
    assert all(not one.bad for one in _run(folder, NOVEMBER).phases)
