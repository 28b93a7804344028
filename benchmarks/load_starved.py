"""Whether a client that is held to a fifth of a core says so: each run with all of a core, then with a fifth of one.

The load needs more than a fifth. With all of a core it has to be valid (PASS, exit code 0); held to a fifth by the
kernel's quota, or stopped for 40 ms of every 50, over the whole run or its middle third alone, it has to be UNKNOWN:
what such a client measures is itself. Ends with 1 when a starved run passed or a free one never did.

Example: .venv/bin/python benchmarks/load_starved.py --runs 20
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))  # the starving is shared with the tests of the same law

import starved  # noqa: E402


def main() -> int:
    """Print one line a run, then how many of each way were told apart."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--runs", type=int, default=20, help="of each way")
    words.add_argument("--ways", default=",".join(starved.ways()), help="of these, with commas between them")
    asked = words.parse_args()
    told: Counter[tuple[str, str]] = Counter()
    sys.stdout.write(f"{'run':>3}  {'core':12}  {'verdict':8} {'CPU':>4}  what the record says\n")
    with starved.stage() as stage:
        for number in range(1, asked.runs + 1):
            for way in ("free", *asked.ways.split(",")):
                played = stage.free() if way == "free" else stage.play(way)
                told[way, played.verdict] += 1
                said = "; ".join(played.found["troubles"]) or "load valid"
                sys.stdout.write(f"{number:>3}  {way:12}  {played.verdict:8} {played.cpu:>4.0%}  {said}\n")
                sys.stdout.flush()
    for (way, verdict), count in sorted(told.items()):
        sys.stdout.write(f"{way}: {verdict} in {count} of {asked.runs}\n")
    right = all(told[way, "PASS" if way == "free" else "UNKNOWN"] == asked.runs for way, _ in told)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
