"""Writing a run folder: every event is one flushed line, every file is written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from holdfast.clock import Clock
    from holdfast.model.scenario import Scenario

EVENTS: Final = "events.ndjson"
MANIFEST: Final = "manifest.json"
METRICS: Final = "metrics.json"
ALERTS: Final = "alerts.ndjson"
SEAL: Final = "seal.json"
SPECS: Final = "files"
SERIES: Final = "series-"
"""What the names of all series begin with."""
JUDGED: Final = frozenset({"verdict.json", "junit.xml", "report.html", SEAL})
"""Files made from the record, and the seal itself: not part of what is sealed."""


def new_folder(runs: Path, scenario: Scenario, clock: Clock) -> Path:
    """Make an empty run folder whose name sorts by time. Raises OSError when the disk refuses."""
    folder = runs / _stamped(scenario, clock)
    folder.mkdir(parents=True)
    return folder


def series_name(scenario: Scenario, clock: Clock) -> str:
    """A name for a series of runs of this scenario, and of its file without suffix."""
    return f"{SERIES}{_stamped(scenario, clock)}"


def _stamped(scenario: Scenario, clock: Clock) -> str:
    stamp = datetime.fromtimestamp(clock.wall(), UTC).strftime("%Y%m%d-%H%M%S")
    return f"{stamp}-{scenario.name}-{secrets.token_hex(2)}"


def point_latest(runs: Path, folder: Path) -> None:
    """Make runs/latest a link to the folder, replacing the old one in one step."""
    link = runs / f".latest-{secrets.token_hex(4)}"
    link.symlink_to(folder.name)
    link.replace(runs / "latest")


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one, never half of it."""
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: object) -> None:
    """Like `write_whole`, as JSON without NaN."""
    write_whole(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


@dataclass(frozen=True, slots=True)
class Recorder:
    """Appends events to one run folder. `zero` is the monotonic time of the run's second 0."""

    folder: Path
    clock: Clock
    zero: float

    def now(self) -> float:
        """Seconds from run start; negative while the load generator is being started."""
        return self.clock.monotonic() - self.zero

    def event(self, kind: str, *, at: float | None = None, **data: Any) -> None:
        """Append one line and hand it to the kernel. Raises OSError when the disk is full: the run must stop."""
        t = self.now() if at is None else at
        line = json.dumps({"t": round(t, 6), "kind": kind, **data}, allow_nan=False, default=str) + "\n"
        handle = os.open(self.folder / EVENTS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            written = os.write(handle, line.encode())
            if written != len(line.encode()):
                raise OSError(28, "No space left on device", str(self.folder / EVENTS))
        finally:
            os.close(handle)


def kept_name(name: str) -> str:
    """Where a spec file is kept below SPECS: its own name, made relative and without a way out."""
    return name.lstrip("/").replace("..", "_")


def keep_specs(folder: Path, scenario: Scenario) -> dict[str, str]:
    """Copy every file the scenario was made from; their SHA-256 digests by name."""
    for name, text in scenario.files.items():
        write_whole(folder / SPECS / kept_name(name), text)
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in scenario.files.items()}


def seal(folder: Path) -> dict[str, str]:
    """Write the digest of every recorded file: from here on the record is not changed."""
    digests = {name: digest(folder / name) for name in recorded(folder)}
    write_whole(folder / SEAL, seal_text(digests))
    return digests


def seal_text(digests: Mapping[str, str]) -> str:
    """What the seal of these files says, to the byte: there is one way to write it, so a touched seal shows."""
    return json.dumps({"schema": "holdfast/seal/v1", "sha256": digests}, indent=2) + "\n"


def recorded(folder: Path) -> list[str]:
    """Names of all files of the record, sorted."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return sorted(name for name in (str(path.relative_to(folder)) for path in files) if name not in JUDGED)


def digest(path: Path) -> str:
    """SHA-256 of a file, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
