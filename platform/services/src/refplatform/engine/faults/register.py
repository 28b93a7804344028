"""Every fault of one engine and its lease: begun, renewed, ended, and what all of them together make of the engine."""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
import threading
from functools import partial
from typing import TYPE_CHECKING, Final

from refplatform.engine.faults.active import Active
from refplatform.engine.faults.fault import AnswerFault, EngineFault
from refplatform.engine.faults.pick import REQUEST, TENANT, header
from refplatform.engine.faults.read import BadFaultError, read_begin, read_lease
from refplatform.engine.faults.state import Moment, State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from refplatform.engine.faults.fault import Fault
    from refplatform.engine.wire.ask import Answer
    from refplatform.engine.wire.events import Event, Shaper

BEAT_SECONDS: Final = 0.05
"""How often a fault that changes with time is looked at."""
MOST_ACTIVE: Final = 64
MOST_REMEMBERED: Final = 64
"""Faults that are over are kept for their logs; the oldest go first."""


class NoSuchFaultError(KeyError):
    """No fault of this id is active, or known at all."""


class Register:
    """All faults of one engine; may be used from any thread. `settle` makes the engine be as a state says.

    `clock` is steady seconds, `wall` unix seconds, `count` is told the name of the fault at each strike. `context` says
    what the parameters are checked against: `gpus`, how many there are, and `next_load`, whether a start can be told.
    `forget` takes word for the next start back, also that of a process that is no more.
    """

    def __init__(
        self,
        kinds: Mapping[str, type[Fault]],
        *,
        settle: Callable[[State], None],
        count: Callable[[str], None],
        clock: Callable[[], float],
        wall: Callable[[], float],
        context: Mapping[str, object],
        forget: Callable[[], None] = lambda: None,
    ) -> None:
        self._kinds = kinds
        self._settle = settle
        self._count = count
        self._clock = clock
        self._wall = wall
        self._context = context
        self._forget_next = forget
        self._changed = threading.Condition(threading.RLock())
        self._active: list[Active] = []
        self._known: dict[str, Active] = {}

    # What the admin door does.

    def begin(self, raw: bytes) -> dict[str, object]:
        """Begin the fault of a JSON body; when this returns it has. Raises BadFaultError with all that is wrong."""
        wish = read_begin(raw, self._kinds, self._context)
        with self._changed:
            if len(self._active) >= MOST_ACTIVE:
                raise BadFaultError(f"{MOST_ACTIVE} faults are active, no more are taken")
            if wish.identity in self._known:
                raise BadFaultError(f"id: a fault was begun as {wish.identity} before")
            now, wall = self._clock(), self._wall()
            one = Active(
                identity=wish.identity or secrets.token_hex(6),
                name=wish.name,
                fault=wish.fault,
                pick=wish.pick,
                began=now,
                ends=now + wish.lease,
                until=wall + wish.lease,
            )
            self._active.append(one)
            self._known[one.identity] = one
            self._forget()
            self._try(one)
            if isinstance(one.fault, EngineFault):
                self._write(one, None, "began", token=None)
            self._changed.notify_all()
            return self._told(one)

    def renew(self, identity: str, raw: bytes) -> dict[str, object]:
        """Let an active fault last so long from now on. Raises BadFaultError, NoSuchFaultError."""
        lease = read_lease(raw)
        with self._changed:
            self._beat()
            one = self._get(identity)
            if one.over:
                raise NoSuchFaultError(identity)
            one.ends, one.until = self._clock() + lease, self._wall() + lease
            self._beat()
            self._changed.notify_all()
            return self._told(one)

    def end(self, identity: str) -> dict[str, object]:
        """End a fault now; one that is over stays so. Raises NoSuchFaultError."""
        with self._changed:
            one = self._get(identity)
            self._over([one])
            return self._told(one)

    def end_all(self) -> list[dict[str, object]]:
        """End every fault now, the last begun first, and take back what one before left for the next start."""
        with self._changed:
            ended = self._active[::-1]
            self._over(ended)
            self._forget_next()
            return [self._told(one) for one in ended]

    def one(self, identity: str) -> dict[str, object]:
        """A fault, active or over. Raises NoSuchFaultError."""
        with self._changed:
            return self._told(self._get(identity))

    def all(self) -> list[dict[str, object]]:
        """Every fault that is remembered, in the order of their begin."""
        with self._changed:
            return [self._told(one) for one in self._known.values()]

    def strikes(self, identity: str) -> list[dict[str, object]]:
        """What a fault did, oldest first. Raises NoSuchFaultError."""
        with self._changed:
            return list(self._get(identity).log)

    # What the engine asks.

    def of(self, answer: Answer, headers: Iterable[tuple[bytes, bytes]]) -> Shaper | None:
        """What to do to an answer; the faults that pick it apply in the order of their begin."""
        if not self._active:
            return None
        kept = tuple(headers)
        tenant = header(kept, TENANT) or answer.body.user
        with self._changed:
            struck = [
                _Struck(self, one, one.fault, answer, header(kept, REQUEST) or _identity(answer))
                for one in self._active
                if isinstance(one.fault, AnswerFault) and one.pick.matches(answer, tenant) and one.picks()
            ]
        return _Shapers(struck) if struck else None

    # Time.

    def run(self) -> None:
        """End what is due, for ever: the body of a thread of its own, so that a stopped engine heals too."""
        with self._changed:
            while True:
                self._beat()
                self._changed.wait(self._pause())

    def _pause(self) -> float | None:
        if not self._active:
            return None
        return max(0.0, min(BEAT_SECONDS, min(one.ends for one in self._active) - self._clock()))

    def _beat(self) -> None:
        """End what is due, then make the engine what the rest makes of it."""
        now = self._clock()
        for one in [one for one in self._active if one.ends <= now]:
            self._active.remove(one)
            one.finish()
        state = State()
        for one in self._active:
            if isinstance(one.fault, EngineFault):
                one.fault.bend(state, Moment(fault=one.identity, elapsed=now - one.began, until=one.until))
        self._settle(state)

    def _try(self, one: Active) -> None:
        """Let a fault take hold, or end it. Raises BadFaultError when it cannot."""
        try:
            self._beat()
        except OSError as error:
            self._over([one])
            raise BadFaultError(f"the engine cannot be made so: {error}") from error

    def _over(self, ended: Iterable[Active]) -> None:
        now, wall = self._clock(), self._wall()
        for one in ended:
            one.ends, one.until = min(one.ends, now), min(one.until, wall)
        self._beat()

    def _get(self, identity: str) -> Active:
        if identity not in self._known:
            raise NoSuchFaultError(identity)
        return self._known[identity]

    def _told(self, one: Active) -> dict[str, object]:
        return one.told(self._clock())

    def _write(self, one: Active, request: str | None, did: str, *, token: int | None) -> None:
        one.write(request, did, token=token, wall=self._wall())
        self._count(one.name)

    def write(self, one: Active, request: str, did: str, *, token: int) -> None:
        """Log that an answer was struck."""
        with self._changed:
            self._write(one, request, did, token=token)

    def watch(self, one: Active, wake: Callable[[], object]) -> None:
        """Call `wake` once when the fault is over, which may be now."""
        with self._changed:
            if one.over:
                wake()
            else:
                one.waiting.add(wake)

    def unwatch(self, one: Active, wake: Callable[[], object]) -> None:
        """Do not call it any more."""
        with self._changed:
            one.waiting.discard(wake)

    def _forget(self) -> None:
        surplus = len(self._known) - MOST_REMEMBERED
        for old in [key for key, one in self._known.items() if one.over][: max(0, surplus)]:
            del self._known[old]


class _Struck:
    """One answer that one fault picked. Implements `fault.Strike`."""

    def __init__(self, register: Register, one: Active, fault: AnswerFault, answer: Answer, request: str) -> None:
        self.answer = answer
        self.fault = fault
        self._register = register
        self._one = one
        self._request = request
        self._written = False

    @property
    def going(self) -> bool:
        return not self._one.over

    def hit(self, did: str, *, token: int) -> None:
        if not self._written:
            self._written = True
            self._register.write(self._one, self._request, did, token=token)

    async def hold(self, seconds: float) -> None:
        over = asyncio.Event()
        wake = partial(asyncio.get_running_loop().call_soon_threadsafe, over.set)
        self._register.watch(self._one, wake)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds if math.isfinite(seconds) else None):
                    await over.wait()
        finally:
            self._register.unwatch(self._one, wake)


class _Shapers:
    """Applies one fault after the other."""

    def __init__(self, struck: list[_Struck]) -> None:
        self._struck = struck

    def __call__(self, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
        for one in self._struck:
            events = one.fault.shape(events, one)
        return events


def _identity(answer: Answer) -> str:
    """The id of a request whose client gave it none: what the answer is called, without its kind."""
    return answer.identity.partition("-")[2]
