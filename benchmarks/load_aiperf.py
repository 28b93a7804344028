"""AIPerf as one of the clients of load_streams.py: its own stamps, from its raw export, beside the server's.

All its processes stay on the client's CPU: unfair to a design of many processes, but it is the cost per core. Its
streams begin evenly over an answer's length, as all the others' do. AIPerf is named by HOLDFAST_AIPERF, and a folder
with a tokenizer by HOLDFAST_TOKENIZER, so that nothing is fetched.

It stamps every event, so that all three errors are of what every other client's are. Written for AIPerf 0.13.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from load_foreign import Program

from holdfast.load.selftest.client import SETTLE, _parser
from holdfast.load.selftest.server import Pace, pin
from holdfast.load.selftest.stamps import Sighting, errors_of, streams_of

if TYPE_CHECKING:
    import argparse

_NANO = 1e9
_OK = 200


def main() -> None:
    """Run AIPerf once, write what its stamps say."""
    options = _parser().parse_args()
    pin(options.cpu)
    pace = Pace(tokens=options.tokens, first=options.first, gap=options.gap)
    warm, program = pace.seconds + SETTLE, Program()
    with tempfile.TemporaryDirectory() as folder:
        program.run(_words(options, pace, warm + options.seconds + 1, Path(folder)), {})
        lines = (Path(folder) / "profile_export_raw.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    streams = streams_of([sighting(one) for one in records if one.get("status") == _OK and one["responses"]])
    begin = float(streams.arrived.min()) + warm
    program.report(options.out, errors_of(streams, begin, begin + options.seconds), failed=0)


def _words(options: argparse.Namespace, pace: Pace, seconds: float, folder: Path) -> list[str]:
    words = [os.environ["HOLDFAST_AIPERF"], "profile", "--model", "stamped", "--url", options.url]
    words += ["--tokenizer", os.environ["HOLDFAST_TOKENIZER"], "--endpoint-type", "chat", "--streaming"]
    words += ["--concurrency", str(options.streams), "--concurrency-ramp-duration", str(pace.seconds)]
    words += ["--benchmark-duration", str(seconds), "--workers-max", "1", "--isl", "16", "--osl", str(options.tokens)]
    words += ["--export-level", "raw", "--artifact-dir", str(folder)]
    return [*words, "--ui", "none", "--no-server-metrics", "--no-gpu-telemetry"]


def sighting(record: dict[str, Any]) -> Sighting:
    """One of its raw records; `perf_ns` counts on CLOCK_MONOTONIC, as the server's stamps do."""
    reads = [
        (one["perf_ns"] / _NANO, "".join(f"data: {packet['value']}\n\n" for packet in one["packets"]).encode())
        for one in record["responses"]
    ]
    body = b"".join(data for _, data in reads)
    return Sighting(record["start_perf_ns"] / _NANO, [at for at, _ in reads], [len(data) for _, data in reads], body)


if __name__ == "__main__":
    main()
