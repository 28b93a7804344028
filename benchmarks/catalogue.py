"""Plays every scenario of some gates on platforms side by side, and prints what each said and how long all took.

    .venv/bin/python benchmarks/catalogue.py --gates quick,catalogue --platforms 2 --set faketime=LIBRARY

Each platform is brought up for it and taken down. Exit code: pytest's own, so 0 only when everything was proved.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from holdfast.project import load_scenario, scenario_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT: Final = Path(__file__).parents[1]
HOLDFAST: Final = (sys.executable, "-m", "holdfast")


@contextlib.contextmanager
def platforms(folder: Path, count: int, settings: Sequence[str]) -> Iterator[list[Path]]:
    """State folders of so many platforms that are up."""
    states = [folder / f"platform-{number}" for number in range(1, count + 1)]
    try:
        for state in states:
            chosen = [word for setting in settings for word in ("--set", setting)]
            subprocess.run(
                [*HOLDFAST, "up", "--state", state, *chosen], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
            )
        yield states
    finally:
        for state in states:
            subprocess.run([*HOLDFAST, "down", "--state", state], cwd=ROOT, check=False, stdout=subprocess.DEVNULL)


def command(states: Sequence[Path], gates: Sequence[str], told: Path) -> list[str]:
    """A pytest session over all scenarios of those gates, a worker for each platform."""
    # By name: what -m leaves out would count as not run.
    words = [
        *(f"scenarios/{name}.yaml" for name in labelled(gates)),
        "--holdfast",
        "-n",
        str(len(states)),
        "--dist",
        "loadfile",
        "-q",
        "--tb=no",
    ]
    here = [f"--holdfast-state={state}" for state in states]
    return [sys.executable, "-m", "pytest", *words, *here, f"--junitxml={told}", f"--holdfast-runs={told.parent}/runs"]


def answers(told: Path) -> dict[str, tuple[float, list[str]]]:
    """For each scenario its seconds, and the expectations that were not proved."""
    seconds: dict[str, float] = defaultdict(float)
    open_ones: dict[str, list[str]] = defaultdict(list)
    for case in ET.parse(told).iter("testcase"):  # noqa: S314 - pytest has just written it
        scenario = str(case.get("classname")).removesuffix(".yaml").rpartition(".")[2]
        seconds[scenario] += float(case.get("time", 0))
        open_ones[scenario] += [str(case.get("name"))] if len(case) - len(case.findall("properties")) else []
    return {name: (seconds[name], open_ones[name]) for name in sorted(seconds)}


def labelled(gates: Sequence[str]) -> list[str]:
    """Names of the scenarios of those gates."""
    known = [load_scenario(path, ROOT) for path in scenario_files(ROOT)]
    return sorted(one.name for one in known if one.labels.get("gate") in gates)


def page(said: Mapping[str, tuple[float, list[str]]], total: str) -> str:
    """What each scenario said, as a table."""
    lines = [f"{total}; {os.cpu_count()} processors, {time.strftime('%-d %B %Y')}.", "", *_COLUMNS]
    for name, (seconds, unproved) in said.items():
        known = load_scenario(ROOT / "scenarios" / f"{name}.yaml", ROOT)
        words = [f"`{name}`", known.title, known.labels["gate"], f"{seconds:.0f}", ", ".join(unproved) or "proved"]
        lines.append(f"| {' | '.join(words)} |")
    return _HEAD + "\n".join(lines) + "\n"


_COLUMNS: Final = ("| scenario | what breaks | gate | seconds | said |", "|---|---|---|---|---|")
_HEAD: Final = """# What was seen to hold

Each scenario breaks one thing under load and says what the reference platform keeps. This is what one play of all said;
an expectation that was not proved stands by its name. The rows are those of `benchmarks/catalogue.py --page`.

"""


def main() -> int:
    """Up, play, down, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gates", default="quick,catalogue")
    parser.add_argument("--platforms", type=int, default=2)
    parser.add_argument("--page", type=Path, help="a Markdown page of what each said")
    parser.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE", help="of the platforms")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="holdfast-catalogue-") as folder:
        told = Path(folder) / "junit.xml"
        with platforms(Path(folder), given.platforms, given.set) as states:
            began = time.monotonic()
            code = subprocess.run(command(states, given.gates.split(","), told), cwd=ROOT, check=False).returncode
            took = time.monotonic() - began
        said = {name: (0.0, ["was not played"]) for name in labelled(given.gates.split(","))}
        said |= answers(told) if told.exists() else {}
    for name, (seconds, unproved) in said.items():
        print(f"{name:<32} {seconds:5.1f} s  {'; '.join(unproved) or 'proved'}")
    proved = sum(not unproved for _, unproved in said.values())
    total = (
        f"{proved} of {len(said)} scenarios proved in {took / 60:.1f} min on {given.platforms} platforms side by side"
    )
    print(total)
    if given.page:
        given.page.write_text(page(said, total), encoding="utf-8")
    return code


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
