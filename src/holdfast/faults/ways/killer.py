"""A program: kills one replica again whenever it is back, until nobody has renewed it for its lease.

python -m holdfast.faults.ways.killer ADDRESS STRIKE ROLE NAME LEASE
"""

from __future__ import annotations

import contextlib
import math
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from holdfast.errors import PlatformError, TargetError
from holdfast.faults.ways import notes
from holdfast.model.fault import Strike
from holdfast.model.platform import Identity
from holdfast.platforms.connect import connect

if TYPE_CHECKING:
    from holdfast.model.platform import Driver

_LOOK: Final = 0.1


def main(address: str, mark: str, role: str, name: str, lease: str) -> None:
    """Until the alarm rings: its default action ends us, whatever we do."""
    seconds = max(1, math.ceil(float(lease)))
    signal.signal(signal.SIGUSR1, lambda *_: signal.alarm(seconds))
    signal.alarm(seconds)
    strike = Strike(id=mark, fault="crash_loop", target=Identity(name=name, role=role, unit=""))
    driver = connect(Path(address))
    killed: list[str] = []
    while True:
        with contextlib.suppress(PlatformError, TargetError):  # it ended by itself meanwhile; we look again
            for one in _back(driver, strike):
                driver.kill(one)
                killed.append(one.unit)
                notes.keep(driver, strike, {"killed": killed})
        time.sleep(_LOOK)


def _back(driver: Driver, strike: Strike) -> list[Identity]:
    """The replica of that name, if it runs."""
    runs = (one.identity for one in driver.replicas(strike.target.role) if one.running)
    return [one for one in runs if one.name == strike.target.name]


if __name__ == "__main__":
    main(*sys.argv[1:])
