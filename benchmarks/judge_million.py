"""How long and with how much memory a run of a million requests is read, checked and judged, in a process of its own.

Example: .venv/bin/python benchmarks/judge_million.py --rounds 3
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))  # the builder of whole run folders is the tests' own

RATE = 100
PHASES = """\
  - {name: warmup, for: 100s, judged: false}
  - {name: baseline, for: 2000s}
  - {name: fault, for: 400s, chaos: engine-kill}
  - {name: recovery, for: 7500s}
"""

JUDGE = """
import re, sys, time
began = time.monotonic()
from pathlib import Path
from holdfast.judge import judge
from holdfast.store.reading import read_timeline
timeline = read_timeline(Path(sys.argv[1]))
read = time.monotonic()
report = judge(timeline)
ended = time.monotonic()
# not getrusage: its peak is that of the process that started this one, where that was larger
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
print(f"{len(timeline.load.requests)} requests: read {read - began:.2f} s, judged {ended - read:.2f} s, "
      f"together {ended - began:.2f} s, peak {peak:.0f} MiB, {report.state}")
"""


def write(folder: Path) -> Path:
    """A sealed run of a million requests: 10,000 s at 100 requests/s."""
    from examples import write_project, write_run  # noqa: PLC0415 - found by the path above
    from holdfast.project import load_scenario  # noqa: PLC0415
    from holdfast.testing import a_profile, a_timeline, an_alert, fault_steps  # noqa: PLC0415

    path = write_project(folder / "project")
    text = path.read_text(encoding="utf-8")
    kept = [line for line in text.splitlines(keepends=True) if not line.startswith("  - {name:")]
    path.write_text("".join(kept).replace("phases:\n", f"phases:\n{PHASES}"), encoding="utf-8")
    scenario = replace(load_scenario(path, folder / "project"), load=a_profile(rate=RATE))
    steps = {"asked": 2102.0, "applied": 2102.1, "observed": 2102.2, "undone": 2104.0, "gone": 2108.0}
    alerts = an_alert(fired=2106.0, cleared=2114.0)
    timeline = a_timeline(scenario=scenario, faults=fault_steps(steps), alerts=alerts, bad={"fault": 9})
    return write_run(folder / "run", timeline)


def main() -> None:
    """Write one run, then judge it as often as asked, each time in a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        run = write(Path(folder))
        for _ in range(rounds):
            subprocess.run([sys.executable, "-c", JUDGE, str(run)], check=True)


if __name__ == "__main__":
    main()
