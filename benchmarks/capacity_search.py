"""How near `holdfast capacity` comes to the truth, in how many probes: simulated servers, beside two plain searches.

Example: .venv/bin/python benchmarks/capacity_search.py --worlds 200

The truth of each server is the rate at which a long simulation has exactly the share of bad requests that its objective
allows. The two plain searches take a probe's share of bad requests as it is, without saying how sure it is: a linear
sweep of ten rates up to what the server completes when it is flooded, and a bisection of the rate in ten steps. Each of
their probes lasts 90 s, so that all three spend about the same time.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))  # the servers are shared with the tests of the same figures

from capacity_worlds import FAMILIES, Bench, World, truth, world  # noqa: E402 - found by the path above
from holdfast.capacity.answer import Answer  # noqa: E402
from holdfast.capacity.search import Ask, Plan, step  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WITHIN: Final = 0.05
PLAIN: Final = 90.0
STEPS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One search of one server: its estimate, None for none, over the truth; probes, simulated seconds."""

    family: str
    search: str
    off: float | None
    covered: bool | None
    probes: int
    seconds: float
    boundary: str = ""

    @property
    def near(self) -> bool:
        """Whether the estimate is within 5 % of the truth."""
        return self.off is not None and abs(self.off) <= WITHIN


def searched(one: World, seed: int) -> tuple[Answer, Bench]:
    """Our search of one server, from cold."""
    plan, bench = Plan(low=one.low, high=one.high), Bench(world=one, seed=seed)
    while True:
        known = step(plan, bench.probes, bench.now)
        if isinstance(known, Answer):
            return known, bench
        bench.probe(known, plan.alpha_each)


def _share(bench: Bench, rate: float) -> float:
    """The share of bad requests of a plain probe."""
    ask = Ask(rate=rate, least=PLAIN, seconds=PLAIN, why="")
    (judged,) = bench.probe(ask, 0.05).judged
    return judged.share if judged.n else 1.0


def swept(one: World, bench: Bench) -> float | None:
    """Flood, then ten rates from the lowest to what was completed; the highest that kept its objective."""
    top = bench.probe(Ask(rate=one.high, least=PLAIN / 3, seconds=PLAIN / 3, why=""), 0.05).achieved
    rates = [one.low + (top - one.low) * place / (STEPS - 1) for place in range(STEPS)]
    return max((rate for rate in rates if rate > 0 and _share(bench, rate) <= one.objective.limit), default=None)


def bisected(one: World, bench: Bench) -> float | None:
    """Halve the range of rates ten times."""
    low, high = one.low, one.high
    for _ in range(STEPS):
        rate = (low + high) / 2
        low, high = (rate, high) if _share(bench, rate) <= one.objective.limit else (low, rate)
    return low


PLAINS: Final[dict[str, Callable[[World, Bench], float | None]]] = {"linear sweep": swept, "bisection": bisected}


def tries(seed: int) -> list[Try]:
    """Every search of the server of this number."""
    one = world(seed)
    family, true = one.name.rpartition(" ")[0], truth(one)
    answer, bench = searched(one, seed)
    found = answer.estimate
    ours = Try(
        family=family,
        search="holdfast",
        off=found.rate / true - 1 if found else None,
        covered=found.low <= true <= found.high if found else None,
        probes=len(bench.probes),
        seconds=bench.now,
        boundary=answer.boundary,
    )
    others = []
    for name, search in PLAINS.items():
        bench = Bench(world=one, seed=seed)
        rate = search(one, bench)
        off = rate / true - 1 if rate else None
        others.append(
            Try(family=family, search=name, off=off, covered=None, probes=len(bench.probes), seconds=bench.now)
        )
    return [ours, *others]


def line(name: str, those: Sequence[Try]) -> str:
    """One line of the table."""
    offs = [abs(one.off) for one in those if one.off is not None]
    near = sum(one.near for one in those) / len(those)
    typical = statistics.median(offs) if offs else float("nan")
    return (
        f"{name:28} {len(those):4}  within 5 % {near:6.1%}  median off {typical:6.1%}  "
        f"probes {statistics.mean(one.probes for one in those):4.1f}  "
        f"minutes {statistics.mean(one.seconds for one in those) / 60:4.1f}"
    )


def main() -> None:
    """Search every world by every search and print how near each came."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=200, help="how many servers (default 200)")
    parser.add_argument("--first", type=int, default=0, help="number of the first (default 0)")
    parser.add_argument("--processes", type=int, default=2, help="processes to use (default 2)")
    options = parser.parse_args()
    with ProcessPoolExecutor(options.processes) as pool:
        numbers = range(options.first, options.first + options.worlds)
        found = [one for those in pool.map(tries, numbers) for one in those]
    for search in ("holdfast", *PLAINS):
        print(line(search, [one for one in found if one.search == search]))
    ours = [one for one in found if one.search == "holdfast"]
    print("\nholdfast, by family")
    for family in FAMILIES:
        mine = [one for one in ours if one.family == family]
        if mine:
            print(line(f"  {family}", mine))
    covered = [one.covered for one in ours if one.covered is not None]
    if covered:
        print(f"\nthe interval holds the truth in {sum(covered) / len(covered):.0%}")
    kinds = {kind: sum(one.boundary == kind for one in ours) for kind in sorted({one.boundary for one in ours})}
    print("boundaries: " + ", ".join(f"{kind} {count}" for kind, count in kinds.items()))
    print(f"most probes {max(one.probes for one in ours)}, most minutes {max(one.seconds for one in ours) / 60:.1f}")


if __name__ == "__main__":
    main()
