"""The embedded platform as a driver: replicas are supervised processes, an identity is a pid with its start time."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from holdfast.errors import PlatformError, TargetError
from holdfast.model.platform import Endpoints, Identity, Replica
from holdfast.platforms import document, hands, keys, layout, pids, readiness
from holdfast.platforms.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.model.platform import Hand
    from holdfast.platforms.document import Document, Member
    from holdfast.platforms.layout import Layout
    from holdfast.platforms.supervisor import State


@dataclass(frozen=True, slots=True)
class EmbeddedPlatform:
    """One platform that is up on this machine, seen through its platform.json. Implements `model.platform.Driver`."""

    where: Layout
    record: Document

    name: ClassVar[str] = "embedded"

    @classmethod
    def load(cls, state: Path) -> EmbeddedPlatform:
        """The platform in this state folder. Raises PlatformError when it is not up, half up, or dead."""
        where = layout.layout(state)
        record = document.load(where.document)
        if record is None:
            raise PlatformError(f"no platform is up in {where.state}", hint="holdfast up")
        if record.phase != "up":
            raise PlatformError(f"the platform in {where.state} is starting, or never finished", hint="holdfast up")
        if not pids.exists(record.supervisor.who):
            raise PlatformError(f"the platform in {where.state} is dead: its supervisor is gone", hint="holdfast up")
        return cls(where, record)

    @property
    def address(self) -> str:
        """Its state folder."""
        return str(self.where.state)

    @property
    def allowed(self) -> frozenset[str]:
        """Roles that faults may touch."""
        return frozenset(one.role for one in self.record.processes if one.faults)

    def endpoints(self) -> Endpoints:
        """Where to send load and ask questions. Raises PlatformError when the platform is gone."""
        self._states()
        found = self.record.endpoints
        with layout.naming(self.where.state):
            key = self.where.api_key.read_text(encoding="ascii").strip()
        return Endpoints(
            gateway=found["gateway"],
            prometheus=found["prometheus"],
            alerts=found["alerts"],
            documents=found.get("documents", ""),
            api_key=key,
            tenant=keys.TENANT,
        )

    def ledger(self) -> Path:
        """The file in which faults are written down before they strike."""
        return self.where.faults

    def fingerprint(self) -> str:
        """Random text made by `up`."""
        return self.record.fingerprint

    def roles(self) -> tuple[str, ...]:
        """Every role, in the profile's order."""
        return tuple(dict.fromkeys(one.role for one in self.record.processes))

    def replicas(self, role: str) -> tuple[Replica, ...]:
        """Every replica of `role` in the profile's order. Raises PlatformError when the supervisor is gone."""
        members = [one for one in self.record.processes if one.role == role]
        if not members:
            return ()
        states = self._states()
        with ThreadPoolExecutor(max_workers=len(members)) as pool:
            answers = list(pool.map(readiness.probe, (one.ready for one in members)))
        return tuple(_replica(one, states[one.name], answer) for one, answer in zip(members, answers, strict=True))

    def alive(self, identity: Identity) -> bool:
        """Whether this very process still exists; False for an identity of another kind of platform."""
        who = pids.parse(identity.unit)
        return who is not None and pids.exists(who)

    def kill(self, identity: Identity) -> None:
        """SIGKILL this very process and all that it started.

        Raises TargetError when it is gone, not ours, or its role is not allowed.
        """
        self.send(identity, signal.SIGKILL)

    def send(self, identity: Identity, number: signal.Signals) -> None:
        """Any signal to this very process, by pidfd, and to all that it started. Raises TargetError as `kill` does."""
        if not pids.send_group(self.process(identity), number):
            raise TargetError(f"{identity.name} {identity.unit} no longer exists on this platform")

    def process(self, identity: Identity) -> pids.Incarnation:
        """The process that a fault may touch. Raises TargetError when it is gone, not ours, or its role not allowed."""
        who = pids.parse(identity.unit)
        known = {one.name: one.role for one in self.record.processes}
        if identity.role not in self.allowed or known.get(identity.name) != identity.role:
            raise TargetError(
                f"{identity.name} ({identity.role}) is not on the list of what faults may touch",
                hint=f"roles: {', '.join(sorted(self.allowed)) or 'none'}",
            )
        if who is None or pids.parent(who) != self.record.supervisor.pid:
            raise TargetError(f"{identity.name} {identity.unit or '(not running)'} no longer exists on this platform")
        return who

    def restore(self, role: str) -> None:
        """Start every replica of `role` that ended and continue every one that was stopped.

        Raises TargetError for no such role, PlatformError when the platform is not up.
        """
        members = [one for one in self.record.processes if one.role == role]
        if not members:
            raise TargetError(f"there is no role {role!r}", hint=f"roles: {', '.join(self.roles())}")
        states, supervisor = self._states(), Supervisor(self.record.supervisor.socket)
        for one in members:
            who = states[one.name].who
            # Continuing a process that was not stopped does nothing.
            if who is None or not pids.send_group(who, signal.SIGCONT):
                supervisor.start(one.name)

    def hand(self, kind: type[Hand]) -> Hand:
        """What a platform of processes can do. Raises TargetError for what it cannot."""
        return hands.find(kind, self)

    def describe(self) -> Mapping[str, str]:
        """Profile, options and the versions of the programs."""
        options = {f"option.{name}": value for name, value in self.record.options.items()}
        versions = {f"version.{Path(one.program).name}": one.version for one in self.record.processes if one.version}
        return {"platform": self.name, "profile": self.record.profile, **options, **versions}

    def _states(self) -> dict[str, State]:
        if not pids.exists(self.record.supervisor.who):
            raise PlatformError(
                f"the platform in {self.where.state} is dead: its supervisor is gone", hint="holdfast up"
            )
        return Supervisor(self.record.supervisor.socket).states()


def _replica(one: Member, state: State, answer: str) -> Replica:
    unit = str(state.who) if state.who else ""
    return Replica(
        identity=Identity(name=one.name, role=one.role, unit=unit),
        running=bool(state.who),
        ready=bool(state.who) and not answer,
        detail=answer or state.detail,
    )
