"""What can go wrong, for the person who must act: the exit codes, a problem in a file, the exception tree.

HoldfastError                exit 70   never raised itself
├── UsageError               exit 2    the command asked for something that does not exist
│   ├── SpecError            exit 2    files are wrong; carries every Problem at once
│   └── TargetError          exit 2    a fault's target is absent, ambiguous or not allowed
├── NotHereError             exit 10   no driver here can play it; nothing was touched
├── InfrastructureError      exit 75   the world is not ready; trying again may help
│   └── PlatformError        exit 75   the platform did not start, or is not there
└── FaultStuckError          exit 11   a fault could not be seen gone (holdfast.chaos.strike)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """What a pipeline reads. pytest's 0 to 5 keep their meaning; 75 is EX_TEMPFAIL of sysexits.h."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    UNKNOWN = 10
    NOT_RESTORED = 11
    BUG = 70
    INFRASTRUCTURE = 75
    INTERRUPTED = 130
    TERMINATED = 143


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Location:
    """A place in a text file; line and column count from 1, and 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """Print as compilers do, so that editors jump there."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One thing wrong in one file: where, what, the source line with its width, and what to do about it.

    `code` is a short name that stays when the words change, for who filters or counts; not every problem has one.
    """

    where: Location
    what: str
    source: str = ""
    width: int = 1
    hint: str = ""
    code: str = ""

    def __str__(self) -> str:
        """Render with the code, the line, a caret and the hint."""
        lines = [f"{self.where}: {self.what}" + (f" [{self.code}]" if self.code else "")]
        if self.source:
            number = f"{self.where.line:>5} | "
            lines += [number + self.source, " " * (len(number) + self.where.column - 1) + "^" * max(1, self.width)]
        if self.hint:
            lines.append(f"      hint: {self.hint}")
        return "\n".join(lines)


class HoldfastError(Exception):
    """Root of everything this program raises on purpose; `hint` says the next step."""

    exit_code = ExitCode.BUG

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(HoldfastError):
    """The command asked for something that does not exist or cannot be."""

    exit_code = ExitCode.USAGE


class SpecError(UsageError):
    """One or more files are wrong; all their problems at once."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = tuple(sorted(problems))
        count = len(self.problems)
        super().__init__(f"{count} problem{'s' if count != 1 else ''}")

    def __str__(self) -> str:
        """Every problem, then the count."""
        return "\n\n".join([*map(str, self.problems), self.args[0]])


class TargetError(UsageError):
    """A fault's target is absent, ambiguous, or not on the platform's allow-list."""


class NotHereError(HoldfastError):
    """What was asked for cannot be played with what is here: nothing is known, and nothing was touched."""

    exit_code = ExitCode.UNKNOWN


class InfrastructureError(HoldfastError):
    """The world is not ready (server down, disk full, tool missing); trying again may help."""

    exit_code = ExitCode.INFRASTRUCTURE


class PlatformError(InfrastructureError):
    """The platform did not come up, or is not there."""
