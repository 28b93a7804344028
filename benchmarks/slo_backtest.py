"""How long and with how much memory thirty days of twenty SLOs are backtested, in a process of its own.

The series are made in memory, which is not counted; `--file` writes them as OpenMetrics and counts reading them, too.
Example: .venv/bin/python benchmarks/slo_backtest.py --file
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from holdfast.errors import Location
from holdfast.model.slo import DAY, AlertPolicy, Events, Slo
from holdfast.objectives.backtest import backtested
from holdfast.slo.evaluate.vectors import Track
from holdfast.sources.history import read_file

if TYPE_CHECKING:
    from collections.abc import Sequence

START = 1_767_225_600.0
STEP = 60.0
CODES = {"200": 60.0, "404": 2.0, "500": 0.02, "503": 0.02}


def an_slo(number: int) -> Slo:
    """The availability of one of several services, with both alerts."""
    series = f'requests_total{{job="service-{number}"'
    return Slo(
        service=f"service-{number}",
        name="availability",
        objective=0.999,
        indicator=Events(
            error_query=f'sum(rate({series}, code=~"5.."}}[{{{{.window}}}}]))',
            total_query=f"sum(rate({series}}}[{{{{.window}}}}]))",
        ),
        sli=None,
        alert=f"Service{number}",
        page=AlertPolicy(),
        ticket=AlertPolicy(),
        where=Location(file="slos/services.yaml", line=number + 1, column=1),
    )


def made(slos: int, days: float) -> list[Track]:
    """Four counters a service, scraped each minute; a scrape in a thousand is lost, and each service restarts once."""
    chance = np.random.default_rng(7)
    times = START + np.arange(round(days * DAY / STEP)) * STEP
    found = []
    for number in range(slos):
        kept = chance.random(len(times)) > 0.001  # noqa: PLR2004
        restart = int(chance.integers(len(times)))
        for code, rate in CODES.items():
            values = np.cumsum(chance.poisson(rate, len(times))).astype(np.float64)
            values[restart:] -= values[restart]
            labels = {"__name__": "requests_total", "job": f"service-{number}", "instance": "a:80", "code": code}
            found.append(Track(labels=labels, times=times[kept], values=values[kept]))
    return found


def write(tracks: Sequence[Track], path: Path) -> None:
    """The same as OpenMetrics."""
    with path.open("w", encoding="utf-8") as file:
        file.write("# TYPE requests counter\n")
        for one in tracks:
            inside = ",".join(f'{name}="{value}"' for name, value in one.labels.items() if name != "__name__")
            series = f"requests_total{{{inside}}}"
            pairs = zip(one.values.tolist(), one.times.tolist(), strict=True)
            file.writelines(f"{series} {value:.0f} {at:.3f}\n" for value, at in pairs)
        file.write("# EOF\n")


def main() -> None:
    """Print seconds and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slos", type=int, default=20)
    parser.add_argument("--days", type=float, default=30.0)
    parser.add_argument("--file", action="store_true", help="write OpenMetrics and read it")
    chosen = parser.parse_args()
    slos = [an_slo(number) for number in range(chosen.slos)]
    tracks = made(chosen.slos, chosen.days)
    read = 0.0
    if chosen.file:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "metrics.txt"
            write(tracks, path)
            size = path.stat().st_size / 2**20
            began, worked = time.perf_counter(), time.process_time()
            tracks = list(read_file(path))
            read, cpu = time.perf_counter() - began, time.process_time() - worked
        print(f"read {size:.0f} MiB in {read:.2f} s ({cpu:.2f} s CPU)")
    samples = sum(len(one.times) for one in tracks)
    at = START + np.arange(round(chosen.days * DAY / STEP)) * STEP
    began, worked = time.perf_counter(), time.process_time()
    found = backtested(slos, tracks, at, STEP)
    took, cpu = time.perf_counter() - began, time.process_time() - worked
    peak = int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text(encoding="utf-8"))[0]) / 1024
    alerts = sum(len(one.result.firings) for one in found.trials)
    print(f"{len(slos)} SLOs, {chosen.days:g} days, {samples:,} samples, {len(at):,} evaluations, {alerts} alerts")
    print(f"backtested in {took:.2f} s ({cpu:.2f} s CPU), with reading {took + read:.2f} s; peak {peak:.0f} MiB")
    if found.undecided:
        raise SystemExit(f"undecided: {found.undecided}")


if __name__ == "__main__":
    main()
