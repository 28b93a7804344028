"""One question of many files, asked by as many processes as there are processors to answer it."""

from __future__ import annotations

import os
import pickle
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_WORTH: Final = 100
"""How many files a process must have for itself, or else beginning it takes longer than it saves."""


def each(
    ask: Callable[[Item], Answer], items: Sequence[Item], *, processors: int = os.cpu_count() or 1, worth: int = _WORTH
) -> list[Answer]:
    """The answers in the order of the items; `ask` must change nothing. Raises what `ask` raises.

    A share whose process does not answer, for whatever reason, is asked again here: the first error is always the one
    that a single process would have met.
    """
    count = max(1, min(processors, len(items) // worth))
    shares = [items[index * len(items) // count : (index + 1) * len(items) // count] for index in range(count)]
    with ExitStack() as others:
        begun = [(share, others.enter_context(_elsewhere(ask, share))) for share in shares[1:]]
        answers = [ask(item) for item in shares[0]]
        for share, answered in begun:
            answers += answered() or [ask(item) for item in share]
    return answers


@contextmanager
def _elsewhere(ask: Callable[[Item], Answer], share: Sequence[Item]) -> Iterator[Callable[[], list[Answer]]]:
    """Begin to ask in a copy of this process; what is given waits for the answers, and is empty where none come."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            with os.fdopen(write, "wb") as pipe:
                pickle.dump([ask(item) for item in share], pipe)
        finally:
            os._exit(0)  # the copy must never go on with what the caller was doing
    os.close(write)
    try:
        with os.fdopen(read, "rb") as pipe:
            yield lambda: _loaded(pipe)
    finally:
        os.waitpid(child, 0)


def _loaded(pipe: BinaryIO) -> list[Any]:
    try:
        return list(pickle.load(pipe))  # noqa: S301 - our own copy wrote it
    except (EOFError, pickle.UnpicklingError):
        return []
