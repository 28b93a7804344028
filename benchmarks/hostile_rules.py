"""Plays hostile inputs to Sloth's rules and to ours, and writes docs/reference/hostile-rules.md.

Example: .venv/bin/python benchmarks/hostile_rules.py
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "hostile-rules.md"
sys.path.insert(0, str(ROOT / "tests" / "support"))  # the inputs are shared with the test that keeps the page true


def main() -> None:
    """Measure, print and write."""
    from hostile_page import measured, page  # noqa: PLC0415 - found by the path above

    text = page(measured())
    PAGE.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
