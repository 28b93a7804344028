"""Processes of a fault's own: marked with its strike, out of our session, ended by the kernel when nobody renews them.

A program that is started here calls `alarm(2)` when it begins and anew on SIGUSR1: that is its lease. Whoever knows the
strike finds it by its environment, in whatever process.
"""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING, Final

from holdfast.errors import InfrastructureError
from holdfast.platforms import pids

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_ENDS: Final = 5.0
_BEGIN: Final = 'trap "" USR1; for file in $HOLDFAST_GROUPS; do echo $$ > "$file" || exit 1; done; exec "$@"'
"""It enters its groups before it runs: not one instruction of its own is outside. And until it has said what SIGUSR1
is to mean, that means nothing: a renewal must not kill who is still starting."""


def start(mark: str, words: Sequence[str], *, groups: Sequence[Path] = (), out: int = subprocess.DEVNULL) -> None:
    """Start a program that bears the mark, inside these control groups. It is nobody's child when this returns.

    What it prints goes to the file descriptor `out`.
    """
    environment = {**os.environ, "HOLDFAST_STRIKE": mark}
    environment["HOLDFAST_GROUPS"] = " ".join(str(group / "cgroup.procs") for group in groups)
    try:
        subprocess.run(
            ["/bin/sh", "-c", '"$@" &', "sh", "/bin/sh", "-c", _BEGIN, "sh", *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise InfrastructureError(f"no process beside the target could be started: {error}") from error


def of(mark: str) -> tuple[pids.Incarnation, ...]:
    """Those that bear the mark and live."""
    return pids.marked(f"HOLDFAST_STRIKE={mark}")


def renew(mark: str) -> None:
    """Put off the end of each by the lease that it was started with."""
    for one in of(mark):
        pids.send(one, signal.SIGUSR1)


def end(mark: str, within: float = _ENDS) -> None:
    """End them all, at once; returns when they have ended, or after so many seconds."""
    found = of(mark)
    for one in found:
        pids.send(one, signal.SIGKILL)
    pids.wait_gone(found, within)
