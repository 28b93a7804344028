"""From "kill one engine" to a fault that was seen to bite, and back to one seen gone; every step written down."""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING, Any, Final, Protocol

from holdfast import faults
from holdfast.errors import ExitCode, HoldfastError, TargetError, UsageError
from holdfast.faults.base import missing
from holdfast.model.fault import Sight, Strike
from holdfast.model.platform import Identity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from holdfast.chaos.ledger import Entry, Ledger
    from holdfast.clock import Clock
    from holdfast.faults.base import Fault
    from holdfast.model.platform import Driver

    Aimed = tuple[list[Identity], list[Identity]]

_POLL: Final = 0.05
_NOBODY: Final = "-"


class FaultStuckError(HoldfastError):
    """A fault could not be seen gone in time: it may still be there."""

    exit_code = ExitCode.NOT_RESTORED


class LetGoError(HoldfastError):
    """Somebody asked the run to let go of its faults: it strikes no more."""

    exit_code = ExitCode.INTERRUPTED


class Guard(Protocol):
    """Sees to it that a run's faults end when the run does."""

    def watch(self, strike: Strike) -> None:
        """Hold the lease and have a reaper ready. Raises InfrastructureError when neither can be had."""

    def forget(self, strike: Strike) -> None:
        """This fault is gone."""


class Unguarded:
    """For runs whose faults are undone by others alone: a reaper's own, and tests in virtual time."""

    def watch(self, strike: Strike) -> None:
        """Nothing holds it."""

    def forget(self, strike: Strike) -> None:
        """Nothing held it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to strike, before anything is looked up: so many ready replicas of a role, or a percentage, or by name."""

    fault: str
    role: str
    count: int | None = None
    percent: float | None = None
    names: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    within: float | None = None
    """Seconds in which it is to be seen; None takes the fault's own."""

    def of(self, ready: int) -> int:
        """How many of so many ready replicas. Raises TargetError when it does not say, or says it twice."""
        said = [self.count is not None, self.percent is not None, bool(self.names)]
        if sum(said) != 1:
            raise TargetError("say how many: one of count, percent and names", hint="count: 1")
        if self.percent is not None and not 0 < self.percent <= 100:  # noqa: PLR2004 - per cent
            raise TargetError(f"{self.percent:g} percent of {ready} replicas cannot be struck")
        return math.floor(ready * self.percent / 100) if self.percent is not None else self.count or len(self.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Striker:
    """Strikes the replicas of one platform in the name of one run."""

    driver: Driver
    ledger: Ledger
    clock: Clock
    run: str
    seed: int
    guard: Guard = field(default_factory=Unguarded)
    fingerprint: str = ""
    """The platform this run was begun on; empty asks for none."""

    def strike(self, wanted: Wanted, aimed: Callable[[], Aimed] | None = None) -> tuple[Entry, ...]:
        """Apply a fault to what is wanted and see it bite in time; what is beside the targets is seen untouched.

        `aimed` gives (targets, spared) where they are not replicas of a role, and raises as `targets` does.
        Raises TargetError when targets are absent, ambiguous or not allowed, or the fault cannot be had here;
        UsageError for an unknown fault; LetGoError when the run was asked to let go.
        """
        found = faults.find(wanted.fault)
        try:
            self._allowed(found, wanted)
            targets, spared = aimed() if aimed else self.targets(wanted)
            for target in targets:
                found.reach(self.driver, Strike(id=_NOBODY, fault=wanted.fault, target=target, options=wanted.options))
        except HoldfastError as error:
            nobody = Identity(name=_NOBODY, role=wanted.role, unit=_NOBODY)
            self._write("refused", Strike(id=_id(), fault=wanted.fault, target=nobody), str(error))
            raise
        return tuple(self._strike(found, wanted, target, spared) for target in targets)

    def restore(self, entry: Entry, within: float | None = None) -> Entry:
        """Undo one fault and see it gone. Raises FaultStuckError when it is not gone in time."""
        self.undo(entry)
        return self.see_gone(entry, within)

    def undo(self, entry: Entry) -> None:
        """Start taking one fault back. Raises FaultStuckError, with the way out, when nothing here can do that."""
        try:
            known(entry).undo(self.driver, entry.strike)
        except TargetError as error:
            raise _stuck(entry, error) from error
        self._write("undone", entry.strike)

    def forget(self, entry: Entry) -> Entry:
        """Call one over that nobody has seen gone, because somebody says so."""
        return self._write("forgotten", entry.strike, "by hand; nobody saw it gone")

    def see_gone(self, entry: Entry, within: float | None = None) -> Entry:
        """Wait until one that was undone is gone. Raises FaultStuckError when it is not in time."""
        found, strike = known(entry), entry.strike
        within = found.patience(strike.options) if within is None else within
        sight = self._wait(_Look(self, found, strike), within, lambda: False)
        if not sight.seen:
            detail = f"not seen gone within {within:g} s" + (f": {sight.detail}" if sight.detail else "")
            self._write("stuck", strike, detail)
            told = f"{entry.fault} of {strike.target.name} was {detail}"
            raise FaultStuckError(told, hint="holdfast status; holdfast logs " + strike.target.name)
        self.guard.forget(strike)
        return self._write("gone", strike, sight.detail)

    def targets(self, wanted: Wanted) -> tuple[list[Identity], list[Identity]]:
        """Whom it would strike, and who is ready beside them. Raises TargetError; touches nothing."""
        return targets(self.driver, wanted, self.seed)

    def _allowed(self, found: Fault, wanted: Wanted) -> None:
        found.read(wanted.options)
        if lacks := missing(found):
            raise TargetError(f"{wanted.fault} needs {', '.join(lacks)}, which is not there", hint="holdfast doctor")
        if self.fingerprint and self.driver.fingerprint() != self.fingerprint:
            raise TargetError("this is not the platform that the run began on", hint="holdfast status")

    def _strike(self, found: Fault, wanted: Wanted, target: Identity, spared: list[Identity]) -> Entry:
        strike = Strike(id=_id(), fault=wanted.fault, target=target, options=wanted.options, lease=self.ledger.lease)
        self.guard.watch(strike)
        if self.let_go():
            raise LetGoError(f"{self.run} was asked to let go: {target.name} is not struck")
        self._write("asked", strike)
        self._apply(found, strike)
        within = found.bites_within if wanted.within is None else wanted.within
        sight = self._wait(lambda: found.bites(self.driver, strike), within, self.let_go)
        if not sight.seen:
            return self._write("unseen", strike, _because(f"not seen to bite within {within:g} s", sight))
        seen = self._write("observed", strike, sight.detail)
        return self._astray(found, strike, spared) or seen

    def _apply(self, found: Fault, strike: Strike) -> None:
        # Whoever stood still since "asked" may go on after others took this back and saw it gone: then it is too late.
        # While we are in here nobody calls it gone, and when we are killed in here it is still open.
        with self.ledger.striking(strike.id) as alone:
            last = self.ledger.last(strike.id)
            if not alone or last is None or last.step != "asked":
                raise LetGoError(f"{self.run} lost its lease before it struck {strike.target.name}")
            found.apply(self.driver, strike)
            self._write("applied", strike)

    def _astray(self, found: Fault, strike: Strike, spared: list[Identity]) -> Entry | None:
        """A bystander that was hit too: then nobody knows what was tested."""
        for other in () if found.shared else spared[:1]:
            sight = found.bites(self.driver, replace(strike, target=other))
            if sight.seen:
                return self._write("astray", strike, _because(f"{other.name} was hit too", sight))
        return None

    def let_go(self) -> bool:
        """Whether somebody asked this run to let go of its faults."""
        return self.ledger.leases.revoked(self.run)

    def _wait(self, look: Callable[[], Sight], within: float, stop: Callable[[], bool]) -> Sight:
        deadline = self.clock.monotonic() + within
        while not (sight := look()).seen and not stop():
            if self.clock.monotonic() >= deadline:
                break
            self.clock.sleep(_POLL)
        return sight

    def _write(self, step: str, strike: Strike, detail: str = "") -> Entry:
        return self.ledger.write(
            id=strike.id,
            run=self.run,
            fault=strike.fault,
            step=step,
            target=strike.target,
            detail=detail,
            options=strike.options,
        )


class _Look:
    """Whether a fault is gone, seen while nobody stands in the middle of striking it."""

    def __init__(self, striker: Striker, found: Fault, strike: Strike) -> None:
        self._striker, self._found, self._strike = striker, found, strike
        self._late = False

    def __call__(self) -> Sight:
        """Undone once more after somebody was in the middle: it may have struck after the first time."""
        with self._striker.ledger.settled(self._strike.id) as settled:
            late, self._late = self._late, not settled
            if not settled:
                return Sight(False, "whoever strikes it stands in the middle of that")
            if late:
                self._found.undo(self._striker.driver, self._strike)
            return self._found.gone(self._striker.driver, self._strike)


def known(entry: Entry) -> Fault:
    """The fault of an entry. Raises FaultStuckError with the way out when it has no file any more."""
    try:
        return faults.find(entry.fault)
    except UsageError as error:
        raise _stuck(entry, error) from error


def _stuck(entry: Entry, why: HoldfastError) -> FaultStuckError:
    told = f"{entry.fault} of {entry.name} by run {entry.run} cannot be taken back: {why}"
    hint = f"put things right yourself, then: holdfast chaos undo --forget {entry.id}"
    return FaultStuckError(told, hint=hint)


def targets(driver: Driver, wanted: Wanted, seed: int) -> tuple[list[Identity], list[Identity]]:
    """Whom a strike would hit, and who is ready beside them. Raises TargetError; touches nothing."""
    if wanted.role not in driver.allowed:
        allowed = ", ".join(sorted(driver.allowed)) or "none"
        raise TargetError(f"role {wanted.role!r} may not be touched on this platform", hint=f"allowed: {allowed}")
    ready = [replica.identity for replica in driver.replicas(wanted.role) if replica.ready]
    count = wanted.of(len(ready))
    named = [one for one in ready if one.name in wanted.names] if wanted.names else ready
    if not 1 <= count <= len(named):
        of = ", ".join(wanted.names) or f"{wanted.role!r}"
        raise TargetError(f"{count} ready replicas of {of} are wanted, {len(named)} are there")
    chosen = Random(f"{seed}/{wanted.role}").sample(named, count)
    return chosen, [one for one in ready if one not in chosen]


def _id() -> str:
    return uuid.uuid4().hex[:12]


def _because(what: str, sight: Sight) -> str:
    return f"{what}: {sight.detail}" if sight.detail else what
