"""Another's program as a client of load_streams.py: run once on one CPU, reported as ours reports."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from holdfast.errors import ExitCode
from holdfast.load.selftest.stamps import spread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from holdfast.load.selftest.stamps import Errors

_OFFLINE: Final = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
"""Set, they make AIPerf refuse a tokenizer in a folder; the folder is all that is asked for, so nothing is fetched."""


@dataclass(slots=True)
class Program:
    """One run of it. Its CPU is that of all its processes over its whole life: to start costs most of it."""

    wall: float = 0.0
    began: float = field(default_factory=time.monotonic)

    def run(self, words: Sequence[str], settings: Mapping[str, str]) -> None:
        """Wait for it, which says what it has to say on our output. All its processes go with us; 1 where it failed."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(ExitCode.TERMINATED))
        environment = {name: value for name, value in os.environ.items() if name not in _OFFLINE}
        child = subprocess.Popen(list(words), env={**environment, **settings}, start_new_session=True)
        try:
            code = child.wait()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        self.wall = time.monotonic() - self.began
        if code:
            sys.exit(f"{words[0]} ended with {code}")

    def report(self, out: Path, errors: Errors, *, failed: int) -> None:
        """What load_streams.py reads. Nothing is known of how late its loops were."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = {
            "errors": asdict(errors),
            "lag": asdict(spread(np.zeros(0))),
            "cpu": (used.ru_utime + used.ru_stime) / self.wall,
            "failed": failed,
            "refused": 0,
        }
        out.write_text(json.dumps(found), encoding="utf-8")
