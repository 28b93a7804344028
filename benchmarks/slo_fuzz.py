"""Whether our readers of SLO files are as strict as the tools behind them: nearly good files, by the thousand.

Each is read. Nothing may end in a traceback; what is accepted must be accepted by `sloth validate` too, and the rules
made from it by `promtool check rules`. Example:

    .venv/bin/python benchmarks/slo_fuzz.py --seconds 180 --sloth /path/to/sloth
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
import traceback
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from holdfast.errors import SpecError
from holdfast.platforms.tools import cache_folder, locate
from holdfast.slo.files.read import named_in, read_slos
from holdfast.slo.rules import rule_file

if TYPE_CHECKING:
    from holdfast.model.slo import Slo

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))  # the mutants are shared with the property tests
BATCH = 400
RULES = 60
TODAY = datetime(2026, 11, 20, tzinfo=UTC)
COLOURS = re.compile(r"\x1b\[\d+m")
KNOWN = ("unknown function with name", "unexpected string", "template: ")
"""What an old promtool says of functions and quoted names that it does not know yet, and of what only Go can read."""
REFUSED = re.compile(r"ERRO\[\d+\] (?P<why>.*?)\s+file=(?P<file>\S+)")


def answered(text: str, counts: Counter[str]) -> list[Slo]:
    """The SLOs of a file without problems, and one more in the count of what came of it."""
    try:
        slos, problems = read_slos(text, "f")
        named_in(text, "f")
    except SpecError:
        counts["not YAML"] += 1
        return []
    except Exception:  # noqa: BLE001 - this is what is looked for
        counts["TRACEBACK"] += 1
        print(text, traceback.format_exc(), sep="\n")
        return []
    for problem in problems:
        str(problem)
    counts["refused" if problems else "accepted"] += 1
    return [] if problems else slos


def refused_by_sloth(sloth: str, texts: dict[str, str]) -> dict[str, str]:
    """What Sloth says of each file that it refuses. Plugins that it was not given are no fault of a file."""
    with TemporaryDirectory() as folder:
        for name, text in texts.items():
            (Path(folder) / name).write_text(text, encoding="utf-8", newline="")
        command = [sloth, "validate", "--ignore-slo-duplicates", "-i", folder]
        said = COLOURS.sub("", subprocess.run(command, capture_output=True, text=True, check=False).stderr)
    found = {Path(one["file"]).name: one["why"] for one in REFUSED.finditer(said)}
    return {name: why for name, why in found.items() if "plugin" not in why}


def refused_by_promtool(promtool: str, slos: list[Slo]) -> str:
    """What promtool says of the rules of some SLOs; empty when it takes them."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rules.yaml"
        path.write_text(rule_file(slos, TODAY), encoding="utf-8")
        done = subprocess.run([promtool, "check", "rules", str(path)], capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


def batch(rng: Random, tools: tuple[str, str] | None, counts: Counter[str]) -> None:
    """Some hundred files through our reader, and what it takes through the other two."""
    from slo_mutants import GOOD, SEEN_BY_SLOTH, mutant  # noqa: PLC0415 - found by the path above

    known: dict[str, str] = {}
    made: list[tuple[Slo, str]] = []
    for number in range(BATCH):
        kinds = GOOD if number % 8 == 0 else SEEN_BY_SLOTH
        text = mutant(rng, kinds)
        slos = answered(text, counts)
        made += [(slo, text) for slo in slos]
        if slos and kinds is SEEN_BY_SLOTH:
            known[f"{number}.yaml"] = text
    if tools:
        compare(rng, tools, known, made, counts)


def compare(
    rng: Random, tools: tuple[str, str], known: dict[str, str], made: list[tuple[Slo, str]], counts: Counter[str]
) -> None:
    """What Sloth and promtool say of files and SLOs that our reader took."""
    sloth, promtool = tools
    for name, why in refused_by_sloth(sloth, known).items():
        counts["SLOTH REFUSES"] += 1
        print(f"--- sloth: {why}\n{known[name]}")
    counts["seen by sloth"] += len(known)
    chosen = rng.sample(made, min(RULES, len(made)))
    counts["seen by promtool"] += len(chosen)
    unique = {slo.rule_id: (slo, text) for slo, text in chosen}
    if refused_by_promtool(promtool, [slo for slo, _ in unique.values()]):
        for slo, text in unique.values():
            why = refused_by_promtool(promtool, [slo])
            if any(words in why for words in KNOWN):
                counts["refused by promtool as is known"] += 1
            elif why:
                counts["PROMTOOL REFUSES"] += 1
                print(f"--- promtool: {why.strip()}\n{slo.id}\n{text}")


def main() -> int:
    """Batches until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sloth", default=os.environ.get("HOLDFAST_SLOTH") or shutil.which("sloth"))
    parser.add_argument("--alone", action="store_true", help="only read, without the tools: hundreds of files a second")
    options = parser.parse_args()
    if not (options.sloth or options.alone):
        parser.error("needs Sloth: --sloth, HOLDFAST_SLOTH or PATH")
    found = locate(["promtool"], path=os.environ.get("PATH", ""), cache=cache_folder(os.environ))
    counts: Counter[str] = Counter()
    rng, end = Random(options.seed), time.monotonic() + options.seconds
    while time.monotonic() < end:
        batch(rng, None if options.alone else (options.sloth, str(found["promtool"].path)), counts)
    for what, count in sorted(counts.items()):
        print(f"{count:8} {what}")
    return int(any(what.isupper() for what in counts))


if __name__ == "__main__":
    sys.exit(main())
