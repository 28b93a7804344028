"""How long 1,000 SLOs take to become rules, beside the real sloth, process and all: in one file, and in 1,000 files.

Both are measured as they are once installed: Python's byte code is kept from a first round that does not count. In
brackets stands the time of the processors, which other work on the machine changes less than that on the clock.

Example: .venv/bin/python benchmarks/slo_generate.py --rounds 5 --sloth ~/bin/sloth
"""

from __future__ import annotations

import argparse
import filecmp
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GOAL = 0.5
ENTRY = "from holdfast.cli import main; main()"
HEAD = 'version: "prometheus/v1"\nservice: "shop{service}"\nlabels:\n  owner: platform\n  repo: org/shop\nslos:\n'
SLO = """\
  - name: "availability-{number}"
    objective: 99.9
    description: "Requests that were answered."
    labels:
      category: availability
    sli:
      events:
        error_query: sum(rate(http_requests_total{{job="shop{number}",code=~"(5..|429)"}}[{{{{.window}}}}]))
        total_query: sum(rate(http_requests_total{{job="shop{number}"}}[{{{{.window}}}}]))
    alerting:
      name: ShopErrors{number}
      labels:
        category: "availability"
      annotations:
        summary: "Many errors on requests to 'shop'"
      page_alert:
        labels:
          severity: pageteam
          routing_key: platform
      ticket_alert:
        labels:
          severity: "slack"
          slack_channel: "#alerts-platform"
"""


def main() -> None:
    """Run both several times, taking turns, and print the ratio of the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slos", type=int, default=1000)
    parser.add_argument("--sloth", default=os.environ.get("HOLDFAST_SLOTH") or shutil.which("sloth"))
    chosen = parser.parse_args()
    if not chosen.sloth:
        parser.error("no sloth on PATH; name it with --sloth or HOLDFAST_SLOTH")
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        for name, source in (("one file", _one(top, chosen.slos)), ("many files", _many(top, chosen.slos))):
            _compare(name, source, chosen.sloth, chosen.rounds)


def _one(top: Path, count: int) -> Path:
    path = top / "one.yaml"
    path.write_text(HEAD.format(service="") + "".join(SLO.format(number=number) for number in range(count)))
    return path


def _many(top: Path, count: int) -> Path:
    folder = top / "many"
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:04}.yaml").write_text(HEAD.format(service=number) + SLO.format(number=number))
    return folder


def _compare(name: str, source: Path, sloth: str, rounds: int) -> None:
    options = ["--compat", "sloth", "--sloth-version", _version(sloth)]
    commands = {
        "holdfast": [sys.executable, "-c", ENTRY, "slo", "generate", str(source), *options, "-o"],
        "sloth": [sloth, "generate", "--no-log", "-i", str(source), "-o"],
    }
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(source.parent / "bytecode")
    taken: dict[str, list[tuple[float, float]]] = {command: [] for command in commands}
    for number in range(1 + rounds):
        outputs = {command: _output(source, f"{command}-{number}") for command in commands}
        for command, words in commands.items():
            taken[command].append(_timed([*words, str(outputs[command])], environment))
        _same(source, *outputs.values())
    middle = {command: statistics.median(clock for clock, _ in times[1:]) for command, times in taken.items()}
    for command, times in taken.items():
        shown = " ".join(f"{clock:.2f} ({busy:.2f})" for clock, busy in times[1:])
        print(f"{name:11} {command:9} {middle[command]:6.2f} s   of {shown}")
    ratio = middle["holdfast"] / middle["sloth"]
    print(f"{name:11} ratio     {ratio:6.2f}     goal {GOAL}: {'kept' if ratio <= GOAL else 'missed'}", flush=True)


def _timed(words: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds on the clock, and of all processors together."""
    began, before = time.perf_counter(), os.times()
    subprocess.run(words, check=True, capture_output=True, env=environment)
    clock, after = time.perf_counter() - began, os.times()
    busy = after.children_user + after.children_system - before.children_user - before.children_system
    return clock, busy


def _version(sloth: str) -> str:
    done = subprocess.run([sloth, "version"], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _output(source: Path, name: str) -> Path:
    """A place of its own for every round: where much was just deleted, some file systems are slow to create.

    Sloth wants its folder to be there.
    """
    output = source.with_name(f"{name}-{source.name}")
    if source.is_dir():
        output.mkdir()
    return output


def _same(source: Path, ours: Path, theirs: Path) -> None:
    pairs = [(ours / one.name, theirs / one.name) for one in source.iterdir()] if source.is_dir() else [(ours, theirs)]
    for one, other in pairs:
        if not filecmp.cmp(one, other, shallow=False):
            sys.exit(f"{one} and {other} differ")


if __name__ == "__main__":
    main()
