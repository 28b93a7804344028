"""What was before, kept beside the ledger under the strike's id before anything is changed: undoing finds it there."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver


def keep(driver: Driver, strike: Strike, note: Mapping[str, Any]) -> None:
    """Replace the note whole, on the disk when this returns. Raises OSError when it cannot be kept."""
    path = _path(driver, strike)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(dict(note), file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def find(driver: Driver, strike: Strike) -> dict[str, Any] | None:
    """None without one: then nothing was changed, or all of it was changed back."""
    try:
        found: dict[str, Any] = json.loads(_path(driver, strike).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return found


def drop(driver: Driver, strike: Strike) -> None:
    """All is as it was."""
    _path(driver, strike).unlink(missing_ok=True)


def _path(driver: Driver, strike: Strike) -> Path:
    return driver.ledger().with_name(f"holdfast-{strike.id}.json")
