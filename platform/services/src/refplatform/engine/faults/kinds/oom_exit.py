"""The kernel ends the process for want of memory: SIGKILL, nothing is said to anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from refplatform.engine.faults.fault import EngineFault, parameter

if TYPE_CHECKING:
    from refplatform.engine.faults.state import Moment, State


class OomExit(EngineFault):
    """After one line in the log the process kills itself: exit status 137 in a shell."""

    client: ClassVar[str] = "open streams are cut, new connections are refused until somebody starts the engine again"
    metrics: ClassVar[str] = "no scrape succeeds; counters begin at 0 again"
    end: ClassVar[str] = "by a restart; ended before `delay` is over, nothing happens"

    delay: float = parameter(0.2, "until it dies, so that the admin door can answer", unit="s", least=0.05, most=30)

    def bend(self, state: State, moment: Moment) -> None:
        """Die when it is time."""
        if moment.elapsed >= self.delay:
            state.killed = "out of memory"
