"""The simulated engine: its shipped calibrations by name, the command that starts it, and one that runs for a while."""

from __future__ import annotations

import os
import socket
import sys
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from holdfast.errors import InfrastructureError, UsageError
from holdfast.load import process
from holdfast.platforms.readiness import probe
from holdfast.spec.source import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CALIBRATIONS: Final = ("platform", "local", "calibrations")
_STARTS: Final = 30.0
_LOOK: Final = 0.05
_POLITE: Final = 3.0


def calibration_file(root: Path, asked: str) -> Path:
    """The file of a calibration: one that is shipped, by its name, or any, by its path. Raises UsageError."""
    folder = root.joinpath(*CALIBRATIONS)
    shipped = {one.stem: one for one in sorted(folder.glob("*.json"))}
    if asked in shipped:
        return shipped[asked]
    if Path(asked).is_file():
        return Path(asked).resolve()
    hint = did_you_mean(asked, list(shipped)) or f"shipped are: {', '.join(shipped)}"
    raise UsageError(f"no such calibration: {asked}", hint=hint)


def command(calibration: Path, *, port: int, model: str, more: Sequence[str] = ()) -> list[str]:
    """What starts the simulator. Raises UsageError when it is not installed."""
    if find_spec("refplatform") is None:
        raise UsageError("the simulator is not installed", hint="install the distribution in platform/services")
    words = ["--port", str(port), "--model", model, "--calibration", str(calibration)]
    return [sys.executable, "-m", "refplatform.engine", *words, *more]


@contextmanager
def running(calibration: Path, *, model: str, folder: Path, more: Sequence[str] = ()) -> Iterator[str]:
    """A simulator for as long as the context lasts, by its URL. Raises InfrastructureError when it does not start."""
    port = _free_port()
    words = command(calibration, port=port, model=model, more=more)
    started = process.start(words, cwd=folder, environment=os.environ, log=folder / "simulator.log")
    url = f"http://127.0.0.1:{port}"
    try:
        _ready(started, url)
        yield url
    finally:
        started.stop(_POLITE)


def _ready(started: process.LoadProcess, url: str) -> None:
    end, why = time.monotonic() + _STARTS, "it ended"
    while started.alive() and time.monotonic() < end:
        if not (why := probe(f"{url}/health")):
            return
        time.sleep(_LOOK)
    raise InfrastructureError(f"the simulator did not start: {started.last_words() or why}")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
