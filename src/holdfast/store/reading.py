"""Reading a run folder back: a Timeline, whatever state the folder is in, with all damage named and none repaired."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.clock import Anchor
from holdfast.errors import UsageError
from holdfast.model.timeline import AlertEvent, Counted, Event, Metrics, Series, Timeline
from holdfast.project import load_scenario
from holdfast.store import folder as names
from holdfast.store.load import read_load

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_manifest(folder: Path) -> dict[str, Any]:
    """What the run wrote about itself first. Raises UsageError when this is no run folder."""
    path = folder / names.MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder} is not a run folder: {error}", hint="runs/latest is the newest one") from error
    return manifest


def read_timeline(folder: Path) -> Timeline:
    """The whole record of a run. Raises UsageError when the folder is no run, SpecError when its specs are broken."""
    manifest = read_manifest(folder)
    specs = folder / names.SPECS
    scenario = load_scenario(specs / manifest["scenario_file"], specs)
    anchor = Anchor(monotonic=manifest["zero"]["monotonic"], wall=manifest["zero"]["wall"])
    events, torn = _lines(folder / names.EVENTS)
    alerts, torn_alerts = _lines(folder / names.ALERTS)
    load, damaged_load = read_load(folder)
    return Timeline(
        run=folder.name,
        scenario=scenario,
        anchor=anchor,
        events=tuple(_event(line) for line in events),
        load=load,
        metrics=read_metrics(folder / names.METRICS),
        alerts=tuple(_alert(line, anchor) for line in alerts),
        damaged=(*torn, *torn_alerts, *damaged_load, *broken_seals(folder)),
    )


def broken_seals(folder: Path) -> list[str]:
    """Every recorded file that is missing, new, or not what it was when the run was sealed."""
    path = folder / names.SEAL
    if not path.exists():
        return [f"{names.SEAL}: missing, so the run did not end by itself"]
    sealed: Mapping[str, str] = json.loads(path.read_text(encoding="utf-8"))["sha256"]
    there = {name: names.digest(folder / name) for name in names.recorded(folder)}
    changed = [f"{name}: changed since the run" for name in sealed if there.get(name, sealed[name]) != sealed[name]]
    missing = [f"{name}: missing" for name in sealed if name not in there]
    added = [f"{name}: not part of the run" for name in there if name not in sealed]
    return changed + missing + added


def read_metrics(path: Path) -> Metrics:
    """What Prometheus said; with its trouble named when there is no such file."""
    if not path.exists():
        return Metrics(trouble="nothing was taken from Prometheus")
    found = json.loads(path.read_text(encoding="utf-8"))
    return Metrics(
        counted=tuple(Counted(**one) for one in found["counted"]),
        series=tuple(
            Series(name=one["name"], labels=one["labels"], points=tuple((t, value) for t, value in one["points"]))
            for one in found["series"]
        ),
        interval=found["interval"],
        trouble=found["trouble"],
    )


def metrics_as_json(metrics: Metrics) -> dict[str, Any]:
    """What `read_metrics` reads back."""
    return asdict(metrics)


def _lines(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    if not path.exists():
        return [], [f"{path.name}: missing"]
    found, torn = [], []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        try:
            found.append(json.loads(line))
        except ValueError:
            torn.append(f"{path.name}: line {number} is cut short")
    return found, torn


def _event(line: dict[str, Any]) -> Event:
    data = {key: value for key, value in line.items() if key not in ("t", "kind")}
    return Event(t=line["t"], kind=line["kind"], data=data)


def _alert(line: dict[str, Any], anchor: Anchor) -> AlertEvent:
    return AlertEvent(
        t=anchor.from_wall(line["wall"]),
        name=line["name"],
        status=line["status"],
        severity=line.get("severity") or "",
        labels=line.get("labels") or {},
    )


def find_run(text: str, runs: Path) -> Path:
    """A run folder from a path, or a name inside `runs`. Raises UsageError."""
    for candidate in (Path(text), runs / text):
        if (candidate / names.MANIFEST).is_file():
            return candidate.resolve()
    raise UsageError(f"no run at {text}", hint=f"{runs}/latest is the newest one")
