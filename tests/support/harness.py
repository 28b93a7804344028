"""A harness in another process that strikes and holds, to be stopped and killed; and looks at what is left of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from bench import until
from holdfast.chaos import ledger
from holdfast.chaos.strike import Striker
from holdfast.clock import SystemClock
from holdfast.platforms import pids
from holdfast.platforms.connect import connect

HOLDS = """
import sys
from holdfast.chaos import activities
state, run, lease, *faults = sys.argv[1:]
configuration = {"holdfast_state": state, "holdfast_run": run, "holdfast_lease": float(lease)}
for fault in faults:
    name, _, target = fault.partition(":")
    activities.strike(fault=name, role="engine", names=[target], configuration=configuration)
    print("struck", flush=True)
activities.hold(600, configuration=configuration)
"""
"""Strikes as an experiment does, through the activities, and then holds for ever."""


@dataclass
class Harness:
    """Works on the platform whose state is there."""

    state: Path
    folder: Path
    started: list[subprocess.Popen] = field(default_factory=list)

    @property
    def driver(self):
        return connect(self.state)

    @property
    def book(self):
        return ledger.of(self.driver, SystemClock())

    def striker(self, run="run-1"):
        return Striker(driver=self.driver, ledger=self.book, clock=SystemClock(), run=run, seed=0)

    def holds(self, *faults, run="run-1", lease=2.0):
        """A process that struck `fault:target` each, and holds them."""
        words = [sys.executable, "-c", HOLDS, str(self.state), run, str(lease), *faults]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.started.append(process)
        for _ in faults:
            assert process.stdout.readline() == "struck\n"
        return process

    def reaper_of(self, run="run-1"):
        """The pid of the reaper that a run started beside itself; None when it is gone."""
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if "holdfast.chaos.reaper" in words and str(self.state) in words and run in words:
                    return int(folder.name)
        return None

    def steps(self, run="run-1"):
        """(target, step) in the order in which they were written."""
        return [(one.name, one.step) for one in self.book.entries() if one.run == run]

    def states(self, name):
        """State letters of a replica's processes."""
        (one,) = (one for one in self.driver.replicas("engine") if one.identity.name == name)
        return {pids.state(each) for each in pids.group(pids.parse(one.identity.unit))} if one.identity.unit else set()

    def stopped(self):
        """Replicas that stand still."""
        return [name for name in ("engine-1", "engine-2", "engine-3") if "T" in self.states(name)]

    def clean(self):
        """Whether nothing is open and every engine serves."""
        ready = all(one.ready for one in self.driver.replicas("engine"))
        return ready and not self.stopped() and not self.book.open_faults()

    def forget(self):
        """Begin with an empty ledger on a platform that is whole."""
        until(self.clean, 60, "a whole platform")
        self.driver.ledger().unlink(missing_ok=True)

    def end(self):
        for process in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            process.wait(10)
            if process.stdout:
                process.stdout.close()
        for entry in self.book.open_faults():
            self.striker(entry.run).restore(entry)

    @staticmethod
    def free_port():
        with socket.create_server(("127.0.0.1", 0)) as server:
            return server.getsockname()[1]

    @staticmethod
    def wait_for_port(port):
        def answers():
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True
            return False

        until(answers, 30, "the reaper to watch")


def as_json(text):
    """The one document that a command printed."""
    return json.loads(text[text.index("{") :])
