"""`os._exit` ends a process past every hook of pytest: while a session is to prove something, 0 is not its to give."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

from holdfast.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

    Leave = Callable[[int], NoReturn]


def never_green(leave: Leave, process: int, say: Callable[[str], None]) -> Leave:
    """`leave` for a session in `process`: there 0 becomes UNKNOWN; children forked from it may end as they like."""

    def ends(status: int) -> NoReturn:
        if status == ExitCode.PASS and os.getpid() == process:
            say("a test ended the process with os._exit(0): exit code 10 (UNKNOWN)")
            leave(ExitCode.UNKNOWN)
        leave(status)

    return ends
