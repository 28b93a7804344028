"""The alert receiver's file: one NDJSON line per notification, as Alertmanager delivered it."""

from __future__ import annotations

import json
from pathlib import Path


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
