"""One fault that was begun: its lease, whom it met, and a bounded log of what it did."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from refplatform.engine.faults.fault import Fault
    from refplatform.engine.faults.pick import Pick

LOG_LINES: Final = 10_000
"""Strikes that are kept of one fault; the oldest go first."""


@dataclass(slots=True, kw_only=True)
class Active:
    """Times are seconds of the engine's steady clock. `struck` counts picked answers to which something was done."""

    identity: str
    name: str
    fault: Fault
    pick: Pick
    began: float
    ends: float
    until: float
    """The end as a unix second."""
    over: bool = False
    matched: int = 0
    picked: int = 0
    struck: int = 0
    log: deque[dict[str, object]] = field(default_factory=lambda: deque(maxlen=LOG_LINES))
    waiting: set[Callable[[], object]] = field(default_factory=set)
    """Called when it is over."""
    dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        """Seed the dice."""
        self.dice = random.Random(self.pick.seed)

    def remaining(self, now: float) -> float:
        """Seconds of the lease that are left; 0 once it is over."""
        return 0.0 if self.over else max(0.0, self.ends - now)

    def finish(self) -> None:
        """Be over, and let go of who waits for that."""
        self.over = True
        while self.waiting:
            self.waiting.pop()()

    def picks(self) -> bool:
        """Count one more request that matches; whether it is touched."""
        self.matched += 1
        chosen = self.pick.strikes(self.matched, self.dice)
        self.picked += chosen
        return chosen

    def write(self, request: str | None, did: str, *, token: int | None, wall: float) -> None:
        """Log one strike."""
        self.struck += 1
        at = {"request_id": request, "fault": self.name, "fault_id": self.identity, "unix": round(wall, 6)}
        self.log.append({**at, "token": token, "did": did})

    def told(self, now: float) -> dict[str, object]:
        """As the admin door shows it."""
        return {
            "id": self.identity,
            "fault": self.name,
            "parameters": self.fault.model_dump(),
            "pick": self.pick.model_dump(),
            "active": not self.over,
            "remaining": round(self.remaining(now), 3),
            "ends_at": round(self.until, 3),
            "matched": self.matched,
            "picked": self.picked,
            "struck": self.struck,
        }
