"""When an error budget says: no more changes for now. Pure: a policy, what was read of each SLO, an answer.

A budget that cannot be read freezes nothing and frees nothing: UNKNOWN, which no gate promotes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from holdfast import units
from holdfast.errors import UsageError
from holdfast.model.verdict import State, worst
from holdfast.spec.source import did_you_mean
from holdfast.units import show_duration, show_ratio

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WHERE: Final = "[tool.holdfast.freeze]"
REVIEW: Final = "holdfast/budget/v1"
_KEYS: Final = ("gates", "slos", "burn-rate", "budget-left", "prometheus", "review", "max-age")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When to freeze: from a current burn rate of `burn_rate` on, or with a share of budget of `left` or less.

    `gates` and `slos` are names, none for all. The state is read from the Prometheus at `prometheus` (empty: the
    platform's own), or from the JSON of a budget review, of which the newest count may be `max_age` seconds old.
    """

    burn_rate: float | None = None
    left: float | None = None
    gates: tuple[str, ...] = ()
    slos: tuple[str, ...] = ()
    prometheus: str = ""
    review: str = ""
    max_age: float = 86400.0

    def of(self, gate: str) -> bool:
        """Whether it is this gate's as well."""
        return not self.gates or gate in self.gates


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was read of one SLO: its burn rate now, and between which shares its budget is left; None: no number."""

    slo: str
    burn: float | None = None
    least: float | None = None
    most: float | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """The answer: PASS free, FAIL frozen, UNKNOWN not readable; `despite` is why it is to be passed over."""

    state: State
    reasons: tuple[str, ...]
    source: str
    seen: tuple[Seen, ...] = ()
    despite: str = ""

    @property
    def stops(self) -> bool:
        """Whether the gate may not pass."""
        return self.state is not State.PASS and not self.despite

    def to_dict(self) -> dict[str, Any]:
        """For the gate's decision."""
        return {
            "state": self.state.value,
            "reasons": list(self.reasons),
            "despite": self.despite,
            "source": self.source,
            "slos": [
                {"slo": one.slo, "burn_rate": one.burn, "least_left": one.least, "most_left": one.most}
                for one in self.seen
            ],
        }


def policy_of(table: Mapping[str, Any]) -> Policy:
    """The policy that a settings table writes down. Raises UsageError for keys and values that are none."""
    for key in table:
        if key not in _KEYS:
            raise UsageError(f"unknown key {key!r} in {WHERE}", hint=did_you_mean(key, _KEYS))
    policy = Policy(
        burn_rate=_rate(table.get("burn-rate")),
        left=_read(table, "budget-left", units.ratio),
        gates=_names(table, "gates"),
        slos=_names(table, "slos"),
        prometheus=_text(table, "prometheus"),
        review=_text(table, "review"),
        max_age=_read(table, "max-age", units.duration) or Policy().max_age,
    )
    if policy.burn_rate is None and policy.left is None:
        raise UsageError(f"{WHERE} has no rule", hint='burn-rate = 10, or budget-left = "10%"')
    if policy.review and (policy.prometheus or policy.burn_rate is not None):
        hint = "leave review out, and name prometheus"
        raise UsageError(f"{WHERE}: a review knows no current burn rate, and is one source of two", hint=hint)
    return policy


def _rate(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise UsageError(f"burn-rate in {WHERE} must be a number above 0, got {value!r}")
    return float(value)


def _read(table: Mapping[str, Any], key: str, reader: Any) -> float | None:
    if key not in table:
        return None
    try:
        return float(reader(_text(table, key)))
    except ValueError as error:
        raise UsageError(f"{key} in {WHERE}: {error}") from error


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise UsageError(f"{key} in {WHERE} must be text")
    return value


def _names(table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A list of names; an empty one would mean all, so it must be left out."""
    value = table.get(key)
    if value is None:
        return ()
    if not (isinstance(value, list) and value and all(isinstance(one, str) for one in value)):
        raise UsageError(f"{key} in {WHERE} must be a list of names", hint=f"leave {key} out to mean all")
    return tuple(value)


def weigh(policy: Policy, seen: Sequence[Seen], source: str, despite: str = "") -> Freeze:
    """Frozen when one SLO is for sure, not readable when one may be; no SLO at all is not readable."""
    found = [_one(policy, one) for one in seen]
    return Freeze(
        state=worst(state for state, _ in found),
        reasons=tuple(reason for _, reasons in found for reason in reasons) if seen else ("no SLO was read",),
        source=source,
        seen=tuple(seen),
        despite=despite,
    )


def _one(policy: Policy, seen: Seen) -> tuple[State, list[str]]:
    if seen.trouble:
        return State.UNKNOWN, [f"{seen.slo}: {seen.trouble}"]
    asked = []
    if policy.burn_rate is not None:
        asked.append(_burns(policy.burn_rate, seen))
    if policy.left is not None:
        asked.append(_left(policy.left, seen))
    return worst(state for state, _ in asked), [f"{seen.slo}: {reason}" for _, reason in asked if reason]


def _burns(limit: float, seen: Seen) -> tuple[State, str]:
    if not _number(seen.burn):
        return State.UNKNOWN, "its current burn rate cannot be read"
    if seen.burn >= limit:
        return State.FAIL, f"its budget burns {seen.burn:.3g} times too fast (freeze at {limit:g})"
    return State.PASS, ""


def _left(limit: float, seen: Seen) -> tuple[State, str]:
    if not (_number(seen.least) and _number(seen.most)):
        return State.UNKNOWN, "what is left of its budget cannot be read"
    if seen.most <= limit:
        return State.FAIL, f"{show_ratio(seen.most, 3)} of its budget is left (freeze at {show_ratio(limit)})"
    if seen.least <= limit:
        shares = f"{show_ratio(seen.least, 3)} to {show_ratio(seen.most, 3)}"
        return State.UNKNOWN, f"{shares} of its budget is left, and {show_ratio(limit)} would freeze it"
    return State.PASS, ""


def _number(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def seen_in(told: Mapping[str, Any], slos: Sequence[str], now: float, max_age: float) -> tuple[Seen, ...]:
    """What the JSON of a budget review says of SLOs, unless it is too old. Raises UsageError when it is no review."""
    if told.get("schema") != REVIEW:
        raise UsageError(f"not a budget review: schema {told.get('schema')!r}", hint="holdfast budget report --json")
    try:
        age = now - float(told["until"])
        known = {str(one["slo"]): one for one in told["slos"]}
        old = "" if 0 <= age <= max_age else f"the review ends {_age(age)}; {show_duration(max_age)} are allowed"
        return tuple(_reviewed(slo, known.get(slo), old) for slo in slos)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"the budget review is damaged: {error!r}") from error


def _age(age: float) -> str:
    return f"{show_duration(round(age))} ago" if age >= 0 else "in the future"


def _reviewed(slo: str, told: Mapping[str, Any] | None, old: str) -> Seen:
    if old or told is None:
        return Seen(slo=slo, trouble=old or "the review does not know it")
    least, most = (None if told[name] is None else 1 - float(told[name]) for name in ("high", "low"))
    return Seen(slo=slo, least=least, most=most)
