"""GuideLLM as one of the clients of load_streams.py: the three times it keeps of a request, beside the server's log.

Of a request it keeps when it wrote it, and when it had the first and the last token; no other token's. So here

- recv is of first and last tokens alone: seen - sent;
- TTFT is its own: from where it begins to write to the first token, less the server's;
- ITL is its own: a mean for each request, less that of the server's first and last token. A token that was late in
  between is not in it, and 63 gaps make one error a 63rd: it is the mildest of the three, never the one that decides.

Where these are small and others are not, it is not known to be better. It keeps them on the wall clock; the run is
dropped where that clock and the monotonic one drifted apart by more than DRIFT. The server's log names a request by the
number in its answer's id. One worker process, on the client's CPU with all the others: unfair to its design, but it is
the cost per core; its streams begin evenly over an answer's length, as all the others' do. GuideLLM is named by
HOLDFAST_GUIDELLM, a folder with a tokenizer by HOLDFAST_TOKENIZER. Written for GuideLLM 0.8.1. Run as
`python benchmarks/load_guidellm.py SERVER-LOG` with the options of `holdfast.load.selftest.client`.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from load_foreign import Program

from holdfast.load.selftest.client import SETTLE, _parser
from holdfast.load.selftest.server import Pace, pin
from holdfast.load.selftest.stamps import Errors, Streams, errors_of, spread

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

DRIFT: Final = 0.0002
"""Seconds."""
_NANO: Final = 1e9
_LOOKS: Final = 100
_ALONE: Final = {"GUIDELLM__MAX_WORKER_PROCESSES": "1"}


def main() -> None:
    """Run GuideLLM once, write what its times say."""
    log = Path(sys.argv.pop(1))
    options = _parser().parse_args()
    pin(options.cpu)
    pace = Pace(tokens=options.tokens, first=options.first, gap=options.gap)
    warm, program, ahead = pace.seconds + SETTLE, Program(), wall_ahead()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "benchmarks.json"
        # What is open at its end is broken off, so it goes on until all that fell into the window is whole.
        program.run(_words(options, pace, warm + options.seconds + pace.seconds + 1, out), _ALONE)
        requests = json.loads(out.read_text(encoding="utf-8"))["benchmarks"][0]["requests"]
    after = wall_ahead()
    if abs(after - ahead) > DRIFT:
        sys.exit(f"the wall clock drifted by {abs(after - ahead) * 1000:.2f} ms against the monotonic one")
    streams = streams_of(requests["successful"], logged(log), pace, (ahead + after) / 2)
    begin = float(streams.arrived.min()) + warm
    errors = its_errors(streams, pace, begin, begin + options.seconds)
    program.report(options.out, errors, failed=len(requests["errored"]))


def wall_ahead() -> float:
    """Seconds the wall clock shows more than the monotonic one: of many looks, that with the least between its two."""
    looks = []
    for _ in range(_LOOKS):
        before, wall, after = time.monotonic(), time.time(), time.monotonic()
        looks.append((after - before, wall - (before + after) / 2))
    return min(looks)[1]


def _words(options: argparse.Namespace, pace: Pace, seconds: float, out: Path) -> list[str]:
    backend = f"kind=openai_http,target={options.url},model=stamped,validate_backend=false"
    profile = f"kind=concurrent,streams={options.streams},rampup_duration={pace.seconds}"
    words = [os.environ["HOLDFAST_GUIDELLM"], "run", "--backend", backend, "--profile", profile]
    words += ["--constraint", f"kind=max_duration,seconds={seconds}"]
    words += ["--tokenizer", f"kind=huggingface_auto,model={os.environ['HOLDFAST_TOKENIZER']}"]
    words += ["--data", f"kind=synthetic_text,prompt_tokens=16,output_tokens={options.tokens}"]
    return [*words, "--output", f"kind=json,path={out}", "--disable-console"]


def logged(log: Path) -> dict[str, dict[str, int]]:
    """The server's lines by the id of the answer."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return {f"chatcmpl-{line['number']}": line for line in lines}


def streams_of(
    requests: Sequence[dict[str, Any]], sent: dict[str, dict[str, int]], pace: Pace, ahead: float
) -> Streams:
    """Two events of each stream, its first and its last."""
    times = [(sent[one["response_id"]], one["info"]["timings"]) for one in requests]
    start = np.array([at["request_start"] for _, at in times], dtype=np.float64)
    seen = np.array([(at["first_token_iteration"], at["last_token_iteration"]) for _, at in times], dtype=np.float64)
    arrived = np.array([line["arrived"] for line, _ in times], dtype=np.float64) / _NANO
    left = np.array([(line["first"], line["last"]) for line, _ in times], dtype=np.float64) / _NANO
    due = np.stack([arrived + pace.first, arrived + pace.seconds], axis=1)
    return Streams(
        start=np.repeat(start - ahead, 2),
        arrived=np.repeat(arrived, 2),
        due=due.ravel(),
        sent=left.ravel(),
        seen=seen.ravel() - ahead,
        begins=np.tile([True, False], len(times)),
    )


def its_errors(streams: Streams, pace: Pace, begin: float, end: float) -> Errors:
    """Errors as this file's docstring has them; `recv` counts all tokens of the window, so that missing ones show."""
    found = errors_of(streams, begin, end)
    whole = streams.seen[1::2] - streams.seen[::2] - (streams.sent[1::2] - streams.sent[::2])
    ended = (streams.sent[1::2] >= begin) & (streams.sent[1::2] < end)
    due = streams.due[::2, None] + pace.gap * np.arange(pace.tokens)
    return replace(
        found,
        recv=replace(found.recv, count=int(((due >= begin) & (due < end)).sum())),
        itl=spread(np.abs(whole[ended]) / (pace.tokens - 1)),
    )


if __name__ == "__main__":
    main()
