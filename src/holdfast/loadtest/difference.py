"""What changed between two sides of runs under the same load: each latency by its quantiles, and the share that failed.

A figure is judged as not worse by more than a margin, because "no significant difference" is what a short run always
finds. The chance that any figure of two equal sides is said to differ is alpha at most (Bonferroni).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.model.verdict import State
from holdfast.stats.comparison import Sample, difference_lower_bound, difference_upper_bound
from holdfast.stats.dependence import effect_seen
from holdfast.stats.quantile_ratio import quantile_ratio
from holdfast.units import show_duration, show_ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from holdfast.stats.quantile_ratio import QuantileRatio

ALPHA: Final = 0.01
ABSENT: Final = "-"
SHARES: Final = (0.5, 0.99)

LATENCIES: Final[dict[str, Callable[[pd.DataFrame], pd.Series]]] = {
    "ttft": lambda requests: requests["first"] - requests["due"],
    "e2e": lambda requests: requests["done"] - requests["due"],
    "tpot": lambda requests: (requests["last"] - requests["first"]) / (requests["tokens"] - 1).where(lambda n: n > 0),
    "largest gap": lambda requests: requests["max_gap"],
}
"""Seconds of each request, by name; from due where waiting for the client would hide in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One compared figure: both sides in words, its change with the interval, the answer, and why not a better one."""

    name: str
    base: str
    new: str
    change: str
    seen: str
    state: State
    differs: bool
    low: float
    high: float
    smallest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """How much worse is accepted: `slower` as a share of each quantile, `failing` in shares of all requests."""

    slower: float = 0.1
    failing: float = 0.01


def figures(
    base: Sequence[pd.DataFrame],
    new: Sequence[pd.DataFrame],
    allowed: Allowed,
    *,
    random: np.random.Generator,
    alpha: float = ALPHA,
) -> tuple[Figure, ...]:
    """Compare runs by their requests (columns of a record, in order of due); every figure that both sides have."""
    names = [name for name in LATENCIES if all(_has(side, name) for side in (base, new))]
    each = alpha / (len(names) * len(SHARES) + 1)
    found = [
        _latency(f"{name} p{share * 100:g}", ratio, allowed.slower)
        for name in names
        for share in SHARES
        for ratio in [quantile_ratio(_runs(base, name), _runs(new, name), share, random=random, alpha=each)]
    ]
    return (_failures(base, new, allowed.failing, each), *found)


def _has(side: Sequence[pd.DataFrame], name: str) -> bool:
    """Whether any good request has it: an answer of one token has no gap, an embedding has no first token."""
    return any(bool(LATENCIES[name](run[run["outcome"] == "ok"]).notna().any()) for run in side)


def _runs(side: Sequence[pd.DataFrame], name: str) -> list[NDArray[np.float64]]:
    """A request that failed is infinitely slow; a good one without the figure has nothing to say about it."""
    return [LATENCIES[name](run).where(run["outcome"] == "ok", math.inf).dropna().to_numpy(dtype=float) for run in side]


def _latency(name: str, ratio: QuantileRatio, margin: float) -> Figure:
    state = State.UNKNOWN
    if ratio.high <= 1 + margin:
        state = State.PASS
    elif ratio.low > 1 + margin:
        state = State.FAIL
    return Figure(
        name=name,
        base=_time(ratio.base),
        new=_time(ratio.new),
        change=_change(ratio.estimate - 1, ratio.low - 1, ratio.high - 1),
        seen=ABSENT if math.isnan(ratio.smallest) else f"±{show_ratio(ratio.smallest - 1, 2)}",
        state=state,
        differs=ratio.low > 1 or ratio.high < 1,
        low=ratio.low,
        high=ratio.high,
        smallest=ratio.smallest,
    )


def _failures(base: Sequence[pd.DataFrame], new: Sequence[pd.DataFrame], margin: float, alpha: float) -> Figure:
    before, now = _counted(base), _counted(new)
    low = high = math.nan
    if before.total and now.total:
        low = difference_lower_bound(now, before, alpha / 2)
        high = difference_upper_bound(now, before, alpha / 2)
    state = State.PASS if high <= margin else State.FAIL if low > margin else State.UNKNOWN
    return Figure(
        name="failed",
        base=_share(before),
        new=_share(now),
        change=_change(now.ratio - before.ratio, low, high),
        seen=ABSENT,
        state=state,
        differs=low > 0 or high < 0,
        low=low,
        high=high,
        smallest=math.nan,
    )


def _counted(side: Sequence[pd.DataFrame]) -> Sample:
    """Effective counts: requests that fail together tell as much as fewer that fail alone."""
    bad = total = 0.0
    for run in side:
        failed = (run["outcome"] != "ok").to_numpy()
        since = (run["due"] - run["due"].min()).to_numpy(dtype=float)
        effect = effect_seen(since, failed, (run["done"] - run["due"]).to_numpy(dtype=float)) if len(run) else 1.0
        bad, total = bad + float(failed.sum()) / effect, total + len(run) / effect
    return Sample(bad, total)


def _share(sample: Sample) -> str:
    return show_ratio(sample.ratio, 3) if sample.total else ABSENT


def _time(seconds: float) -> str:
    if not math.isfinite(seconds):
        return ABSENT if math.isnan(seconds) else "never"
    return show_duration(float(f"{seconds:.3g}"))


def _change(estimate: float, low: float, high: float) -> str:
    if math.isnan(low) or math.isnan(high):
        return ABSENT if math.isnan(estimate) else f"{estimate:+.1%}"
    return f"{estimate:+.1%} ({low:+.1%} … {high:+.1%})"
