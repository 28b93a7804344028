"""What an SLO's own rules would have recorded over past samples, and when its alerts would have fired.

The rules are those that `slo generate` writes, evaluated as if they had been loaded when the time span begins. A
moment without a record is missing: it is neither good nor bad, and is counted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from holdfast.slo import counts, promql, rules
from holdfast.slo.evaluate.query import LOOKBACK, evaluate
from holdfast.slo.evaluate.reads import Read
from holdfast.slo.evaluate.reads import reads as reads_of
from holdfast.slo.evaluate.rules import Played, play

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from holdfast.model.slo import Slo
    from holdfast.slo.evaluate.vectors import Mask, Numbers, Track, Vector

_REMAINING: Final = "slo:period_error_budget_remaining:ratio"
_RATIO: Final = "slo:sli_error:ratio_rate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """An alert from the moment it fires until it is seen cleared, in Unix seconds; `end` None: it fires at the end.

    `tiers` are those that fired meanwhile, in order; none for the alert that there is no data.
    """

    alert: str
    severity: str
    tiers: tuple[str, ...]
    start: float
    end: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Backtest:
    """One SLO over the moments `at` (Unix seconds, evenly spaced by `step`).

    `total` and `bad` are the two records at each moment, NaN where there is none; `silent` is when nothing was
    scraped, so that rules hold the service for dead. `ratios` are error ratios by window, `remaining` the share of the
    budget that is left; of several series the worst. `troubles` are rules that Prometheus would have refused.
    """

    slo: Slo
    at: Numbers
    step: float
    total: Numbers
    bad: Numbers
    silent: Mask
    ratios: dict[str, Numbers]
    remaining: Numbers
    firings: tuple[Firing, ...]
    troubles: tuple[str, ...] = ()

    @property
    def missing(self) -> Mask:
        """When there is no record of how many events there were."""
        return np.isnan(self.total)

    @property
    def decided(self) -> bool:
        """Whether there is an error budget to speak of, at one moment at least, and no rule was refused."""
        return bool(np.isfinite(self.remaining).any()) and not self.troubles

    @property
    def events(self) -> float:
        """How many events, or slices, the records stand for: each looks back over its own window."""
        return float(np.nansum(self.total)) * self._weight

    @property
    def bad_events(self) -> float:
        """How many of them were bad."""
        return float(np.nansum(self.bad)) * self._weight

    @property
    def _weight(self) -> float:
        return self.step / counts.window_of(self.slo)

    @property
    def error_ratio(self) -> float | None:
        """The share of bad events over the whole time span; None where there was none."""
        return self.bad_events / self.events if self.events > 0 else None

    @property
    def left(self) -> float | None:
        """The share of the budget that is left at the end; None where nothing is known of the end."""
        return _known(self.remaining[-1])

    @property
    def least_left(self) -> float | None:
        """The least share of the budget that was left at any time."""
        return _known(np.fmin.reduce(self.remaining))

    @property
    def spent_at(self) -> float | None:
        """When the budget was first used up, in Unix seconds."""
        gone = np.flatnonzero(self.remaining <= 0)
        return float(self.at[gone[0]]) if len(gone) else None

    def minutes(self, when: Mask) -> float:
        """How long something lasted."""
        return float(np.count_nonzero(when)) * self.step / 60


def backtest(slo: Slo, tracks: Sequence[Track], at: Numbers, *, step: float, prometheus: Literal[2, 3] = 2) -> Backtest:
    """Evaluate the SLO's rules over samples at the moments `at`, `step` seconds apart.

    Raises UnsupportedError for PromQL that cannot be evaluated here, and ValueError for rules that cannot be written.
    """
    today = datetime.fromtimestamp(float(at[0]), UTC)
    played = play(rules.groups_of(slo, today), tracks, at, prometheus=prometheus)
    records = {one.rule["record"]: one.vectors for one in played if "record" in one.rule}
    total, bad = (_combined(records[name], np.nansum, at) for name in counts.names_of(slo))
    silence = evaluate(counts.unseen(slo), tracks, at, prometheus=prometheus)
    return Backtest(
        slo=slo,
        at=at,
        step=step,
        total=total,
        bad=bad,
        silent=np.any([one.present for one in silence], axis=0) if silence else np.zeros(len(at), dtype=bool),
        ratios={
            name.removeprefix(_RATIO): _combined(vectors, np.nanmax, at)
            for name, vectors in records.items()
            if name.startswith(_RATIO)
        },
        remaining=_combined(records[_REMAINING], np.nanmin, at),
        firings=_in_order(firing for one in played if "alert" in one.rule for firing in _firings(one, at)),
        troubles=tuple(f"{_named(one)}: {one.trouble}" for one in played if one.trouble),
    )


def with_objective(slo: Slo, objective: float) -> Slo:
    """The same SLO with another objective, a share of one."""
    return replace(slo, objective=objective)


def reads(slo: Slo, today: datetime) -> tuple[promql.Selector, ...]:
    """The series that the SLO's rules read and do not write themselves."""
    return tuple(dict.fromkeys(one.selector for one in _outside(slo, today)))


def reach(slo: Slo, today: datetime) -> float:
    """How many seconds before a moment a rule may look for samples."""
    return max(one.back for one in _outside(slo, today)) + LOOKBACK


def _outside(slo: Slo, today: datetime) -> list[Read]:
    written = _rules(slo, today)
    own = {rule.get("record") for rule in written}
    return [one for rule in written for one in reads_of(rule["expr"]) if one.selector.name not in own]


def _rules(slo: Slo, today: datetime) -> list[dict[str, Any]]:
    return [rule for group in rules.groups_of(slo, today) for rule in group["rules"]]


def _named(one: Played) -> str:
    return str(one.rule.get("record") or one.rule["alert"])


def _combined(vectors: Iterable[Vector], how: Callable[..., Any], at: Numbers) -> Numbers:
    """Several series as one; NaN where none is present."""
    rows = [one.values for one in vectors]
    if not rows:
        return np.full(len(at), np.nan)
    known = ~np.all(np.isnan(rows), axis=0)
    found = np.full(len(at), np.nan)
    found[known] = how(np.asarray(rows)[:, known], axis=0)
    return found


def _in_order(firings: Iterable[Firing]) -> tuple[Firing, ...]:
    return tuple(sorted(firings, key=lambda one: (one.start, one.severity)))


def _firings(played: Played, at: Numbers) -> list[Firing]:
    """Stretches in which at least one series of the alert is present."""
    if not played.vectors:
        return []
    fires = np.any([one.present for one in played.vectors], axis=0)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], fires, [False])).astype(np.int8)))
    return [_firing(played, at, int(first), int(after)) for first, after in edges.reshape(-1, 2)]


def _firing(played: Played, at: Numbers, first: int, after: int) -> Firing:
    inside = slice(first, after)
    tiers = {
        one.labels.get(rules.TIER, ""): int(np.argmax(one.present[inside]))
        for one in reversed(played.vectors)
        if one.present[inside].any()
    }
    return Firing(
        alert=played.rule["alert"],
        severity=played.rule["labels"].get("severity", ""),
        tiers=tuple(sorted(filter(None, tiers), key=tiers.__getitem__)),
        start=float(at[first]),
        end=float(at[after]) if after < len(at) else None,
    )


def _known(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
