"""Runs one program so that nothing it started outlives it, whichever of them dies first and however.

vLLM is four processes. When its API server is killed, the engine core and its worker stay, with all their memory, and
nobody ends them; and they write over their own environment, so that they cannot be found by a mark there. Linux only.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

GRACE_SECONDS: Final = 2.0
"""From a polite stop to SIGKILL; shorter than the supervisor's own patience."""
_HEARD: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
_DEATH_SIGNAL, _SUBREAPER = 1, 36
"""PR_SET_PDEATHSIG and PR_SET_CHILD_SUBREAPER of <linux/prctl.h>."""
_PARENT, _GROUP, _SESSION = 1, 2, 3
"""Fields of /proc/PID/stat, counted after the command's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One process as /proc shows it."""

    pid: int
    parent: int
    group: int
    session: int


def run(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the program to its end; its exit status, or 128 and the number of the signal that ended it.

    SIGTERM, or the death of this process's own parent, ends it and everything it started. Raises OSError when the
    program cannot be started.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getppid()
    libc.prctl(_SUBREAPER, 1, 0, 0, 0)  # orphans come to us
    libc.prctl(_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)
    _kill(leftovers(table(), me=os.getpid()))
    signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)

    def on_leash() -> None:
        libc.prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)

    child = subprocess.Popen(command, env=dict(environ), preexec_fn=on_leash)  # noqa: PLW1509  there is one thread
    try:
        return _follow(child, parent)
    finally:
        _end_all()


def _follow(child: subprocess.Popen[bytes], parent: int) -> int:
    while child.poll() is None:
        if signal.sigwait(_HEARD) != signal.SIGCHLD:
            # Without a parent nobody waits for a polite end.
            _stop(child, GRACE_SECONDS if os.getppid() == parent else 0.0)
            break
        _reap(child)
    status = child.wait() if child.poll() is not None else -signal.SIGKILL
    return 128 - status if status < 0 else status


def _stop(child: subprocess.Popen[bytes], seconds: float) -> None:
    child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(seconds)


def _reap(child: subprocess.Popen[bytes]) -> None:
    """Bury orphans, but leave the program itself to `child.poll`."""
    for row in table():
        if row.parent == os.getpid() and row.pid != child.pid:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(row.pid, os.WNOHANG)


def _end_all() -> None:
    shared: set[Path] = set()
    while found := descendants(table(), of=os.getpid()):
        shared.update(*map(segments, found))
        _kill(found)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.01)
    for segment in shared:
        segment.unlink(missing_ok=True)


def segments(pid: int) -> set[Path]:
    """Names of shared memory that a process has mapped; whoever is killed leaves them in the machine's memory."""
    try:
        lines = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    names = {line.split(maxsplit=5)[5] for line in lines if " /dev/shm/" in line}
    return {Path(name) for name in names if not name.endswith(" (deleted)")}


def _kill(whom: Iterable[int]) -> None:
    for pid in whom:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def table() -> tuple[Row, ...]:
    """Every process there is, zombies too."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
                fields = text[text.rindex(")") + 2 :].split()
                parent, group, session = (int(fields[place]) for place in (_PARENT, _GROUP, _SESSION))
                found.append(Row(pid=int(folder.name), parent=parent, group=group, session=session))
    return tuple(found)


def descendants(rows: Sequence[Row], *, of: int) -> tuple[int, ...]:
    """Children of a process, their children, and so on."""
    found = [of]
    for pid in found:
        found += [row.pid for row in rows if row.parent == pid]
    return tuple(found[1:])


def leftovers(rows: Sequence[Row], *, me: int) -> tuple[int, ...]:
    """What an earlier process in this one's place left: same session and working folder, another process group.

    A supervisor gives each of its programs a group, and here also a folder, of its own.
    """
    mine = {row.pid: row for row in rows}.get(me)
    if mine is None or mine.group != me:
        return ()  # nobody gave us a group: others in this folder may be anybody
    others = [row.pid for row in rows if row.session == mine.session and row.group != me]
    here = _folder(me)
    return tuple(pid for pid in others if here and pid != mine.session and _folder(pid) == here)


def _folder(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/cwd")  # noqa: PTH115  the link's text is compared, not followed
    except OSError:
        return ""
