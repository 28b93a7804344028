"""The whole process hangs: the kernel still takes connections, and nobody ever reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from refplatform.engine.faults.fault import EngineFault

if TYPE_CHECKING:
    from refplatform.engine.faults.state import Moment, State


class Hang(EngineFault):
    """The event loop stands still: no answer to anything, /health included, streams under way freeze, SIGTERM waits."""

    client: ClassVar[str] = "connects, and then silence, at every path"
    metrics: ClassVar[str] = "no scrape succeeds"
    end: ClassVar[str] = "what has waited is answered, late; the admin door has a thread of its own and always answers"

    def bend(self, state: State, _moment: Moment) -> None:
        """Stand still."""
        state.hung = True
