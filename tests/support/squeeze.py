"""Holds a process to a share of one core: by the kernel's quota where we may set one, else by stopping it in turns."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CPU = Path("/sys/fs/cgroup/cpu")
"""Where the cpu controller of control groups, version 1, is mounted on most machines that have it."""
PERIOD = 0.1
"""Seconds in which a group spends its quota: the kernel's own default."""
TURNS = (0.01, 0.04)
"""Seconds that a process runs and is stopped, where there is no quota: a fifth."""

_CONTROLLER = """
import ctypes, os, signal, sys, time
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
pid, on, off = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
try:
    while True:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(off)
        os.kill(pid, signal.SIGCONT)
        time.sleep(on)
except ProcessLookupError:
    pass
finally:
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        pass
"""
"""In a process of its own, because a busy test keeps no time. It dies with the test and lets go of what it held."""


def by_quota() -> bool:
    """Whether this machine lets us set a quota."""
    return (CPU / "cpu.cfs_quota_us").exists() and os.access(CPU, os.W_OK)


@contextmanager
def quota(pid: int, share: float, period: float = PERIOD) -> Iterator[None]:
    """Hold a process and its threads to a share of one core, in a group of their own that is gone afterwards."""
    home = _group(pid)
    group = home / f"holdfast-squeeze-{pid}"
    group.mkdir()
    try:
        (group / "cpu.cfs_period_us").write_text(f"{round(period * 1e6)}")
        (group / "cpu.cfs_quota_us").write_text(f"{round(period * share * 1e6)}")
        (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        for one in (group / "cgroup.procs").read_text().split():
            (home / "cgroup.procs").write_text(one)
        group.rmdir()


def _group(pid: int) -> Path:
    """Where a process is now: held there to no more than it was."""
    lines = (Path("/proc") / str(pid) / "cgroup").read_text().splitlines()
    inside = next(path for _, names, path in (line.split(":", 2) for line in lines) if "cpu" in names.split(","))
    return CPU / inside.lstrip("/")


@contextmanager
def turns(pid: int, on: float = TURNS[0], off: float = TURNS[1]) -> Iterator[None]:
    """Let a process run for `on` seconds, stop it for `off` seconds, and so on; it runs freely afterwards."""
    with subprocess.Popen([sys.executable, "-S", "-c", _CONTROLLER, str(pid), str(on), str(off)]) as controller:
        try:
            yield
        finally:
            controller.terminate()
