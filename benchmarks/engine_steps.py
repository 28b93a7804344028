"""The simulated engine against published figures: step times, routing with shared prefixes; and its own cost.

    python benchmarks/engine_steps.py             three rates, about a minute
    python benchmarks/engine_steps.py --ladder    all rates of the published experiment

1. Vidur (microsoft/vidur, MIT, data/profiling): milliseconds of the linear layers by tokens in the step.
2. BLIS (inference-sim, defaults.yaml): milliseconds between tokens at 1,024 tokens of context, a fitted roofline.
3. llm-d (guides/optimized-baseline, vllm-qwen3-32b-h100): 8 engines of 2 H100, Qwen3-32B; 150 groups with a system
   prompt of 6,000 tokens each, 5 questions of 1,200 tokens in each, answers of 1,000. Each rate runs until all answers
   are there; tokens/s is over that time. Round robin against the engine that knows the prefix.
4. What the scheduler costs for each token of a step.
"""

from __future__ import annotations

import argparse
import random
import time
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from refplatform.engine.calibration import Calibration, read_calibration
from refplatform.engine.scheduler import BLOCK_TOKENS, BlockPool, Limits, Scheduler, Sequence, Step
from refplatform.engine.virtual import Request, VirtualEngine, replay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CALIBRATIONS: Final = Path(__file__).parents[1] / "platform" / "local" / "calibrations"
SIZES: Final = (1, 64, 128, 256, 512, 1024, 2048, 4096)
VIDUR: Final = {
    "h100": (5.6, 5.9, 6.4, 9.2, 12.0, 21.1, 40.4, 83.6),
    "a100": (9.7, 11.2, 13.2, 19.5, 34.7, 75.2, 145.7, 273.8),
}
BATCHES: Final = (1, 32, 128, 256)
BLIS: Final = {
    "h100": (6.9, 9.5, 17.4, 28.0),
    "a100": (10.6, 14.7, 27.5, 44.5),
    "l40s": (23.5, 33.0, 62.5, 101.8),
}

# Qwen3-32B on two H100, by arithmetic from h100.json: twice the memory and the compute, 4.87 times the weights of a 7B
# model, 64 layers with 8 KV heads of 128; a tenth is lost to the exchange between the two. Keys and values are read at
# 87 % of the bandwidth of both (6.7 TB/s); at BLIS' half (c_kv 7.6e-8), the ratio below is 1.42 instead of 1.67. Even
# 100 % cannot explain llm-d's 43.9 ms a token at 60 requests/s: requests that share a prefix read it from the L2 cache
# in part, which nothing here models.
QWEN: Final = Calibration(
    name="qwen3-32b-h100-tp2",
    max_num_seqs=1024,
    max_num_batched_tokens=8192,
    max_model_len=16384,
    memory_bytes=2 * 85_899_345_920,
    weight_bytes=65_500_000_000,
    other_bytes=4 * 2**30,
    kv_bytes_per_token=262_144,
    c_step=0.0022,
    c0=0.0140,
    flat_tokens=115,
    c_prefill=50e-6,
    c_attention=2.6e-9,
    c_kv=4.5e-8,
    c_seq=4.4e-6,
    noise=0.02,
)
ENGINES: Final = 8
GROUPS, QUESTIONS, SYSTEM, QUESTION, ANSWER = 150, 5, 6000, 1200, 1000
STAGES: Final = (
    *((3, 20), (10, 20), (15, 20), (20, 38), (22, 34), (25, 30), (30, 25), (35, 21)),
    *((40, 38), (43, 36), (46, 33), (49, 30), (52, 29), (55, 27), (57, 26), (60, 25)),
)
PUBLISHED: Final = {  # rate: tokens/s and median seconds to the first token, round robin, then prefix-aware
    20: (4555, 0.9, 6656, 0.4),
    40: (6228, 20.0, 14134, 0.1),
    60: (6764, 88.1, 13528, 0.2),
}


def points() -> None:
    """Step times beside the published ones."""
    print("\nlinear layers, ms: Vidur, ours, error")
    for name, published in VIDUR.items():
        calibration = read_calibration(CALIBRATIONS / f"{name}.json")
        row(
            "tokens",
            [(size, ms, 1e3 * calibration.linear_seconds(size)) for size, ms in zip(SIZES, published, strict=True)],
            name,
        )
    print("\ntime between tokens at 1,024 tokens of context, ms: BLIS, ours, error")
    for name, published in BLIS.items():
        calibration = read_calibration(CALIBRATIONS / f"{name}.json")
        ours = [1e3 * calibration.step_seconds(Step(decodes=size, context=1024 * size)) for size in BATCHES]
        row("sequences", list(zip(BATCHES, published, ours, strict=True)), name)


def row(what: str, found: list[tuple[int, float, float]], name: str) -> None:
    """One table."""
    print(f"  {name}, worst {max(abs(ours / ms - 1) for _, ms, ours in found):.1%}")
    for size, ms, ours in found:
        print(f"    {size:5} {what:9} {ms:7.1f} {ours:7.1f} {ours / ms - 1:+7.1%}")


class Router:
    """Chooses an engine for each request."""

    def __init__(self, engines: list[VirtualEngine], *, aware: bool) -> None:
        self.engines = engines
        self.choose: Callable[[Request], VirtualEngine] = self._aware if aware else self._next
        self._turns = cycle(engines)

    def _next(self, _: Request) -> VirtualEngine:
        return next(self._turns)

    def _aware(self, request: Request) -> VirtualEngine:
        """The engine that knows most of the prompt; of equal ones, the one with the fewest requests."""
        hashes, tokens = request.sequence.hashes, request.sequence.prompt
        known = {engine: engine.scheduler.blocks.find(hashes, tokens) for engine in self.engines}
        most = max(known.values())
        best = [engine for engine in self.engines if known[engine] >= most - QUESTION // BLOCK_TOKENS]
        return min(best, key=lambda engine: len(engine.scheduler.running) + len(engine.scheduler.waiting))


@dataclass(frozen=True)
class Stage:
    """What one rate gave."""

    rate: int
    tokens_per_second: float
    ttft: float
    cached: float


def workload(rate: float, seconds: float, start: float, source: random.Random) -> Iterator[Request]:
    """Poisson arrivals of the published shape."""
    now = start + source.expovariate(rate)
    while now < start + seconds:
        group, question = source.randrange(GROUPS), source.randrange(QUESTIONS)
        shared = [hash((group, index)) for index in range(SYSTEM // BLOCK_TOKENS)]
        own = [hash((group, question, index)) for index in range((SYSTEM + QUESTION) // BLOCK_TOKENS - len(shared))]
        yield Request(now, Sequence(SYSTEM + QUESTION, ANSWER, (*shared, *own)))
        now += source.expovariate(rate)


def experiment(stages: tuple[tuple[int, int], ...], *, aware: bool, seed: int = 1) -> list[Stage]:
    """All stages, one after the other, each until its last answer."""
    source = random.Random(seed)
    engines = [VirtualEngine(QWEN, noise=random.Random(seed + index)) for index in range(ENGINES)]
    router, now, found = Router(engines, aware=aware), 0.0, []
    for rate, seconds in ((15, 50), *stages):
        requests, began = list(workload(rate, seconds, now, source)), now
        now = replay(requests, router.choose)
        waits = [request.ttft for request in requests if request.ttft is not None]
        cached = sum(request.sequence.cached for request in requests) / sum(r.sequence.prompt for r in requests)
        found.append(Stage(rate, len(requests) * ANSWER / (now - began), median(waits), cached))
    return found[1:]


def routing(stages: tuple[tuple[int, int], ...]) -> None:
    """Both ways of routing, rate by rate."""
    began = time.perf_counter()
    blind, aware = experiment(stages, aware=False), experiment(stages, aware=True)
    print(f"\nrouting: 8 engines, 150 system prompts; ours, then llm-d's ({time.perf_counter() - began:.0f} s of ours)")
    print("  rate   tokens/s: blind  aware  ratio    TTFT p50 s: blind  aware    cached: blind  aware")
    for one, other in zip(blind, aware, strict=True):
        ratio = other.tokens_per_second / one.tokens_per_second
        print(f"  {one.rate:4} {one.tokens_per_second:16,.0f} {other.tokens_per_second:6,.0f} {ratio:6.2f}", end="")
        print(f"{one.ttft:19.2f} {other.ttft:6.2f}{one.cached:16.0%} {other.cached:6.0%}")
        if one.rate in PUBLISHED:
            rr, rr_ttft, pa, pa_ttft = PUBLISHED[one.rate]
            print(f"  llm-d {rr:15,} {pa:6,} {pa / rr:6.2f}{rr_ttft:19.1f} {pa_ttft:6.1f}")
    peaks = [max(stage.tokens_per_second for stage in way) for way in (blind, aware)]
    print(f"  peaks {peaks[0]:,.0f} and {peaks[1]:,.0f}: {peaks[1] / peaks[0]:.2f} times (llm-d 7,049, 14,941: 2.12)")


def cost(sequences: int = 1000, steps: int = 400) -> None:
    """Nanoseconds of plan and commit for each token of a step of many answers."""
    scheduler = Scheduler(Limits(max_num_seqs=sequences, max_num_batched_tokens=sequences * 300), BlockPool(10**6))
    for _ in range(sequences):
        scheduler.add(Sequence(256, 10 * steps))
    scheduler.commit(scheduler.plan() or Step())
    times = []
    for _ in range(steps):
        began = time.perf_counter()
        step = scheduler.plan()
        if step is None:
            raise RuntimeError("nothing to do")
        scheduler.commit(step)
        times.append(time.perf_counter() - began)
    print(
        f"\ncost of a step of {sequences} answers: median {median(times) * 1e6:.0f} us, most {max(times) * 1e6:.0f} us;"
    )
    print(f"  {median(times) / sequences * 1e9:.0f} ns a token")


def main() -> None:
    """Print all four."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ladder", action="store_true", help="all sixteen rates")
    args = parser.parse_args()
    points()
    cost()
    routing(STAGES if args.ladder else tuple(stage for stage in STAGES if stage[0] in PUBLISHED))


if __name__ == "__main__":
    main()
