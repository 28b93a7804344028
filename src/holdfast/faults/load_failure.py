"""`load_failure`: an engine dies, and every start of a successor fails while it loads: damaged weights, no memory."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar, Final

from holdfast.faults.ways.reload import Reload, successor
from holdfast.model.fault import Sight, Words

if TYPE_CHECKING:
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver, Identity

_LOOK: Final = 0.05
_STARTS: Final = 4.0
"""Seconds in which a successor is to be seen, and then to end: it fails before it would load anything."""


class LoadFailure(Reload):
    """Seen to bite when a successor was started and ended again.

    The word left for it is worth nothing after the lease, so a harness that dies leaves an engine that starts.
    """

    title: ClassVar = "unable to load"
    door: ClassVar = "load-failure"
    words: ClassVar = Words(
        apply="let every load of {target} fail, and end {target} with SIGKILL",
        bites="a successor was started, and ended before it was ready",
        undo="let the lease run out, and ask the platform to run what should run",
        gone="a replica of that name is ready",
    )
    bites_within: ClassVar = 20.0
    gone_within: ClassVar = 90.0

    def after(self, driver: Driver, strike: Strike, options: Any) -> Sight:  # noqa: ARG002 - it has none
        """A successor that came and went."""
        first = _seen(driver, strike.target)
        if first is None:
            return Sight(False, "no successor was started yet")
        until = time.monotonic() + _STARTS
        while driver.alive(first) and time.monotonic() < until:
            time.sleep(_LOOK)
        ended = not driver.alive(first)
        return Sight(ended, f"its successor {first.unit} {'ended while it loaded' if ended else 'lives'}")


def _seen(driver: Driver, target: Identity) -> Identity | None:
    until = time.monotonic() + _STARTS
    while time.monotonic() < until:
        if (now := successor(driver, target)) is not None and now.running:
            return now.identity
        time.sleep(_LOOK)
    return None


FAULT = LoadFailure()
