"""Evidence that may be looked at after every request: two one-sided mixture e-processes for a bad-event ratio.

E(n) is the average, over a few alternatives p = ratio * limit, of the likelihood ratio of p against `limit` after n
events with k of them bad. While the true ratio is on the other side of `limit`, E is a non-negative supermartingale
that starts at 1, so by Ville's inequality it ever reaches 1 / alpha with probability at most alpha: whoever looks, how
often, and whenever they stop.

What is assumed: given everything before it, each event is bad with probability at least `limit` (for the error of
"good") or at most `limit` (for the error of "bad"). Bursts break that; `holdfast.stats.blocks` is for them.

Ville, "Etude critique de la notion de collectif", 1939. Robbins, "Statistical methods related to the law of the
iterated logarithm", Ann. Math. Stat. 41(5), 1970 (mixtures). Ramdas, Grunwald, Vovk and Shafer, "Game-theoretic
statistics and safe anytime-valid inference", Statistical Science 38(4), 2023.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal

from holdfast.stats.binomial import ALPHA, check_alpha, check_counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

GOOD_RATIOS: Final = (0.02, 0.1, 0.2, 0.35, 0.5)
"""Alternatives below the limit, as multiples of it: what a service that keeps its objective may look like."""

BAD_RATIOS: Final = (1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 300.0)
"""Alternatives beyond the limit, as multiples of it."""


def log_e(bad: float, total: float, limit: float, ratios: Sequence[float]) -> float:
    """Natural logarithm of the mixture's e-value after `bad` of `total` events; 0.0 before the first event.

    `ratios` below 1 collect evidence that the true ratio is under `limit`, those above 1 that it is beyond.

    Raises:
        ValueError: the counts cannot be, `limit` is not between 0 and 1, or a ratio makes no probability below 1.
    """
    check_counts(bad, total)
    terms = [bad * won + (total - bad) * lost for won, lost in _bets(limit, ratios)]
    top = max(terms)
    return top + math.log(math.fsum(math.exp(term - top) for term in terms) / len(terms))


def bad_ratios(limit: float) -> tuple[float, ...]:
    """Those of BAD_RATIOS that stay below certainty at this limit; halfway to certainty when none does."""
    return tuple(ratio for ratio in BAD_RATIOS if ratio * limit < 1) or ((1 + 1 / limit) / 2,)


def decide(
    bad: float, total: float, limit: float, alpha: float = ALPHA, effect: float = 1.0
) -> Literal["good", "bad"] | None:
    """What `bad` of `total` events prove at level `alpha` on each side, also when asked after every event.

    `effect` is how many of them tell as much as one independent event (`holdfast.stats.dependence`): E ** (1 / effect)
    must reach 1 / alpha. Whatever effect of 1 or more is put in, however it was estimated, that is only later than E
    itself does, so for independent events Ville's bound still holds.

    None says that nothing is proved yet; when the run ends so, that is the answer. The first answer stands: looking
    again later and believing only the later look is allowed, and only proves less.

    Raises:
        ValueError: the counts cannot be, `limit` or `alpha` does not lie between 0 and 1, or `effect` is below 1.
    """
    if not effect >= 1:
        raise ValueError(f"a design effect is at least 1, got {effect}")
    enough = _enough(alpha) * effect
    if log_e(bad, total, limit, GOOD_RATIOS) >= enough:
        return "good"
    return "bad" if log_e(bad, total, limit, bad_ratios(limit)) >= enough else None


def log_e_path(outcomes: NDArray[np.bool_], limit: float, ratios: Sequence[float]) -> NDArray[np.float64]:
    """`log_e` after each event of one path or of many: the last axis of `outcomes` is time, True is a bad event.

    Raises:
        ValueError: as `log_e`.
    """
    import numpy as np  # noqa: PLC0415 - the rest of this file needs the standard library alone

    bad = np.cumsum(outcomes, axis=-1, dtype=np.float64)
    good = np.arange(1, outcomes.shape[-1] + 1) - bad
    path = np.full(outcomes.shape, -np.inf)
    for won, lost in _bets(limit, ratios):
        np.logaddexp(path, bad * won + good * lost, out=path)
    return path - math.log(len(ratios))


def decide_path(
    outcomes: NDArray[np.bool_], limit: float, alpha: float = ALPHA
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """First answer of `decide` along each path: 1 good, -1 bad, 0 none; and the number of events it took.

    The number is the length of the path where no answer came.

    Raises:
        ValueError: as `decide`.
    """
    import numpy as np  # noqa: PLC0415

    enough, length = _enough(alpha), outcomes.shape[-1]

    def first(ratios: Sequence[float]) -> NDArray[np.int64]:
        reached = log_e_path(outcomes, limit, ratios) >= enough
        return np.asarray(np.where(reached.any(axis=-1), reached.argmax(axis=-1) + 1, length + 1), dtype=np.int64)

    good, bad = first(GOOD_RATIOS), first(bad_ratios(limit))
    answer = np.where(np.minimum(good, bad) > length, 0, np.where(good < bad, 1, -1)).astype(np.int8)
    return answer, np.minimum(np.minimum(good, bad), length)


def _bets(limit: float, ratios: Sequence[float]) -> list[tuple[float, float]]:
    """Per alternative, what one bad and what one good event add to the logarithm of its likelihood ratio."""
    if not 0 < limit < 1:
        raise ValueError(f"a limit must lie between 0 and 1, got {limit}")
    if not ratios or not all(0 < ratio * limit < 1 for ratio in ratios):
        raise ValueError(f"each ratio times the limit {limit} must lie between 0 and 1, got {tuple(ratios)}")
    return [(math.log(ratio), math.log1p(-ratio * limit) - math.log1p(-limit)) for ratio in ratios]


def _enough(alpha: float) -> float:
    check_alpha(alpha)
    return -math.log(alpha)
