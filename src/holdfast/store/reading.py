"""Reading a run folder back: a Timeline, whatever state the folder is in, with all damage named and none repaired."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from holdfast.clock import Anchor
from holdfast.errors import UsageError
from holdfast.model.timeline import AlertEvent, Answer, Counted, Event, Metrics, Sampled, Series, Timeline
from holdfast.project import load_scenario
from holdfast.store import folder as names
from holdfast.store.load import BEATS, REQUESTS, SUMMARY, parse_lines, read_load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from holdfast.model.scenario import Phase, Scenario
    from holdfast.model.timeline import LoadRecord

Line = TypeVar("Line")


def read_manifest(folder: Path) -> dict[str, Any]:
    """What the run wrote about itself first. Raises UsageError when this is no run folder."""
    path = folder / names.MANIFEST
    hint = "runs/latest is the newest one"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder} is not a run folder: {error}", hint=hint) from error
    if not isinstance(manifest, dict):
        raise UsageError(f"{folder} is not a run folder: {path.name} holds no mapping", hint=hint)
    return manifest


def read_timeline(folder: Path) -> Timeline:
    """The whole record of a run. Raises UsageError when the folder is no run, SpecError when its specs are broken."""
    scenario, anchor, events, torn = _played(folder)
    seals = broken_seals(folder)
    alerts, torn_alerts = _lines(folder / names.ALERTS, lambda line: _alert(line, anchor))
    load, damaged_load = _sound_load(folder, seals)
    return Timeline(
        run=folder.name,
        scenario=scenario,
        anchor=anchor,
        events=tuple(events),
        load=load,
        metrics=read_metrics(folder / names.METRICS),
        alerts=tuple(alerts),
        damaged=(*torn, *torn_alerts, *damaged_load, *seals),
    )


def read_phases(folder: Path) -> tuple[Phase, ...]:
    """The phases of a run as they were played; none of a folder that keeps no scenario. Raises as `read_timeline`."""
    return _played(folder)[0].phases if (folder / names.SPECS).is_dir() else ()


def _played(folder: Path) -> tuple[Scenario, Anchor, list[Event], list[str]]:
    """What was played, as it was played, and the events that say so, with what is torn of them."""
    scenario_file, anchor, seed = _origin(folder)
    specs = folder / names.SPECS
    scenario = load_scenario(specs / names.kept_name(scenario_file), specs)
    # A trial of a series is played with a seed of its own; its files are kept as they were read.
    scenario = scenario if seed is None else replace(scenario, seed=seed)
    events, torn = _lines(folder / names.EVENTS, _event)
    return _as_played(scenario, events), anchor, events, torn


def _as_played(scenario: Scenario, events: Sequence[Event]) -> Scenario:
    """With the times that its phases had, where those are not the planned ones by intent; as planned where in doubt."""
    if scenario.stop != "early":
        return scenario
    wanted = [(phase.name, edge) for phase in scenario.phases for edge in ("start", "end")]
    told = [one for one in events if one.kind == "phase"]
    if [(one.data.get("name"), one.data.get("edge")) for one in told] != wanted:
        return scenario
    times = [one.t for one in told]
    return scenario.as_played(list(zip(times[::2], times[1::2], strict=True)))


def _origin(folder: Path) -> tuple[str, Anchor, int | None]:
    """The scenario's file below SPECS, time zero, and the seed that was used."""
    manifest = read_manifest(folder)
    try:
        zero, seed = manifest["zero"], manifest.get("seed")
        anchor = Anchor(monotonic=float(zero["monotonic"]), wall=float(zero["wall"]))
        return str(manifest["scenario_file"]), anchor, None if seed is None else int(seed)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{folder} is not a whole run folder: {names.MANIFEST} is damaged ({error!r})") from error


def _sound_load(folder: Path, seals: list[str]) -> tuple[LoadRecord, list[str]]:
    """The load record, unless its files were changed: those are no evidence, and binary readers need not meet them."""
    changed = [one for one in seals if one.startswith((REQUESTS, BEATS, SUMMARY))]
    return (parse_lines("")[0], changed) if changed else read_load(folder)


def broken_seals(folder: Path) -> list[str]:
    """Every recorded file that is missing, new, or not what it was when the run was sealed."""
    path = folder / names.SEAL
    if not path.exists():
        return [f"{names.SEAL}: missing, so the run did not end by itself"]
    text = path.read_text(encoding="utf-8", errors="replace")
    there = {name: names.digest(folder / name) for name in names.recorded(folder)}
    if text == names.seal_text(there):
        return []
    try:
        sealed: Mapping[str, str] = dict(json.loads(text)["sha256"])
    except (ValueError, TypeError, KeyError):
        return [f"{names.SEAL}: not a seal any more"]
    changed = [f"{name}: changed since the run" for name in sealed if there.get(name, sealed[name]) != sealed[name]]
    missing = [f"{name}: missing" for name in sealed if name not in there]
    added = [f"{name}: not part of the run" for name in there if name not in sealed]
    return changed + missing + added or [f"{names.SEAL}: changed since the run"]


def read_metrics(path: Path) -> Metrics:
    """What Prometheus said; with its trouble named when there is no such file."""
    if not path.exists():
        return Metrics(trouble="nothing was taken from Prometheus")
    try:
        return _metrics(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        return Metrics(trouble=f"{path.name} cannot be read: {type(error).__name__}")


def _metrics(found: Mapping[str, Any]) -> Metrics:
    return Metrics(
        counted=tuple(Counted(**one) for one in found["counted"]),
        series=tuple(
            Series(
                name=one["name"],
                labels=dict(one["labels"]),
                points=tuple((float(t), float(value)) for t, value in one["points"]),
            )
            for one in found["series"]
        ),
        # Runs from before there were such expectations have none.
        answers=tuple(_metric_answer(one) for one in found.get("answers", ())),
        interval=float(found["interval"]),
        trouble=str(found["trouble"]),
    )


def _metric_answer(found: Mapping[str, Any]) -> Answer:
    series = tuple(
        Sampled(
            labels=dict(one["labels"]),
            points=tuple((float(t), _sample(value)) for t, value in one["points"]),
        )
        for one in found["series"]
    )
    return Answer(query=str(found["query"]), phase=str(found["phase"]), series=series, trouble=str(found["trouble"]))


def _sample(value: object) -> float | None:
    """A number, or "+Inf" as Prometheus writes it; NaN is None."""
    number = math.nan if value is None else float(str(value))
    return None if math.isnan(number) else number


def metrics_as_json(metrics: Metrics) -> dict[str, Any]:
    """What `read_metrics` reads back. JSON has no infinite numbers, so those are texts."""
    found = asdict(metrics)
    for series in (one for answer in found["answers"] for one in answer["series"]):
        series["points"] = [(t, _TEXTS.get(value, value)) for t, value in series["points"]]
    return found


_TEXTS: Final = {math.inf: "+Inf", -math.inf: "-Inf"}


def _lines(path: Path, read: Callable[[dict[str, Any]], Line]) -> tuple[list[Line], list[str]]:
    if not path.exists():
        return [], [f"{path.name}: missing"]
    found, torn = [], []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        try:
            found.append(read(json.loads(line)))
        except (ValueError, TypeError, KeyError, AttributeError):
            torn.append(f"{path.name}: line {number} is cut short")
    return found, torn


def _event(line: dict[str, Any]) -> Event:
    data = {key: value for key, value in line.items() if key not in ("t", "kind")}
    return Event(t=float(line["t"]), kind=str(line["kind"]), data=data)


def _alert(line: dict[str, Any], anchor: Anchor) -> AlertEvent:
    return AlertEvent(
        t=anchor.from_wall(float(line["wall"])),
        name=str(line["name"]),
        status=str(line["status"]),
        severity=str(line.get("severity") or ""),
        labels=dict(line.get("labels") or {}),
    )


def find_run(text: str, runs: Path) -> Path:
    """A run folder from a path, or a name inside `runs`. Raises UsageError."""
    for candidate in (Path(text), runs / text):
        if (candidate / names.MANIFEST).is_file():
            return candidate.resolve()
    raise UsageError(f"no run at {text}", hint=f"{runs}/latest is the newest one")
