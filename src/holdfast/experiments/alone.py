"""A platform is used by one run at a time: the lock in its state folder, free when its holder ends however that is."""

from __future__ import annotations

import contextlib
import fcntl
from typing import IO, TYPE_CHECKING

from holdfast.clock import SystemClock
from holdfast.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from holdfast.run import Stop


@contextlib.contextmanager
def alone(state: Path, *, wait: bool = False, stop: Stop | None = None) -> Iterator[None]:
    """Hold a platform for one run. Raises InfrastructureError when another run holds it and we shall not wait.

    Waiting looks at `stop` ten times a second, because a lock that blocks would sleep through a signal.
    """
    with (state / "run.lock").open("w") as lock:
        while not _locked(lock):
            if not wait or (stop and stop.signal):
                hint = "wait for it, or use another platform with --state"
                raise InfrastructureError(f"another run is using the platform in {state}", hint=hint)
            SystemClock().sleep(0.1)
        yield


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
