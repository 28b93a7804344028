"""Holds a run's lease while its process lives; has a reaper look on, started before the first fault.

One in a process for each run, whoever strikes: activities of one experiment are separate calls that know nothing of
each other, and what they hold together is this process's life.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from typing import IO, TYPE_CHECKING, Final

from holdfast import faults
from holdfast.errors import HoldfastError, InfrastructureError
from holdfast.platforms import pids

if TYPE_CHECKING:
    from holdfast.chaos.ledger import Ledger
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver

_OFTEN: Final = 5
"""Times in its length that a lease is renewed: a few may be late."""
_STARTS: Final = 20.0


class Watch:
    """Implements `strike.Guard` for one run on one platform."""

    def __init__(self, driver: Driver, ledger: Ledger, run: str) -> None:
        self._driver, self._ledger, self._run = driver, ledger, run
        self._every = ledger.lease / _OFTEN
        self._held: dict[str, Strike] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._reaper: subprocess.Popen[str] | None = None

    def begin(self) -> None:
        """Hold the lease and start the reaper, once. Raises InfrastructureError when it does not start."""
        with self._lock:
            self._renew()
            # Renewed from here on: a busy machine may take longer to start a reaper than the lease lasts.
            if self._thread is None:
                self._over.clear()
                self._thread = threading.Thread(target=self._keep, name=f"lease of {self._run}", daemon=True)
                self._thread.start()
            if self._reaper is None or self._reaper.poll() is not None:
                self._reaper = start_reaper(self._driver.address, self._run)

    def end(self) -> None:
        """Nothing is held any more: the lease is given back, and the reaper sees that and ends."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(self._every)
        with self._lock:
            reaper, self._reaper, self._thread = self._reaper, None, None
            self._ledger.leases.release(self._run)
        if reaper is not None:
            _dismiss(reaper)

    def watch(self, strike: Strike) -> None:
        """From now on this one is held."""
        self.begin()
        self._held[strike.id] = strike

    def forget(self, strike: Strike) -> None:
        """It is gone."""
        self._held.pop(strike.id, None)

    def _renew(self) -> None:
        who = pids.incarnation(os.getpid())
        try:
            self._ledger.leases.renew(self._run, str(who))
        except OSError as error:
            raise InfrastructureError(f"no lease could be written: {error}", hint="is the disk full?") from error

    def _keep(self) -> None:
        while not self._over.wait(self._every):
            if self._ledger.leases.revoked(self._run):
                return
            # What cannot be renewed ends with its lease, and the record says so: that is what leases are for.
            with contextlib.suppress(InfrastructureError):
                self._renew()
            for strike in list(self._held.values()):
                with contextlib.suppress(HoldfastError, OSError):
                    faults.find(strike.fault).renew(self._driver, strike)


def start_reaper(address: str, run: str) -> subprocess.Popen[str]:
    """A process of its own session that undoes this run's faults when we are gone. Returns when it watches.

    Raises InfrastructureError when it does not say so in time.
    """
    words = [sys.executable, "-m", "holdfast.chaos.reaper", address, "--run", run]
    holder = pids.incarnation(os.getpid())
    # Its stdin is a pipe that only we hold: it ends with us, however we end.
    reaper = subprocess.Popen(
        [*words, "--holder", str(holder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    if _first_line(reaper.stdout) != "watching":
        reaper.kill()
        reaper.wait()
        raise InfrastructureError("the reaper of faults did not start; nothing was struck", hint="holdfast doctor")
    return reaper


def _first_line(stream: IO[str] | None) -> str:
    found: list[str] = []
    reading = threading.Thread(target=lambda: found.append(stream.readline() if stream else ""), daemon=True)
    reading.start()
    reading.join(_STARTS)
    return found[0].strip() if found else ""


def _dismiss(reaper: subprocess.Popen[str]) -> None:
    for stream in (reaper.stdin, reaper.stdout):
        if stream is not None:
            stream.close()
    try:
        reaper.wait(_STARTS)
    except subprocess.TimeoutExpired:
        reaper.kill()
        reaper.wait()


_WATCHES: dict[tuple[str, str], Watch] = {}


def watch_of(driver: Driver, ledger: Ledger, run: str) -> Watch:
    """This process's watch over a run: the same one for every call that names the same run of the same platform."""
    return _WATCHES.setdefault((driver.address, run), Watch(driver, ledger, run))
