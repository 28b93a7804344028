"""SIGINT and SIGTERM as a request that a run looks at, and the exit code that each has."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from holdfast.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.run import Stop


@contextmanager
def stoppable() -> Iterator[Stop]:
    """SIGINT and SIGTERM ask the run to stop: it ends the load, undoes its faults and seals its record.

    Raises ValueError outside the main thread, where Python takes no signals.
    """
    from holdfast.run import Stop  # noqa: PLC0415 - exit_code alone need not pay for the whole loop

    stop = Stop()

    def ask(number: int, _: object) -> None:
        stop.signal = signal.Signals(number).name
        stop.asked += 1

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def exit_code(name: str) -> ExitCode:
    """128 and the signal's number: 130 for SIGINT, 143 for SIGTERM; a run halted otherwise has proved nothing."""
    if not name.startswith("SIG"):
        return ExitCode.UNKNOWN
    return ExitCode.INTERRUPTED if name == "SIGINT" else ExitCode.TERMINATED
