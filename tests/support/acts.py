"""What experiments of the tests call: activities that fail, wait or answer; all their state is a file's existence."""

from __future__ import annotations

import threading
from pathlib import Path

_PATIENCE = 15.0


def raises() -> None:
    """An injector that breaks before it has done anything."""
    raise RuntimeError("the injector broke")


def waits_for(path: str) -> bool:
    """Return when the file is there, or after a while in any case."""
    for _ in range(int(_PATIENCE / 0.01)):
        if Path(path).exists():
            return True
        threading.Event().wait(0.01)
    return False


def touches(path: str) -> None:
    """Make the file."""
    Path(path).touch()


def exists(path: str) -> bool:
    """A probe."""
    return Path(path).exists()


def notes_thread(path: str) -> bool:
    """A probe that writes down in which thread it ran."""
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(f"{threading.current_thread().name}\n")
    return True


def before_activity_control(**_: object) -> None:
    """As a control: meant to veto every activity."""
    raise RuntimeError("vetoed")
