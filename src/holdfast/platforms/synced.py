"""How long a write takes that waits for the disk, as a function and as a program; what is written never has a name.

python -SI synced.py FOLDER SIZE
"""

from __future__ import annotations

import os
import select
import sys
import time


def seconds(folder: str, size: int) -> float:
    """Write so many bytes and wait for the disk to have them (open(2), O_DSYNC). Raises OSError."""
    handle = os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_DSYNC, 0o600)
    try:
        started, left = time.monotonic(), bytes(size)
        while left:
            left = left[os.write(handle, left) :]
        return time.monotonic() - started
    finally:
        os.close(handle)


def heard(pipe: int, *, begun: float, done: float) -> float:
    """What the program says that prints into this pipe; `done` when it began and needs longer than that.

    Raises OSError when it does not begin in `begun` seconds, or ended without an answer: then nothing is known.
    """
    if not (text := _read(pipe, "", 1, begun)):
        raise TimeoutError(f"a program beside the replica did not begin to write in {begun:g} s")
    said = _read(pipe, text, 2, done).split()
    if said[1:] == ["failed"]:
        raise OSError("a write beside the replica failed")
    return float(said[1]) if said[1:] else done


def _read(pipe: int, text: str, lines: int, within: float) -> str:
    """So many lines, or what came of them in time; the end counts as a line that says it failed."""
    deadline = time.monotonic() + within
    while text.count("\n") < lines and select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
        text += os.read(pipe, 4096).decode("ascii") or "failed\n"
    return text


if __name__ == "__main__":
    print("begun", flush=True)
    print(seconds(sys.argv[1], int(sys.argv[2])))
