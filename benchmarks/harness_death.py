"""Kill the harness at seeded moments of an experiment's life, and count what is left of its faults after the lease.

    .venv/bin/python benchmarks/harness_death.py --fault stop --instants 20

Each time `holdfast chaos run` plays one experiment with that fault, and is ended by SIGKILL, SIGTERM or SIGSTOP in
turn: every third time at a moment between its start and its end, otherwise at one counted from the fault's first step.
A fault is left when, lease + 5 s later, it is open in the ledger, is not seen gone by its own fourth part, or a replica
of its role does not serve. Exit code 1 when one is left. Without --state a platform is brought up and taken down.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from holdfast import faults
from holdfast.chaos import ledger
from holdfast.clock import SystemClock
from holdfast.errors import HoldfastError
from holdfast.platforms.connect import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.chaos.ledger import Entry

ROOT = Path(__file__).parents[1]
HOLDFAST = (sys.executable, "-m", "holdfast")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP)
HOLD = 2.0
GRACE = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """One run that was ended: when, how, how far its fault had come, how long until all was clean, what is left."""

    number: int
    signal: str
    at: float
    reached: str
    clean_after: float | None
    left: tuple[str, ...]


def experiment(fault: str, role: str, options: dict[str, Any]) -> dict[str, Any]:
    """One strike, a hold, its restore."""

    def action(name: str, func: str, **arguments: object) -> dict[str, Any]:
        provider = {"type": "python", "module": "holdfast.chaos.activities", "func": func, "arguments": arguments}
        return {"type": "action", "name": name, "provider": provider}

    strike = action("strike", "strike", fault=fault, role=role, count=1, options=options)
    return {
        "title": f"{fault} of one {role}",
        "description": "for the death of its harness",
        "method": [strike, action("hold", "hold", seconds=HOLD)],
        "rollbacks": [action("restore", "restore", fault=fault, role=role)],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """One platform and one experiment on it."""

    state: Path
    folder: Path
    fault: str
    role: str
    lease: float

    def start(self) -> subprocess.Popen[bytes]:
        """A run of the experiment as a user would start it."""
        words = ["chaos", "run", str(self.folder / "experiment.yaml"), "--lease", f"{self.lease:g}s"]
        where = ["--state", str(self.state), "--runs", str(self.folder / "runs")]
        with (self.folder / "out").open("ab") as out:
            return subprocess.Popen([*HOLDFAST, *words, *where], cwd=ROOT, stdout=out, stderr=out)

    def entries(self) -> list[Entry]:
        """All that was ever written down on this platform."""
        return list(ledger.of(connect(self.state), SystemClock()).entries())

    def left(self, since: int) -> list[str]:
        """What is not clean now of all that was struck after so many entries."""
        driver = connect(self.state)
        found = [f"{one.fault} of {one.name} is open: {one.step}" for one in self.open_faults()]
        for one in {entry.id: entry for entry in self.entries()[since:] if entry.step != "refused"}.values():
            try:
                sight = faults.find(one.fault).gone(driver, one.strike)
            except HoldfastError as error:
                found.append(f"{one.fault} of {one.name}: {error}")
                continue
            found += [] if sight.seen else [f"{one.fault} of {one.name}: {sight.detail}"]
        return found + [f"{one.identity.name} is not ready" for one in driver.replicas(self.role) if not one.ready]

    def open_faults(self) -> tuple[Entry, ...]:
        """What may still be there by the ledger."""
        return ledger.of(connect(self.state), SystemClock()).open_faults()

    def life(self) -> float:
        """Seconds of a run that nobody ends; it must be a good one."""
        began = time.monotonic()
        process = self.start()
        if process.wait(180) != 0:
            raise SystemExit(f"the experiment does not hold by itself:\n{(self.folder / 'out').read_text()}")
        return time.monotonic() - began

    def die(self, number: int, at: float, *, struck: bool) -> Death:
        """Play, end it at that second of its life or, if `struck`, after its fault's first step, and look."""
        since, number_of = len(self.entries()), SIGNALS[number % len(SIGNALS)]
        process = self.start()
        while struck and process.poll() is None and len(self.entries()) == since:
            time.sleep(0.001)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(at)
        process.send_signal(number_of)
        died, deadline = time.monotonic(), time.monotonic() + self.lease + GRACE
        clean = self._clean_after(since, died, deadline)
        left = tuple(self.left(since)) if clean is None else ()
        process.kill()
        process.wait(30)
        steps = [one.step for one in self.entries()[since:]]
        before = [step for step in steps if step in {"asked", "applied", "observed", "unseen"}]
        reached = "taken back" if "gone" in steps and "lapsed" not in steps else (before[-1] if before else "nothing")
        return Death(number=number, signal=number_of.name, at=at, reached=reached, clean_after=clean, left=left)

    def _clean_after(self, since: int, died: float, deadline: float) -> float | None:
        """Seconds until it stayed clean for a second; what is not struck yet could still be."""
        first: float | None = None
        while time.monotonic() < deadline:
            if self.left(since):
                first = None
            elif first is None:
                first = time.monotonic()
            elif time.monotonic() - first > 1:
                return first - died
            time.sleep(0.1)
        return None if self.left(since) else time.monotonic() - died


@contextlib.contextmanager
def platform(given: Path | None, folder: Path) -> Iterator[Path]:
    """The state folder of a platform that is up."""
    if given is not None:
        yield given.resolve()
        return
    state = folder / "state"
    subprocess.run([*HOLDFAST, "up", "--state", str(state)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    try:
        yield state
    finally:
        subprocess.run([*HOLDFAST, "down", "--state", str(state)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def main() -> int:
    """Play, kill, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fault", default="stop", choices=faults.names())
    parser.add_argument("--role", default="engine")
    parser.add_argument("--options", type=json.loads, default={}, help="JSON")
    parser.add_argument("--instants", type=int, default=20)
    parser.add_argument("--lease", type=float, default=5.0, help="seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--state", type=Path)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="holdfast-death-"))
    try:
        with platform(given.state, folder) as state:
            rig = Rig(state=state, folder=folder, fault=given.fault, role=given.role, lease=given.lease)
            document = experiment(given.fault, given.role, given.options)
            (folder / "experiment.yaml").write_text(json.dumps(document), encoding="utf-8")
            return _all(rig, given.instants, given.seed)
    finally:
        shutil.rmtree(folder)


def _all(rig: Rig, instants: int, seed: int) -> int:
    life, random = rig.life(), Random(seed)
    print(f"{rig.fault} of one {rig.role}: a whole run takes {life:.1f} s, lease {rig.lease:g} s", flush=True)
    deaths = []
    for number in range(instants):
        struck = number % 9 >= 3  # noqa: PLR2004 - so that each signal meets both kinds of moment
        one = rig.die(number, random.uniform(0, HOLD + 1 if struck else life), struck=struck)
        deaths.append(one)
        after = "NOT CLEAN" if one.clean_after is None else f"clean after {one.clean_after:4.1f} s"
        print(f"{one.signal:<8} at {one.at:4.1f} s  {one.reached:<10}  {after}  {'; '.join(one.left)}", flush=True)
        if one.left:
            subprocess.run([*HOLDFAST, "chaos", "undo", "--state", str(rig.state)], cwd=ROOT, check=False)
    counted = ", ".join(f"{count} {what}" for what, count in sorted(Counter(one.reached for one in deaths).items()))
    worst = max((one.clean_after or 0.0 for one in deaths), default=0.0)
    left = sum(bool(one.left) for one in deaths)
    print(f"{left} of {instants} left a fault after lease + {GRACE:g} s; slowest {worst:.1f} s; reached: {counted}")
    return int(left > 0)


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
