"""A program, not a module of ours: burns a core, or holds memory, until nobody has renewed it for its lease.

python -SE guest.py burn LEASE
python -SE guest.py hold LEASE BYTES
"""

from __future__ import annotations

import math
import signal
import sys
from pathlib import Path


def main(kind: str, lease: str, size: str = "0") -> None:
    """Until the alarm rings: its default action ends us, whatever we do."""
    seconds = max(1, math.ceil(float(lease)))
    signal.signal(signal.SIGUSR1, lambda *_: signal.alarm(seconds))
    signal.alarm(seconds)
    # When memory runs out it is for us to die, not for those that we are to disturb.
    Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    held = bytearray(b"\1") * int(size)
    while kind == "burn":
        pass
    while held:
        signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
