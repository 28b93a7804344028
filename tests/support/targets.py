"""A driver of a few real processes for tests of faults: what runs, what stands in for the platform's hands."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from holdfast.errors import TargetError
from holdfast.model.fault import Strike
from holdfast.model.platform import Endpoints, Identity, Replica
from holdfast.platforms import hands, pids

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


def eventually(look, *, within=10.0, every=0.02):
    """The first truthy answer (a Sight counts when seen) within so many seconds; fails with the last one."""
    deadline = time.monotonic() + within
    while not getattr(sight := look(), "seen", sight):
        assert time.monotonic() < deadline, f"not within {within} s: {sight}"
        time.sleep(every)
    return sight


@dataclass
class Targets:
    """Replicas named ROLE-N, each a process in a group of its own, led by it. Implements `model.platform.Driver`."""

    folder: Path
    hands: dict[str, object] = field(default_factory=dict)
    """By the kind's name in small letters: what `hand` gives."""
    gateway: str = ""
    api_key: str = ""
    ready: Callable[[str], bool] = lambda _: True
    """Whether a replica of that name that runs is ready too."""
    running: dict[str, subprocess.Popen] = field(default_factory=dict)
    commands: dict[str, tuple[Sequence[str], dict]] = field(default_factory=dict)
    halted: set[str] = field(default_factory=set)
    name: str = "targets"
    address: str = "nowhere"
    allowed: frozenset[str] = frozenset({"engine", "gateway", "redis"})

    def start(self, name, *command, **options):
        """Run a replica; without a command the one that it had before."""
        self.commands[name] = (command, options) if command else self.commands[name]
        command, options = self.commands[name]
        self.running[name] = subprocess.Popen(command, start_new_session=True, **options)
        return self.identity(name)

    def identity(self, name):
        """The incarnation that runs now under that name."""
        who = pids.incarnation(self.running[name].pid)
        return Identity(name=name, role=name.split("-")[0], unit=str(who or "gone"))

    def strike(self, fault, name, *, id="abc123", lease=20.0, **options):  # noqa: A002 - what a strike calls it
        """A strike at what runs now under that name."""
        return Strike(id=id, fault=fault, target=self.identity(name), options=options, lease=lease)

    def close(self):
        """End everything that was started, also what was stopped."""
        for one in self.running.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(one.pid, signal.SIGCONT)
                os.killpg(one.pid, signal.SIGKILL)
            one.wait(10)

    # The driver's verbs.

    def roles(self):
        return tuple(dict.fromkeys(name.split("-")[0] for name in self.running))

    def endpoints(self):
        return Endpoints(gateway=self.gateway, prometheus="", alerts="", api_key=self.api_key)

    def ledger(self):
        return self.folder / "faults.ndjson"

    def fingerprint(self):
        return "targets"

    def describe(self):
        return {}

    def replicas(self, role):
        names = [name for name in sorted(self.running) if name.split("-")[0] == role]
        return tuple(self._replica(name) for name in names)

    def _replica(self, name):
        runs = self.running[name].poll() is None
        return Replica(identity=self.identity(name), running=runs, ready=runs and self.ready(name))

    def alive(self, identity):
        who = pids.parse(identity.unit)
        return who is not None and pids.exists(who)

    def kill(self, identity):
        if not self.alive(identity):
            raise TargetError(f"{identity.name} no longer exists")
        self.running[identity.name].kill()
        self.running[identity.name].wait(10)

    def process(self, identity):
        who = pids.parse(identity.unit)
        if who is None or not pids.exists(who):
            raise TargetError(f"{identity.name} {identity.unit} no longer exists")
        return who

    def send(self, identity, number):
        if not pids.send_group(self.process(identity), number):
            raise TargetError(f"{identity.name} {identity.unit} no longer exists")

    def restore(self, role):
        for name, one in list(self.running.items()):
            if name.split("-")[0] == role and one.poll() is not None:
                self.start(name)

    def embedded(self, *kinds):
        """Give it the embedded platform's own hands of these kinds."""
        self.hands |= {kind.__name__.lower(): hands.find(kind, self) for kind in kinds}
        return self

    def hand(self, kind):
        name = kind.__name__.lower()
        if name == "supervision":
            return self
        if name not in self.hands:
            raise TargetError(f"targets have no {name}")
        return self.hands[name]

    # What a supervisor can do besides.

    def halt(self, identity):
        self.halted.add(identity.name)
        self.kill(identity)

    def resume(self, identity):
        self.halted.discard(identity.name)
        if self.running[identity.name].poll() is not None:
            self.start(identity.name)
