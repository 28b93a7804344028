"""Writes loadtests/traces/chat-small.csv: a made-up trace with the statistics of a real one, the same bytes every time.

    python loadtests/generate_trace.py --out loadtests/traces/chat-small.csv

Fitted to the conversation half of the Azure LLM inference trace 2023 (19,366 requests): 5.5 requests/s, inter-arrival
coefficient of variation 1.09 (a gamma renewal process), prompt tokens p50/p90/p99 1020/2734/4142, answer tokens
129/424/601. Not fitted: its slow changes of rate, and the relation of prompt to answer length.
"""

from __future__ import annotations

import argparse
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from math import exp, log
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE: Final = 5.5
VARIATION: Final = 1.09
PROMPT: Final = ((0.0, 20), (0.1, 207), (0.5, 1020), (0.9, 2734), (0.99, 4142), (1.0, 6200))
ANSWER: Final = ((0.0, 12), (0.1, 54), (0.5, 129), (0.9, 424), (0.99, 601), (1.0, 950))
START: Final = datetime(2026, 1, 1, tzinfo=UTC)


def quantile(points: tuple[tuple[float, int], ...], share: float) -> int:
    """Tokens at `share` of the distribution through these (share, tokens) points, straight in log tokens between."""
    right = min(bisect_right([at for at, _ in points], share), len(points) - 1)
    (low, small), (high, large) = points[right - 1], points[right]
    return round(exp(log(small) + (log(large) - log(small)) * (share - low) / (high - low)))


def lengths(points: tuple[tuple[float, int], ...], count: int, random: Random) -> list[int]:
    """`count` lengths, one from each equal slice of the distribution, shuffled: few rows already show its tail."""
    shares = [(index + random.random()) / count for index in range(count)]
    random.shuffle(shares)
    return [quantile(points, share) for share in shares]


def due_times(seconds: float, random: Random) -> list[float]:
    """Arrival times in seconds, gamma renewals of the wanted rate and variation; the first is at zero."""
    shape = 1 / VARIATION**2
    times, now = [], 0.0
    while now < seconds:
        times.append(now)
        now += random.gammavariate(shape, 1 / (RATE * shape))
    return times


def rows(seed: int, seconds: float) -> Iterator[str]:
    """The file's lines, the header first."""
    times = due_times(seconds, Random(f"{seed}/arrivals"))
    prompts = lengths(PROMPT, len(times), Random(f"{seed}/prompts"))
    answers = lengths(ANSWER, len(times), Random(f"{seed}/answers"))
    yield "TIMESTAMP,ContextTokens,GeneratedTokens"
    for now, prompt, answer in zip(times, prompts, answers, strict=True):
        stamp = START + timedelta(seconds=now)
        yield f"{stamp:%Y-%m-%d %H:%M:%S.%f}0,{prompt},{answer}"


def main() -> None:
    """Read the options and write the file."""
    parser = argparse.ArgumentParser(
        description="Writes a seeded chat trace in the format of the Azure LLM inference trace 2023.",
        epilog="example: python loadtests/generate_trace.py --out loadtests/traces/chat-small.csv",
    )
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.add_argument("--seed", type=int, default=7, help="same seed, same bytes (default 7)")
    parser.add_argument("--seconds", type=float, default=600.0, help="length of the trace (default 600)")
    options = parser.parse_args()
    options.out.write_text("".join(f"{row}\n" for row in rows(options.seed, options.seconds)), encoding="ascii")


if __name__ == "__main__":
    main()
