"""How a fault reaches the next start: a small file beside the engine that is worth nothing after its lease."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from refplatform.engine.faults.read import LONGEST_LEASE

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class NextLoad:
    """How the next load goes: so many seconds longer, or not at all; until a unix second."""

    seconds: float = 0.0
    fails: bool = False
    until: float = 0.0


class StaleError(ValueError):
    """The file is too old, from the future, or damaged: what it says is not done."""


def write(path: Path, load: NextLoad | None) -> None:
    """Leave word for the next start, at once or not at all; None takes it back."""
    if load is None:
        path.unlink(missing_ok=True)
        return
    draft = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(orjson.dumps({"seconds": load.seconds, "fails": load.fails, "until": load.until}))
    draft.replace(path)


def read(path: Path, now: float) -> NextLoad:
    """What was left for a start at this unix second; an ordinary load without a file. Raises StaleError."""
    try:
        raw = orjson.loads(path.read_bytes())
        load = NextLoad(seconds=float(raw["seconds"]), fails=raw["fails"] is True, until=float(raw["until"]))
    except FileNotFoundError:
        return NextLoad()
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise StaleError(f"{path} is damaged: {error}") from error
    if not now < load.until <= now + LONGEST_LEASE:
        raise StaleError(f"{path} is of a fault that ended at {load.until:.0f}, and it is {now:.0f}")
    return load
