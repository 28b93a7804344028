"""Puts one wrong thing after the other into the rules of SLOs, and counts how many their own tests notice.

A seeded sample of each kind is tried; --all tries every one, which takes hours. For one that says the same in other
words there is a proof in benchmarks/rule_mutation.toml, and the share is told with and without those. Exit code 1 when
less than 95 % of the others are noticed, or when one that is not has no proof.

Example: .venv/bin/python benchmarks/rule_mutation.py --each 3
"""

from __future__ import annotations

import argparse
import os
import random
import re
import sys
import tempfile
import time
import tomllib
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from rule_mutants import Mutant, mutants

from holdfast.model.slo import DAY, AlertPolicy, Calendar, Events, Exclusion, Rolling, Slo, Timeslices
from holdfast.slo.files.read import read_slos
from holdfast.slo.promtests.files import TESTS, asked_of, rules_of
from holdfast.slo.rules import groups_of
from holdfast.sources.promtool import Promtool, find
from holdfast.testing import an_slo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT: Final = Path(__file__).parents[1]
REASONS: Final = Path(__file__).with_name("rule_mutation.toml")
LEAST: Final = 0.95
TODAY: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
SEED: Final = 20


def main() -> None:
    """Measure, print what survived, and a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=3, help="mutants of each kind and SLO (default: %(default)s)")
    parser.add_argument("--all", action="store_true", help="every mutant")
    parser.add_argument("--only", default="", metavar="TEXT", help="SLOs whose name contains this")
    parser.add_argument("--within", type=float, default=600, metavar="SECONDS", help="begin no SLO after so long")
    chosen = parser.parse_args()
    began, results = time.monotonic(), []
    for slo in (one for one in subjects() if chosen.only in one.rule_id):
        if time.monotonic() - began > chosen.within:
            print(f"not measured: {slo.id}")
            continue
        for result in _measured(slo, 10**9 if chosen.all else chosen.each):
            results.append(result)
            if not result.killed:
                print(f"survived: {slo.id}: {result.mutant.kind}: {result.mutant.text}", flush=True)
        print(f"{time.monotonic() - began:6.0f} s  {slo.id}", flush=True)
    sys.exit(_told(results))


def subjects() -> list[Slo]:
    """The project's SLOs, and what they do not show: slices, a calendar, exclusions, tiers that were adapted."""
    files = sorted((ROOT / "slos").glob("*.yaml"))
    own = [slo for file in files for slo in read_slos(file.read_text(encoding="utf-8"), file.name)[0]]
    both = {"alert": "Bad", "page": AlertPolicy(), "ticket": AlertPolicy(), "labels": {"owner": "us"}}
    events = Events(
        error_query='sum(rate(requests_total{code=~"5..|429"}[{{.window}}]))',
        total_query="sum(rate(requests_total[{{.window}}]))",
    )
    month = Calendar(unit="month", start=datetime(2026, 1, 1), zone="Europe/Berlin")  # noqa: DTZ001 - a local time
    night = Exclusion(reason="backup", start=datetime(2026, 11, 23, 2), length=7200.0, repeat="FREQ=WEEKLY")  # noqa: DTZ001
    common = {**both, "service": "zoo", "indicator": events}
    return [
        *own,
        an_slo(**common, name="slices", objective=0.95, budgeting=Timeslices(length=300, target=0.95)),
        an_slo(**common, name="month", objective=0.995, window=month, exclusions=(night,)),
        an_slo(**common, name="adapted", objective=0.9, window=Rolling(length=28 * DAY), adapt=True),
    ]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one mutant."""

    slo: str
    mutant: Mutant
    killed: bool


def _measured(slo: Slo, each: int) -> Iterator[Result]:
    groups = groups_of(slo, TODAY)
    kinds = defaultdict(list)
    for mutant in mutants(groups):
        kinds[mutant.kind].append(mutant)
    chance = random.Random(f"{SEED} {slo.id}")
    sample = [one for kind in sorted(kinds) for one in chance.sample(kinds[kind], min(each, len(kinds[kind])))]
    tests, promtool = asked_of(slo, _written(groups), TODAY), find(os.environ)
    with tempfile.TemporaryDirectory(prefix="holdfast-rule-mutation-") as folder, ThreadPoolExecutor(2) as pool:

        def killed(number: int, groups: list[dict[str, Any]]) -> bool:
            return _killed(Path(folder) / str(number), {**rules_of(slo, _written(groups), TODAY), **tests}, promtool)

        if killed(-1, groups):
            print(f"not measured, its tests fail as it is: {slo.id}", flush=True)
            return
        for mutant, dead in zip(
            sample, pool.map(killed, range(len(sample)), (one.groups for one in sample)), strict=True
        ):
            yield Result(slo.id, mutant, dead)


def _written(groups: list[dict[str, Any]]) -> str:
    return yaml.dump({"groups": groups}, Dumper=yaml.CSafeDumper, sort_keys=False, width=10**6)


def _killed(folder: Path, files: dict[str, str], promtool: Promtool) -> bool:
    """Whether a test notices: the quickest files first, and none after one that did."""
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return any(not promtool.test(folder / name).good for name in _quickest(files))


def _quickest(files: dict[str, str]) -> Sequence[str]:
    order = ("4d", "10d", "5m", "30m", "1h", "2h", "15m", "1m", "12s", "6h")
    tests = [name for name in files if name.endswith(TESTS)]
    return sorted(tests, key=lambda name: next((i for i, one in enumerate(order) if f".{one}." in name), 99))


def _told(results: Sequence[Result]) -> int:
    reasons = tomllib.loads(REASONS.read_text(encoding="utf-8"))["reason"] if REASONS.exists() else []
    totals, killed, unexplained = Counter(), Counter(), 0
    excused = Counter()
    for one in results:
        totals[one.mutant.kind] += 1
        killed[one.mutant.kind] += one.killed
        if not one.killed:
            why = next((reason["why"] for reason in reasons if re.search(reason["change"], one.mutant.text)), "")
            excused[one.mutant.kind] += bool(why)
            unexplained += not why
            if not why:
                print(f"survived without a reason: {one.slo}: {one.mutant.kind}: {one.mutant.text}")
    print("\n| kind | mutants | killed | same in effect | survived |\n|---|---|---|---|---|")
    for kind in [*sorted(totals), "all"]:
        t, k, e = (sum(c.values()) if kind == "all" else c[kind] for c in (totals, killed, excused))
        print(f"| {kind} | {t} | {k} | {e} | {t - k - e} |")
    real = sum(totals.values()) - sum(excused.values())
    share = sum(killed.values()) / real if real else 0.0
    every = sum(killed.values()) / len(results) if results else 0.0
    print(f"\n{share:.1%} of {real} mutants that change what rules do were noticed; {every:.1%} of all {len(results)}")
    return 0 if share >= LEAST and not unexplained else 1


if __name__ == "__main__":
    main()
