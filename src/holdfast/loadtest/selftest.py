"""How far our own client can be trusted on this machine: the stamped server, our load process, and a step at a time."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from holdfast.errors import InfrastructureError
from holdfast.load import process
from holdfast.load.selftest import server
from holdfast.load.selftest.knee import Step
from holdfast.load.selftest.stamps import Errors, Spread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from holdfast.load.process import LoadProcess
    from holdfast.load.selftest.knee import Knee
    from holdfast.load.selftest.server import Pace

STEPS: Final = (50, 100, 200, 400, 600, 800)
LIMITS: Final = (0.005, 0.002)
"""Errors, in seconds, that the answer is given for; the first decides the exit code."""
_CLIENT: Final = ("-m", "holdfast.load.selftest.client")
_START_SECONDS: Final = 30.0
_LOOK: Final = 0.02
_POLITE: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The CPUs that server and client stay on; None for both where there is only one."""

    server: int | None
    client: int | None

    def __str__(self) -> str:
        """As a sentence."""
        if self.client is None:
            return "server and client share one CPU: errors are larger than with two"
        return f"the server stays on CPU {self.server}, the client on CPU {self.client}"


def places(cpus: Sequence[int]) -> Places:
    """The first CPU for the server, the last for the client."""
    chosen = sorted(cpus)
    return Places(server=chosen[0], client=chosen[-1]) if len(chosen) > 1 else Places(server=None, client=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to measure: the counts of streams, the server's pace, seconds to look at each, and how often."""

    streams: tuple[int, ...]
    pace: Pace
    seconds: float
    repeats: int = 1
    client: tuple[str, ...] = _CLIENT
    """What Python runs as the client; benchmarks put others beside ours."""
    patience: float = _START_SECONDS
    """Seconds a client may need beside its load: to start, and to count."""


def measure(wanted: Wanted, at: Places, folder: Path, tell: Callable[[str], None]) -> Iterator[Step]:
    """Every step, as soon as it is known, rising, `repeats` times; `folder` takes the logs and outlives the caller.

    Raises InfrastructureError when a process does not start, or ends without a result.
    """
    with serving(wanted.pace, at.server, folder) as served:
        for turn in range(wanted.repeats):
            for streams in wanted.streams:
                again = f", {turn + 1} of {wanted.repeats}" if wanted.repeats > 1 else ""
                tell(f"{streams} streams{again} ...")
                yield one_step(wanted, served.url, streams, at.client, folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A stamped server that runs."""

    url: str
    pid: int


@contextmanager
def serving(pace: Pace, cpu: int | None, folder: Path, log: Path | None = None) -> Iterator[Served]:
    """A stamped server for as long as the context lasts. Raises InfrastructureError when it does not start."""
    words = server.command(sys.executable, pace, cpu=cpu, log=log)
    running = process.start(words, cwd=folder, environment=os.environ, log=folder / "server.log")
    try:
        yield Served(url=f"http://127.0.0.1:{_port(running)}", pid=running.process.pid)
    finally:
        running.stop(_POLITE)


def _port(running: LoadProcess) -> int:
    end = time.monotonic() + _START_SECONDS
    while running.alive() and time.monotonic() < end:
        said = running.log.read_text(encoding="utf-8")
        if said.endswith("\n") and said.strip().isdigit():
            return int(said)
        time.sleep(_LOOK)
    raise InfrastructureError(f"the stamped server did not start: {running.last_words()}")


def one_step(wanted: Wanted, url: str, streams: int, cpu: int | None, folder: Path) -> Step:
    """One run of the client. Raises InfrastructureError when it ends without a result."""
    out, pace = folder / "step.json", wanted.pace
    out.unlink(missing_ok=True)
    words = [sys.executable, *wanted.client, "--url", url, "--streams", str(streams), "--out", str(out)]
    words += ["--tokens", str(pace.tokens), "--first", f"{pace.first:f}s", "--gap", f"{pace.gap:f}s"]
    words += ["--seconds", str(wanted.seconds), *(["--cpu", str(cpu)] if cpu is not None else [])]
    running = process.start(words, cwd=folder, environment=os.environ, log=folder / "client.log")
    end = time.monotonic() + wanted.patience + 3 * pace.seconds + 2 * wanted.seconds
    try:
        while running.alive() and time.monotonic() < end:
            time.sleep(_LOOK)
    finally:
        running.stop(_POLITE)
    if not out.is_file():
        raise InfrastructureError(f"the client with {streams} streams gave no result: {running.last_words()}")
    return read_step(streams, json.loads(out.read_text(encoding="utf-8")), pace, wanted.seconds)


def read_step(streams: int, found: Mapping[str, Any], pace: Pace, seconds: float) -> Step:
    """The client's report as a step."""
    return Step(
        streams=streams,
        errors=Errors(**{name: Spread(**one) for name, one in found["errors"].items()}),
        lag=Spread(**found["lag"]),
        cpu=found["cpu"],
        expected=streams * pace.tokens / pace.seconds * seconds,
        failed=found["failed"],
        refused=found["refused"],
    )


def document(at: Places, steps: Sequence[Step], knees: Sequence[Knee]) -> dict[str, Any]:
    """All of it for machines; seconds."""
    shown = [{**asdict(step), "held": {f"{limit:g}": step.held(limit).value for limit in LIMITS}} for step in steps]
    return {"cpus": asdict(at), "steps": shown, "knees": [asdict(one) for one in knees]}
