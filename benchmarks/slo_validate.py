"""How long 1,000 SLOs take to read and validate in one process: in one file, and in 1,000 files of one each.

Example: .venv/bin/python benchmarks/slo_validate.py --profile
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from holdfast.slo.files.read import read_slos

GOAL = 2.0
HEAD = "version: prometheus/v1\nservice: svc{file}\nlabels: {{owner: team}}\nslos:\n"
SLO = """\
  - name: slo{n}
    description: Requests of kind {n} are answered.
    objective: 99.9
    labels: {{category: availability, kind: k{n}}}
    sli:
      events:
        error_query: sum(rate(http_request_duration_seconds_count{{job="svc{n}",code=~"(5..|429)"}}[{{{{.window}}}}]))
        total_query: sum(rate(http_request_duration_seconds_count{{job="svc{n}"}}[{{{{.window}}}}]))
    alerting:
      name: Errors{n}
      annotations: {{runbook: "https://runbooks/{n}"}}
      page_alert: {{labels: {{severity: page}}}}
      ticket_alert: {{labels: {{severity: ticket}}}}
"""


def whole(count: int) -> dict[str, str]:
    """All SLOs in one file."""
    return {"all.yaml": HEAD.format(file="") + "".join(SLO.format(n=n) for n in range(count))}


def single(count: int) -> dict[str, str]:
    """Each SLO in its own file."""
    return {f"{n}.yaml": HEAD.format(file=n) + SLO.format(n=n) for n in range(count)}


def read(folder: Path) -> int:
    """Read every file of a folder, as `load_slos` does; the number of SLOs, which must all be good."""
    count = 0
    for path in sorted(folder.glob("*.yaml")):
        slos, problems = read_slos(path.read_text(encoding="utf-8"), path.name)
        if problems:
            raise SystemExit("\n".join(map(str, problems[:3])))
        count += len(slos)
    return count


def main() -> None:
    """Measure both layouts, and say whether the goal is met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--profile", action="store_true", help="where the time goes, for one file")
    options = parser.parse_args()
    for name, files in (("one file", whole(options.count)), ("a file each", single(options.count))):
        with TemporaryDirectory() as folder:
            for file, text in files.items():
                (Path(folder) / file).write_text(text, encoding="utf-8")
            began, cpu = time.perf_counter(), time.process_time()
            count = read(Path(folder))
            wall, cpu = time.perf_counter() - began, time.process_time() - cpu
            verdict = "ok" if cpu < GOAL else f"more than {GOAL:g} s"
            print(f"{count} SLOs in {name}: {wall:.2f} s, {cpu:.2f} s of CPU: {verdict}")
            if options.profile and name == "one file":
                with cProfile.Profile() as profile:
                    read(Path(folder))
                pstats.Stats(profile).sort_stats("tottime").print_stats(18)


if __name__ == "__main__":
    main()
