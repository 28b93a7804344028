"""One process and no other: pid and start time together, signals through a pidfd, so that a recycled pid is never hit.

The start time is field 22 of /proc/PID/stat, in clock ticks since boot. It stays true when the wall clock is
stepped, which psutil's create_time, seconds since the epoch, does not.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_STATE, _PARENT, _GROUP, _SESSION, _USER, _SYSTEM, _STARTED = 0, 1, 2, 3, 11, 12, 19
"""Fields of /proc/PID/stat, counted after the command name, which may itself hold spaces and parentheses."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Incarnation:
    """One process for its whole life; `ticks` is its start in clock ticks since boot."""

    pid: int
    ticks: int

    def __str__(self) -> str:
        """Print as "pid@ticks", which `parse` reads back."""
        return f"{self.pid}@{self.ticks}"


def parse(text: str) -> Incarnation | None:
    """Read "pid@ticks"; None when the text is anything else."""
    pid, _, ticks = text.partition("@")
    return Incarnation(pid=int(pid), ticks=int(ticks)) if pid.isdigit() and ticks.isdigit() else None


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(")") + 2 :].split()


def incarnation(pid: int) -> Incarnation | None:
    """Who has this pid now; None when nobody has, or only a zombie."""
    stat = _stat(pid)
    return None if stat is None or stat[_STATE] in "ZX" else Incarnation(pid=pid, ticks=int(stat[_STARTED]))


def parent(who: Incarnation) -> int | None:
    """Pid of the parent; None when `who` is gone."""
    stat = _stat(who.pid) if exists(who) else None
    return None if stat is None else int(stat[_PARENT])


def state(who: Incarnation) -> str:
    """The letter of proc(5): R, S, D, T, t; empty when it is gone."""
    stat = _stat(who.pid) if exists(who) else None
    return "" if stat is None else stat[_STATE]


def spent(who: Incarnation) -> float:
    """Seconds of processor time that it has had, its own and the kernel's for it; 0 when it is gone."""
    stat = _stat(who.pid) if exists(who) else None
    return 0.0 if stat is None else (int(stat[_USER]) + int(stat[_SYSTEM])) / os.sysconf("SC_CLK_TCK")


def age(who: Incarnation) -> float:
    """Seconds since it started, counted by a clock that nobody can step."""
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - who.ticks / os.sysconf("SC_CLK_TCK"))


def exists(who: Incarnation) -> bool:
    """Whether this very process still runs."""
    return incarnation(who.pid) == who


@contextlib.contextmanager
def _held(who: Incarnation) -> Iterator[int | None]:
    """A pidfd of exactly `who`, or None: opened first and compared after, so that it cannot be of a successor."""
    try:
        handle = os.pidfd_open(who.pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield handle if exists(who) else None
    finally:
        os.close(handle)


def send(who: Incarnation, number: signal.Signals) -> bool:
    """Send one signal; False when `who` is gone, and then nobody got it. Raises PermissionError."""
    with _held(who) as handle:
        if handle is None:
            return False
        try:
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        return True


def group(who: Incarnation) -> tuple[Incarnation, ...]:
    """Every process of the process group that `who` leads, itself first; nobody when it leads none or is gone."""
    rest = (other for other, stat in _everyone() if int(stat[_GROUP]) == who.pid and other.pid != who.pid)
    stat = _stat(who.pid) if exists(who) else None
    return (who, *sorted(rest)) if stat and int(stat[_GROUP]) == who.pid else ()


def send_group(who: Incarnation, number: signal.Signals) -> bool:
    """Send one signal to `who` and its whole group; False when `who` is gone. Raises PermissionError."""
    rest = group(who)[1:]
    found = send(who, number)
    for other in rest if found else ():
        send(other, number)
    return found


def in_session(leader: Incarnation, folder: Path) -> tuple[Incarnation, ...]:
    """Every process of the session that `leader` leads or led, whose working folder lies in `folder`.

    For programs that write over their environment, where no mark is left. As long as one process is in a session, its
    number is given to no other process: another holder of the pid means that the session is somebody else's.
    """
    holder = incarnation(leader.pid)
    if holder not in {None, leader}:
        return ()
    found = (who for who, stat in _everyone() if int(stat[_SESSION]) == leader.pid and who.ticks >= leader.ticks)
    return tuple(sorted(who for who in found if _works_in(who, folder)))


def _works_in(who: Incarnation, folder: Path) -> bool:
    try:
        return Path(f"/proc/{who.pid}/cwd").readlink().is_relative_to(folder)
    except OSError:
        return False


def _everyone() -> Iterator[tuple[Incarnation, list[str]]]:
    for entry in Path("/proc").iterdir():
        stat = _stat(int(entry.name)) if entry.name.isdigit() else None
        if stat and stat[_STATE] not in "ZX":
            yield Incarnation(pid=int(entry.name), ticks=int(stat[_STARTED])), stat


def wait_gone(whom: Iterable[Incarnation], seconds: float) -> tuple[Incarnation, ...]:
    """Wait until all are gone, at most `seconds` together; returns those that are still there."""
    deadline = time.monotonic() + seconds
    return tuple(who for who in whom if not _ended(who, max(0.0, deadline - time.monotonic())))


def _ended(who: Incarnation, seconds: float) -> bool:
    with _held(who) as handle:
        if handle is None:
            return True
        waiting = select.poll()
        waiting.register(handle, select.POLLIN)
        return bool(waiting.poll(seconds * 1000))


def marked(entry: str) -> tuple[Incarnation, ...]:
    """Every process, this one apart, that was started with `entry` ("NAME=value") in its environment."""
    wanted = b"\0" + os.fsencode(entry) + b"\0"
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            # Not ours to read, or gone meanwhile: either way none of the processes that we started.
            with contextlib.suppress(OSError):
                if wanted in b"\0" + (folder / "environ").read_bytes() + b"\0":
                    found.append(incarnation(int(folder.name)))
    return tuple(sorted(who for who in found if who is not None))
