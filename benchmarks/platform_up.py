"""How long the embedded platform takes to come up and to go down, over several rounds.

Example: .venv/bin/python benchmarks/platform_up.py --rounds 5
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from holdfast.objectives.generate import rule_files
from holdfast.platforms import lifecycle

ROOT = Path(__file__).parents[1]


def one_round(state: Path) -> tuple[float, float]:
    """Seconds up and seconds down."""
    began = time.monotonic()
    lifecycle.up(state, rules=rule_files(ROOT), home=ROOT / lifecycle.HOME)
    ready = time.monotonic()
    lifecycle.down(state)
    return ready - began, time.monotonic() - ready


def main() -> None:
    """Print every round and the medians, with the machine's size and load."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        times = [one_round(Path(folder) / f"state-{number}") for number in range(rounds)]
    for up, down in times:
        print(f"up {up:6.2f} s   down {down:5.2f} s")
    ups, downs = zip(*times, strict=True)
    print(
        f"median: up {statistics.median(ups):.2f} s, down {statistics.median(downs):.2f} s; worst up {max(ups):.2f} s"
    )


if __name__ == "__main__":
    main()
