"""How true a replay is to its trace: gaps, bursts, and how far prompts share their prefixes.

Three made-up traces:       .venv/bin/python benchmarks/trace_replay.py
Ten minutes of real ones:   .venv/bin/python benchmarks/trace_replay.py --length 600 FILE...
Really sent:                .venv/bin/python benchmarks/trace_replay.py --host http://127.0.0.1:8080 --length 30 FILE...

Limits: the distance of Kolmogorov and Smirnov between the gaps at most 0.02, the index of dispersion of counts in 60 s
within 10 %, the share of prompt tokens that an unbounded prefix cache would have at hand within 2 points of the ideal.
Where a trace's stamps are coarse, its gaps are those of ten other spreadings inside the same stamps; then a distance of
1.36 / sqrt(n) is what chance alone makes in one case of twenty, and no closer is asked for.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

import numpy as np

from holdfast.arrivals import processes, shapes
from holdfast.arrivals.warp import due_times
from holdfast.load.command import command
from holdfast.load.planned import planned
from holdfast.load.prompt import WORDS_PER_TOKEN, Prompts
from holdfast.load.trace import read_trace
from holdfast.load.traces.azure import HEADER as AZURE
from holdfast.load.traces.burstgpt import HEADER as BURSTGPT
from holdfast.model.load.arrival import BLOCK
from holdfast.spec.profile import make_profile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from holdfast.model.load import LoadProfile, TraceRow

ROOT: Final = Path(__file__).parents[1]
WINDOW: Final = 60.0
FINE: Final = 16
"""Tokens in a block of an engine's prefix cache, where the trace itself names no blocks."""
MOST_KS, MOST_DISPERSION, MOST_HITS = 0.02, 0.10, 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One trace and its replay; nan where there is nothing to compare."""

    name: str
    requests: int
    rate: float
    distance: float
    dispersion: tuple[float, float]
    hits: tuple[float, float]
    note: str

    @property
    def most_distance(self) -> float:
        """The limit for this trace."""
        return max(MOST_KS, 1.36 / math.sqrt(self.requests)) if self.note else MOST_KS

    @property
    def within(self) -> bool:
        """Whether no figure is beyond its limit."""
        asked, got = self.dispersion
        ideal, shared = self.hits
        beyond = (
            self.distance > self.most_distance,
            abs(got / asked - 1) > MOST_DISPERSION if asked else False,
            abs(shared - ideal) > MOST_HITS,
        )
        return not any(beyond)

    def __str__(self) -> str:
        """One line of the table."""
        asked, got = self.dispersion
        ideal, shared = self.hits
        mark = "" if self.within else "  <- off"
        return (
            f"{self.name[:34]:34} {self.requests:8,} {self.rate:7.2f} {self.distance:8.4f} {asked:9.2f} {got:9.2f} "
            f"{ideal:8.3f} {shared:8.3f}  {self.note}{mark}"
        )


HEAD: Final = (
    f"{'trace':34} {'requests':>8} {'req/s':>7} {'KS':>8} {'IDC':>9} {'replayed':>9} {'hits':>8} {'replayed':>8}"
)


def distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The largest difference between the distributions of two samples of gaps."""
    both = np.concatenate([one, other])
    below = [np.searchsorted(np.sort(gaps), both, side="right") / len(gaps) for gaps in (one, other)]
    return float(np.abs(below[0] - below[1]).max())


def dispersion(times: Sequence[float], length: float) -> float:
    """Variance over mean of the counts per minute; nan with fewer than five whole minutes."""
    minutes = int(length / WINDOW)
    if minutes < 5:  # noqa: PLR2004 - a variance of fewer says nothing
        return math.nan
    counts, _ = np.histogram(np.asarray(times), bins=minutes, range=(0, minutes * WINDOW))
    return float(counts.var() / counts.mean())


def ideal_hits(rows: Iterable[TraceRow]) -> float:
    """The share of prompt tokens that stand in blocks which came before at the same place; nan without any to share."""
    seen: set[tuple[object, ...]] = set()
    longest: dict[str, int] = {}
    hit = total = 0
    for row in rows:
        total += row.prompt_tokens
        if row.session:
            hit += min(longest.get(row.session, 0), row.prompt_tokens) // FINE * FINE
            longest[row.session] = max(longest.get(row.session, 0), row.prompt_tokens)
        for index in range(len(row.blocks)):
            # A block counts with everything before it: a cache of prefixes knows no others.
            known = (hash(row.blocks[: index + 1]),)
            hit += min(BLOCK, row.prompt_tokens - index * BLOCK) if known in seen else 0
            seen.add(known)
    return hit / total if any((longest, seen)) else math.nan


def shared_hits(texts: Iterable[tuple[str, int]], block: int) -> float:
    """The same share, found in the prompts themselves: word by word, in blocks of so many tokens."""
    seen: set[bytes] = set()
    size = round(block * WORDS_PER_TOKEN)
    hit = total = 0
    for text, tokens in texts:
        total += tokens
        words, digest, alike = text.split(), b"", True
        for start in range(0, len(words), size):
            digest = blake2b(digest + " ".join(words[start : start + size]).encode(), digest_size=12).digest()
            alike = alike and digest in seen
            hit += min(block, tokens - round(start / WORDS_PER_TOKEN)) if alike else 0
            seen.add(digest)
    return hit / total if total else math.nan


def compare(path: Path, options: argparse.Namespace) -> Row:
    """One trace against its replay, planned or, with a host, sent."""
    profile = make_profile(
        path.stem,
        {"arrivals": "trace", "trace": str(path.resolve()), "speed": options.speed, "trace-start": options.start},
    )
    with path.open(encoding="utf-8-sig") as lines:
        rows = read_trace(lines, path.name, start=options.start, until=options.length * options.speed)
    plan = planned(profile, seed=options.seed, length=options.length, root=Path("/"))
    rows = rows[: len(plan.arrivals)]
    times = sent(profile, options) if options.host else list(plan.arrivals.dues)
    coarse = any(row.width for row in rows)
    prompts = Prompts(options.seed)
    texts = ((prompts.flat(each), each.prompt_tokens) for each in plan.arrivals)
    shares = any(row.blocks or row.session for row in rows)
    return Row(
        name=path.name,
        requests=len(times),
        rate=len(times) / options.length,
        distance=distance(gaps(rows, options.speed), np.diff(np.round(times, 6))),
        dispersion=(
            dispersion([row.offset / options.speed for row in rows], options.length),
            dispersion(times, options.length),
        ),
        hits=(ideal_hits(rows), shared_hits(texts, BLOCK if rows[0].blocks else FINE) if shares else math.nan),
        note=f"stamps {max(row.width for row in rows):g}s apart" if coarse else "",
    )


def gaps(rows: Sequence[TraceRow], speed: float) -> NDArray[np.float64]:
    """The trace's own gaps, to the microsecond; where its stamps are coarse, those of other spreadings, pooled."""
    times = 10 if any(row.width for row in rows) else 1
    random = [Random(f"spreading {number}") for number in range(times)]
    spread = (sorted(row.offset + one.random() * row.width for row in rows) for one in random)
    return np.concatenate([np.diff(np.round(np.asarray(stamps) / speed, 6)) for stamps in spread])


def sent(profile: LoadProfile, options: argparse.Namespace) -> list[float]:
    """When Locust turned to the network for each request, by its own record."""
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder) / "records.ndjson"
        words = command(
            profile,
            locustfile=Path("loadtests/chat.py"),
            host=options.host,
            records=records,
            seed=options.seed,
            length=options.length,
            epoch=None,
            python=sys.executable,
        )
        ended = subprocess.run(words, cwd=ROOT, check=False, capture_output=True, text=True)
        if ended.returncode:
            sys.exit(ended.stderr)
        found = [json.loads(line) for line in records.read_text().splitlines()]
    lines = [line for line in found if line["kind"] == "request" and line["sent"] is not None]
    middle, high = np.quantile([line["sent"] - line["due"] for line in lines], [0.5, 0.99]) * 1000
    print(f"  sent {len(lines):,} requests, late by {middle:.2f} ms (median) and {high:.2f} ms (p99)")
    return sorted(line["sent"] for line in lines)


# Made-up traces with the statistics of real ones, for a machine that has none.


def made_up(folder: Path, length: float) -> Iterator[Path]:
    """Like Azure code 2023 (2.6/s, index of dispersion 164), BurstGPT (whole seconds, sessions) and Mooncake (3 s)."""
    yield write(folder / "azure-shaped.csv", [AZURE, *_like_azure(length)])
    yield write(folder / "burstgpt-shaped.csv", [BURSTGPT, *_like_burstgpt(length)])
    yield write(folder / "mooncake-shaped.jsonl", _like_mooncake(length))


def _like_azure(length: float) -> Iterator[str]:
    random, start = Random("azure"), datetime(2023, 11, 16, 18, tzinfo=UTC)
    for due in dues("mmpp high=20 share=4% run=6", "flat", 2.6, length):
        stamp = f"{start + timedelta(seconds=due):%Y-%m-%d %H:%M:%S.%f}0"
        yield f"{stamp},{random.randint(10, 7000)},{random.randint(1, 250)}"


def _like_burstgpt(length: float) -> Iterator[str]:
    random, said = Random("burstgpt"), Counter[int]()
    for due in dues("gamma cv=2", "diurnal low=0.3 period=30m", 5.0, length):
        session = random.randrange(200)
        said[session] += random.randint(20, 400)
        yield f"{int(due)}.0,s{session},1.5,ChatGPT,{said[session]},{random.randint(1, 500)},0,Conversation log"


def _like_mooncake(length: float) -> Iterator[str]:
    random, known, fresh = Random("mooncake"), [[0]], 1
    for due in dues("poisson", "flat", 3.4, length):
        before = random.choice(known[-400:])
        more = random.randint(1, 8)
        chain = [*before[: random.randint(1, len(before))][:32], *range(fresh, fresh + more)]
        fresh += more
        known.append(chain[:-1])
        row = {"timestamp": int(due / 3) * 3000, "input_length": len(chain) * BLOCK - random.randrange(BLOCK)}
        yield json.dumps({**row, "output_length": random.randint(1, 1000), "hash_ids": chain})


def dues(process: str, shape: str, rate: float, length: float) -> Iterator[float]:
    """Arrival times of a made-up trace."""
    return due_times(processes.read(process), shapes.read(shape), rate=rate, seed=1, length=length)


def write(path: Path, lines: Iterable[str]) -> Path:
    """The lines as a file."""
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path


def main() -> int:
    """Read the options, print a line for each trace; 1 when one is beyond a limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", nargs="*", type=Path, help="files to replay; made-up ones when none is named")
    parser.add_argument("--length", type=float, default=1800.0, help="seconds of replay (default 1800)")
    parser.add_argument("--start", type=float, default=0.0, help="seconds of the trace to skip")
    parser.add_argument("--speed", type=float, default=1.0, help="2 replays in half the time")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--host", help="really send the load there, and compare when requests were sent")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if not options.traces:
            print("made-up traces with the statistics of real ones")
        print(HEAD)
        rows = []
        for path in options.traces or made_up(Path(folder), options.length):
            rows.append(compare(path, options))
            print(rows[-1], flush=True)
    return 0 if all(row.within for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
