"""Whether a gate is frozen now: the project's policy, and the state of its budgets from Prometheus or a review."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from holdfast import project, settings
from holdfast.errors import PlatformError, UsageError
from holdfast.freeze import Freeze, Policy, Seen, policy_of, seen_in, weigh
from holdfast.slo.counts import selector
from holdfast.sources.server import Asking

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from holdfast.model.slo import Slo

    Query = Callable[[str, float], list[dict[str, Any]]]

BURN = "slo:current_burn_rate:ratio"
LEFT = "slo:period_error_budget_remaining:ratio"


def freeze_of(root: Path, state: Path, gate: str, now: float, despite: str = "", *, token: str = "") -> Freeze | None:
    """The freeze of a gate; None when no policy is written down for it.

    `state` is the folder of the platform, whose Prometheus is asked where the policy names none; `token` is for the one
    that the policy names. Raises UsageError for a policy with mistakes, SpecError for SLO files with problems.
    """
    table = settings.freeze_table(root)
    policy = policy_of(table) if table is not None else None
    if policy is None or not policy.of(gate):
        return None
    slos = _slos(policy, project.load_slos(root))
    if policy.review:
        return weigh(policy, _review(root / policy.review, slos, now, policy.max_age), policy.review, despite)
    asking = Asking(policy.prometheus, token) if policy.prometheus else Asking(_platform(state))
    if not asking.url:
        hint = "no platform is up, and the policy names no prometheus"
        return weigh(policy, [Seen(slo=slo.id, trouble=hint) for slo in slos], "nothing", despite)
    return weigh(policy, ask(policy, slos, _query(asking), now), asking.address, despite)


def _query(asking: Asking) -> Query:
    def query(promql: str, at: float) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = asking.get("query", ("query", promql), ("time", f"{at:.3f}"))["result"]
        return found

    return query


def _slos(policy: Policy, known: dict[str, Slo]) -> list[Slo]:
    wrong = [name for name in policy.slos if name not in known]
    if wrong:
        raise UsageError(f"[tool.holdfast.freeze]: no such SLO: {wrong[0]}", hint=f"known: {', '.join(known)}")
    return [slo for name, slo in known.items() if not policy.slos or name in policy.slos]


def _review(path: Path, slos: Sequence[Slo], now: float, max_age: float) -> tuple[Seen, ...]:
    """What a review's file says; one that cannot be read is trouble of every SLO, and not a mistake of the policy."""
    names = [slo.id for slo in slos]
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return seen_in(told if isinstance(told, dict) else {}, names, now, max_age)
    except (OSError, ValueError, UsageError) as error:
        return tuple(Seen(slo=name, trouble=f"{path.name}: {error}") for name in names)


def _platform(state: Path) -> str:
    from holdfast.platforms.connect import connect  # noqa: PLC0415 - imported where it is needed

    try:
        return connect(state).endpoints().prometheus
    except PlatformError:
        return ""


def ask(policy: Policy, slos: Sequence[Slo], query: Query, now: float) -> list[Seen]:
    """What the recorded rules say of each SLO at `now`, the worst series where there are several."""
    return [_asked(policy, slo, query, now) for slo in slos]


def _asked(policy: Policy, slo: Slo, query: Query, now: float) -> Seen:
    try:
        burn = _values(query, f"{BURN}{selector(slo)}", now) if policy.burn_rate is not None else None
        left = _values(query, f"{LEFT}{selector(slo)}", now) if policy.left is not None else None
    except Exception as error:  # noqa: BLE001 - what a server can answer instead raises anything
        return Seen(slo=slo.id, trouble=f"Prometheus did not answer: {type(error).__name__}: {error}"[:160])
    return Seen(
        slo=slo.id,
        burn=max(burn) if burn else None,
        least=min(left) if left else None,
        most=min(left) if left else None,
    )


def _values(query: Query, promql: str, now: float) -> list[float]:
    """Every value, or none at all where one of them is no number: what is known is then not all."""
    values = [float(one["value"][1]) for one in query(promql, now)]
    return values if all(math.isfinite(value) for value in values) else []
