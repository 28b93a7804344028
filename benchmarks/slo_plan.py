"""How far `holdfast slo plan` is from a simulation of the native rules: waits, and false alerts of healthy services.

Example: .venv/bin/python benchmarks/slo_plan.py --runs 2000 --alerts 1000
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))  # the simulation is shared with the tests of the same figures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.slo.feasible.detect import Watch

HOUR: Final = 3600.0
MONTH: Final = 30 * 86400.0
RATES: Final = (12, 60, 300, 3600, 36000)
OBJECTIVES: Final = (0.99, 0.999)
WITHIN: Final = 0.10
MOST_DAYS: Final = 12_000
MOST_STEPS: Final = 6_000_000
SOME: Final = 0.01
"""False alerts in 30 days below which nobody needs to know how few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure as planned and as simulated; `error` is one standard error of the simulation, as a share."""

    name: str
    planned: float
    simulated: float
    error: float

    @property
    def off(self) -> float:
        """How far the plan is off, as a share."""
        return self.planned / self.simulated - 1 if self.simulated else 0.0

    @property
    def within(self) -> bool:
        """Whether that is within 10 %, and three standard errors of a simulation that cannot tell more."""
        return abs(self.off) <= WITHIN + 3 * self.error

    def __str__(self) -> str:
        """One line of the table."""
        mark = "" if self.within else "  <- off"
        return f"{self.name:52} {self.planned:10.4g} {self.simulated:10.4g} {self.off:+7.1%} ±{self.error:5.1%}{mark}"


def watches(objective: float, severity: str, least_bad: int = 2) -> tuple[Watch, ...]:
    """The tiers of a month's alert."""
    from holdfast.slo.feasible.detect import Watch  # noqa: PLC0415 - found by the path above
    from holdfast.slo.tiers import GOOGLE  # noqa: PLC0415

    return tuple(
        Watch(
            short=one.short,
            long=one.long,
            threshold=one.factor(MONTH) * round(1 - objective, 12),
            least_bad=least_bad,
        )
        for one in GOOGLE
        if one.severity == severity
    )


def waits_of(objective: float, rate: float, *, runs: int, seed: int) -> Iterator[Row]:
    """Mean and 95 % quantile of the wait in minutes, for each tier and burn that it can notice."""
    from burning import waits  # noqa: PLC0415
    from holdfast.slo.feasible.detect import wait  # noqa: PLC0415

    for severity in ("page", "ticket"):
        for one in watches(objective, severity):
            for errors in (1.0, 0.5, 0.1):
                planned = wait(one, rate / HOUR, errors)
                if planned is None:
                    continue
                windows = max(1.0, 8 * planned.late / one.long)
                fewer = max(50, min(runs, int(MOST_STEPS * one.every / (one.long * (1 + windows)))))
                seen = waits(one, rate / HOUR, errors, runs=fewer, seed=seed, windows=windows)
                seen = seen[np.isfinite(seen)] / 60
                name = f"{objective:.1%} {rate:>6}/h {severity} {one.long / HOUR:g}h, {errors:.0%} bad"
                error = float(seen.std() / seen.mean() / np.sqrt(len(seen)))
                yield Row(name=f"{name}: mean", planned=planned.mean / 60, simulated=float(seen.mean()), error=error)
                late = float(np.quantile(seen, 0.95))
                yield Row(name=f"{name}: 95 %", planned=planned.late / 60, simulated=late, error=2 * error)


def false_of(objective: float, rate: float, severity: str, *, least_bad: int, alerts: int, seed: int) -> Row:
    """False alerts in 30 days at half the budget; the simulation goes on until it has seen so many."""
    from burning import pages  # noqa: PLC0415
    from holdfast.slo.feasible.false_alerts import false_alerts  # noqa: PLC0415

    tiers, errors = watches(objective, severity, least_bad), (1 - objective) / 2
    planned = false_alerts(tiers, rate / HOUR, errors) * MONTH
    name = f"{objective:.1%} {rate:>6}/h {severity}, least-bad {least_bad}"
    if planned < SOME:
        return Row(name=name, planned=planned, simulated=planned, error=0.0)
    days = min(MOST_DAYS, 30 * alerts / planned)
    parts = [
        count / length * 30
        for count, length in (
            pages(tiers, rate / HOUR, errors, days=days / 20, runs=1, seed=seed + part) for part in range(20)
        )
    ]
    mean = float(np.mean(parts))
    return Row(name=name, planned=planned, simulated=mean, error=float(np.std(parts) / mean / np.sqrt(20)))


def main() -> None:
    """Print every figure beside its simulation, then how many are within 10 %, then the goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=500, help="simulated burns a figure")
    parser.add_argument("--alerts", type=int, default=300, help="false alerts to wait for")
    parser.add_argument("--seed", type=int, default=20)
    chosen = parser.parse_args()
    began, rows = time.monotonic(), []
    print(f"{'figure (waits in minutes; false alerts in 30 days)':52} {'planned':>10} {'simulated':>10}    off")
    for objective in OBJECTIVES:
        for rate in RATES:
            found = list(waits_of(objective, rate, runs=chosen.runs, seed=chosen.seed))
            for severity, least_bad in (("page", 2), ("page", 3), ("ticket", 2)):
                arguments = {"least_bad": least_bad, "alerts": chosen.alerts, "seed": chosen.seed}
                found.append(false_of(objective, rate, severity, **arguments))
            print(*found, sep="\n", flush=True)
            rows += found
    close, good = sum(abs(one.off) <= WITHIN for one in rows), sum(one.within for one in rows)
    print(f"{close} of {len(rows)} figures within 10 %, {good} within 10 % and three standard errors of the simulation")
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
