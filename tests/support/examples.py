"""Projects and run folders on disk as a user and a run leave them: what the tests of the pure core read back."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.clock import VirtualClock
from holdfast.project import load_scenario
from holdfast.store import folder as store
from holdfast.store.load import BEAT_COLUMNS, LINES, REQUEST_COLUMNS, to_parquet
from holdfast.store.reading import metrics_as_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from holdfast.model.scenario import Scenario
    from holdfast.model.timeline import Timeline

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "tests" / "golden" / "good-project"


def quickstart() -> Scenario:
    """A scenario with every kind of expectation, and every file it was made from."""
    return load_scenario(PROJECT / "scenarios" / "quickstart.yaml", PROJECT)


def write_project(root: Path, **changes: tuple[str, str]) -> Path:
    """A copy of that project in `root`; `scenario=(old, new)` and so on edit one file. The scenario's path."""
    files = {
        "scenario": "scenarios/quickstart.yaml",
        "slos": "slos/gateway.yaml",
        "load": "loadtests/chat-peak.conf",
        "chaos": "chaos/engine-kill.yaml",
    }
    for key, name in files.items():
        text = (PROJECT / name).read_text(encoding="utf-8")
        old, new = changes.get(key, ("", ""))
        assert old in text, f"{old!r} does not stand in {name}"
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text.replace(old, new, 1) if old else text, encoding="utf-8")
    return root / files["scenario"]


def write_run(folder: Path, timeline: Timeline, *, sealed: bool = True, **about: Any) -> Path:
    """The record of a run in a folder; one that is not `sealed` was killed while it recorded.

    `about` are further fields of its manifest.
    """
    folder.mkdir(parents=True)
    scenario = timeline.scenario
    manifest = {
        "scenario": scenario.name,
        "scenario_file": scenario.where.file,
        "zero": {"monotonic": timeline.anchor.monotonic, "wall": timeline.anchor.wall},
        **about,
    }
    store.write_json(folder / store.MANIFEST, {**manifest, "digests": store.keep_specs(folder, scenario)})
    recorder = store.Recorder(folder, VirtualClock(), timeline.anchor.monotonic)
    for event in timeline.events:
        recorder.event(event.kind, at=event.t, **event.data)
    (folder / LINES).write_text("".join(f"{json.dumps(line)}\n" for line in load_lines(timeline)), encoding="utf-8")
    if sealed:
        store.write_json(folder / store.METRICS, metrics_as_json(timeline.metrics))
        store.write_whole(folder / store.ALERTS, "".join(f"{json.dumps(line)}\n" for line in alert_lines(timeline)))
        to_parquet(folder)
        store.seal(folder)
    return folder


def load_lines(timeline: Timeline) -> Iterable[dict[str, Any]]:
    """What the load generator would have written."""
    load = timeline.load
    yield {"kind": "start", "planned": load.planned}
    yield from ({"kind": "request", **row} for row in _rows(load.requests, REQUEST_COLUMNS))
    yield from ({"kind": "beat", **row} for row in _rows(load.beats, BEAT_COLUMNS))
    if load.ended:
        yield {"kind": "end", "dropped": load.dropped}


def alert_lines(timeline: Timeline) -> Iterable[dict[str, Any]]:
    """What the receiver would have written."""
    for one in timeline.alerts:
        wall = timeline.anchor.to_wall(one.t)
        yield {
            "wall": wall,
            "name": one.name,
            "status": one.status,
            "severity": one.severity,
            "labels": dict(one.labels),
        }


def _rows(table: pd.DataFrame, columns: tuple[str, ...]) -> Iterable[dict[str, Any]]:
    for row in table[list(columns)].to_dict("records"):
        yield {
            key: None if isinstance(value, float) and math.isnan(value) else _plain(value) for key, value in row.items()
        }


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
