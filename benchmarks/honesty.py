"""How often each rule of judging is wrong, over thousands of simulated runs a cell; writes docs/reference/honesty.md.

Example: .venv/bin/python benchmarks/honesty.py
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "honesty.md"
sys.path.insert(0, str(ROOT / "tests" / "support"))  # the simulation is shared with the tests of the same laws


def main() -> None:
    """Measure every cell, print as it goes, and write the page unless only a look was asked for."""
    from honest_page import RUNS, SEED, goals, page  # noqa: PLC0415 - found by the path above
    from honest_rules import measure_all  # noqa: PLC0415

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=RUNS, help="a cell; the page is written only with the default")
    runs = parser.parse_args().runs
    began = time.monotonic()
    tallies = measure_all(
        runs=runs,
        seed=SEED,
        report=lambda cell: print(f"{time.monotonic() - began:6.1f} s  limit {cell.limit:g}  {cell.name}", flush=True),
    )
    print(*(goal.line for goal in goals(tallies)), sep="\n")
    if runs == RUNS:
        PAGE.write_text(page(tallies), encoding="utf-8")


if __name__ == "__main__":
    main()
