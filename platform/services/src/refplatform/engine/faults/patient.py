"""Makes one engine be as its faults say, from whichever thread, and remembers what it was before all of them."""

from __future__ import annotations

import os
import signal
import sys
import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from refplatform.engine.faults import next_load
from refplatform.engine.faults.next_load import NextLoad
from refplatform.engine.faults.state import State

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from pathlib import Path

    from refplatform.engine.gpu.device import Device
    from refplatform.engine.live import Conditions

HANG_LOOK_SECONDS: Final = 1.0
"""How often a loop that stands still looks whether there is anybody left who could let it go on."""


class Patient:
    """One engine process: its conditions, its devices, its event loop, and the file for its next start."""

    def __init__(
        self, conditions: Conditions, devices: tuple[Device, ...], *, blocks: int, next_file: Path | None
    ) -> None:
        self.state = State()
        self.on_death: Callable[[], None] = lambda: None
        """Called on the loop when the core is found dead."""
        self._conditions = conditions
        self._before = replace(conditions)
        self._devices = devices
        self._blocks = blocks
        self._next_file = next_file
        self._loop: asyncio.AbstractEventLoop | None = None
        self._keeper = threading.current_thread()
        self._go_on = threading.Event()
        self._counted: dict[tuple[str, int, str], int] = {}

    def live(self, loop: asyncio.AbstractEventLoop, keeper: threading.Thread) -> None:
        """From now on there is a loop to stop, and a thread that keeps the leases."""
        self._loop, self._keeper = loop, keeper

    def settle(self, state: State) -> None:
        """Be like this. Called again and again; what is already so stays untouched."""
        if state == self.state:
            return
        if self.state == State():
            self._before = replace(self._conditions)
        before, self.state = self.state, state
        self._bend()
        self._devise(before)
        self._hang(before)
        if state.dead and not before.dead:
            self._soon(self.on_death)
        if self._next_file is not None and _next(before) != _next(state):
            next_load.write(self._next_file, _next(state))
        if state.killed:
            sys.stderr.write(f"refplatform.engine: {state.killed}: the process is killed, as a fault asks\n")
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    def forget_next(self) -> None:
        """Take back what was left for the next start, by this process or by one before it."""
        if self._next_file is not None:
            next_load.write(self._next_file, None)

    def _bend(self) -> None:
        state, own, before = self.state, self._conditions, self._before
        own.step_factor = before.step_factor * state.step_factor
        own.halted = before.halted or state.halted
        own.reserved_blocks = min(self._blocks, before.reserved_blocks + round(state.reserved_share * self._blocks))
        own.prefix_cache = before.prefix_cache and state.prefix_cache

    def _devise(self, before: State) -> None:
        state = self.state
        reset = {place for key in before.xids.keys() - state.xids.keys() for place in key[1:]}
        for place in reset:
            self._devices[place].reset()
        for (fault, place), code in state.xids.items():
            if (fault, place) not in before.xids or place in reset:
                self._devices[place].xid(code)
        for place, device in enumerate(self._devices):
            if device.factor != (factor := state.clocks.get(place, 1.0)):
                device.throttle(factor)
        for key, count in state.memory_errors.items():
            _, place, kind = key
            self._devices[place].ecc(**{kind: count - self._counted.get(key, 0)})
        self._counted = dict(state.memory_errors)

    def _hang(self, before: State) -> None:
        if self.state.hung and not before.hung:
            self._go_on = threading.Event()
            self._soon(partial(self._stand_still, self._go_on))
        elif before.hung and not self.state.hung:
            self._go_on.set()

    def _stand_still(self, go_on: threading.Event) -> None:
        while not go_on.wait(HANG_LOOK_SECONDS) and self._keeper.is_alive():
            pass

    def _soon(self, act: Callable[[], None]) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(act)


def _next(state: State) -> NextLoad | None:
    """What the next start is told, None when it is to be an ordinary one."""
    if not state.load_until:
        return None
    return NextLoad(seconds=state.load_seconds, fails=state.load_fails, until=state.load_until)
