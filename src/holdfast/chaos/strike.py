"""From "kill one engine" to a fault that was seen to bite, and back to one seen gone; every step written down."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

from holdfast import faults
from holdfast.errors import ExitCode, HoldfastError, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.chaos.ledger import Entry, Ledger
    from holdfast.clock import Clock
    from holdfast.model.platform import Driver, Identity

_POLL: Final = 0.05
_NOBODY: Final = "-"


class FaultStuckError(HoldfastError):
    """A fault could not be seen gone in time: it may still be there."""

    exit_code = ExitCode.NOT_RESTORED


@dataclass(frozen=True, slots=True, kw_only=True)
class Striker:
    """Strikes the replicas of one platform in the name of one run."""

    driver: Driver
    ledger: Ledger
    clock: Clock
    run: str
    seed: int

    def strike(self, fault: str, role: str, count: int, within: float) -> tuple[Entry, ...]:
        """Apply a fault to `count` ready replicas of `role` and see it bite within so many seconds.

        Raises TargetError when there are fewer, or when the role may not be touched; UsageError for an unknown fault.
        """
        found = faults.find(fault)
        try:
            targets = self._targets(role, count)
        except TargetError as error:
            from holdfast.model.platform import Identity  # noqa: PLC0415

            self._write(fault, "refused", Identity(name=_NOBODY, role=role, unit=_NOBODY), str(error))
            raise
        struck = []
        for target in targets:
            identifier = self._write(fault, "asked", target).id
            found.apply(self.driver, target)
            self._write(fault, "applied", target, identifier=identifier)
            seen = self._wait(lambda target=target: found.bites(self.driver, target), within)  # type: ignore[misc]
            step, detail = ("observed", "") if seen else ("unseen", f"not seen to bite within {within:g} s")
            struck.append(self._write(fault, step, target, detail, identifier=identifier))
        return tuple(struck)

    def restore(self, entry: Entry, within: float) -> Entry:
        """Undo one fault and see it gone. Raises FaultStuckError when it is not gone in time."""
        found, target = faults.find(entry.fault), entry.target
        found.undo(self.driver, target)
        self._write(entry.fault, "undone", target, identifier=entry.id)
        if self._wait(lambda: found.gone(self.driver, target), within):
            return self._write(entry.fault, "gone", target, identifier=entry.id)
        detail = f"{target.name} was not ready again within {within:g} s"
        self._write(entry.fault, "stuck", target, detail, identifier=entry.id)
        raise FaultStuckError(f"{entry.fault} of {detail}", hint="holdfast status; holdfast logs " + target.name)

    def _targets(self, role: str, count: int) -> list[Identity]:
        if role not in self.driver.allowed:
            allowed = ", ".join(sorted(self.driver.allowed)) or "none"
            raise TargetError(f"role {role!r} may not be touched on this platform", hint=f"allowed: {allowed}")
        ready = [replica.identity for replica in self.driver.replicas(role) if replica.ready]
        if not 1 <= count <= len(ready):
            raise TargetError(f"{count} ready replicas of {role!r} are wanted, {len(ready)} are there")
        return Random(f"{self.seed}/{role}").sample(ready, count)

    def _wait(self, condition: Callable[[], bool], within: float) -> bool:
        deadline = self.clock.monotonic() + within
        while not condition():
            if self.clock.monotonic() >= deadline:
                return False
            self.clock.sleep(_POLL)
        return True

    def _write(self, fault: str, step: str, target: Identity, detail: str = "", *, identifier: str = "") -> Entry:
        return self.ledger.write(
            id=identifier or uuid.uuid4().hex[:12],
            run=self.run,
            fault=fault,
            step=step,
            target=target,
            detail=detail,
        )
