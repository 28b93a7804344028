"""The alert receiver's file: one NDJSON line per notification, as Alertmanager delivered it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def notifications(path: str, since: float, until: float) -> list[str]:
    """The lines received between two unix times; a line that is not whole JSON is left out.

    Raises OSError when the file cannot be read: the receiver never ran.
    """
    kept = []
    for line in Path(path).read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            wall = float(json.loads(line)["wall"])
        except (ValueError, KeyError, TypeError):
            continue
        if since <= wall <= until:
            kept.append(line)
    return kept


def firing(path: str) -> list[str]:
    """The alerts whose last notification says that they fire, without the heartbeat. Raises OSError as above."""
    last: dict[str, str] = {}
    for line in notifications(path, 0.0, float("inf")):
        told = json.loads(line)
        last[json.dumps(told.get("labels", {}), sort_keys=True)] = str(told.get("status"))
    known = [json.loads(labels) for labels, status in last.items() if status == "firing"]
    return [_alert(labels) for labels in known if labels.get("alertname") != "Watchdog"]


def _alert(labels: Mapping[str, str]) -> str:
    """Its name and what tells it from its siblings: `EngineDown, page, engine-2`."""
    told = [labels.get("alertname", "unnamed"), labels.get("severity", "no severity")]
    return ", ".join([*told, *(labels[name] for name in ("instance", "sloth_tier") if labels.get(name))])
