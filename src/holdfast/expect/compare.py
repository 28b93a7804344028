"""`compare`: no more of the requests are bad than in a baseline, by more than a margin: a phase, or an earlier run.

Non-inferiority, not "no significant difference": what was not measured well enough is UNKNOWN, never equal.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from pydantic import BeforeValidator, Field

from holdfast import stats
from holdfast.expect.base import Context, ExpectationShape
from holdfast.expect.proportion import COMPANY, Counts, count
from holdfast.model.scenario import Expectation, Forecast
from holdfast.model.verdict import Evidence, State, Verdict
from holdfast.spec.shapes import FieldError, Ratio
from holdfast.spec.source import did_you_mean
from holdfast.units import show_ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.model.scenario import Scenario
    from holdfast.model.slo import Slo
    from holdfast.model.timeline import Timeline

_SCHEMA: Final = "holdfast/verdict/v1"
_TRUTHS: Final = (0.0, 0.1, 0.5, 1.0, 2.0)
_REACH: Final = 10**6
"""Further requests beyond which nobody waits for a decision."""


def _phases_or_file(value: object) -> object:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return value
    raise FieldError("expected phases or a file", "[baseline], or reports/quickstart.verdict.json")


class Shape(ExpectationShape):
    """{compare: gateway/ttft, during: [fault], to: [baseline], margin: 5%}."""

    compare: str
    during: list[str] = Field(min_length=1)
    to: Annotated[list[str] | str, BeforeValidator(_phases_or_file)]
    margin: Ratio

    def resolve(self, context: Context) -> NotWorse | None:
        """Look up the SLO, the phases, and the stored run."""
        slo, now = context.slo("compare", self.compare), context.phase_names("during", self.during)
        if self.margin == 0:
            context.trouble(("margin",), "two equal services can never be proved equal", "allow some: 1%")
        if self.margin >= 1:
            context.trouble(("margin",), "a margin of 100% always holds", "it would prove nothing")
        base = self._phases(context) if isinstance(self.to, list) else ()
        stored = _look_up(context, self.to, slo, now) if isinstance(self.to, str) and slo else None
        if slo is None or not (base or stored):
            return None
        return NotWorse(slo=slo, now=now, base=base, stored=stored, margin=self.margin, where=context.where)

    def _phases(self, context: Context) -> tuple[str, ...]:
        for index, name in enumerate(self.to):
            if name in self.during:
                what = f"phase {name!r} cannot be compared with itself"
                context.trouble(("to", index), what, "name it on one side only")
        return context.phase_names("to", list(self.to))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What an earlier run counted for the same SLO over phases of the same names."""

    file: str
    run: str
    counts: Counts


def _look_up(context: Context, file: str, slo: Slo, phases: Sequence[str]) -> Stored | None:
    """The stored run, its file kept with the scenario; or None with the problem noted."""
    try:
        # A hidden file would not be sealed with the run, and two dots would not be kept as they are.
        text = None if ".." in file or file.rpartition("/")[2].startswith(".") else context.read(file)
        if text is None:
            hint = "a plain path inside the project, such as reports/quickstart.verdict.json"
            raise FieldError(f"no such file: {file}", hint)
        return _stored(file, text, slo, context.read(slo.where.file), phases)
    except ValueError as error:
        hint = getattr(error, "hint", "") or "write the verdict.json of a run there"
        context.trouble(("to",), str(error) if isinstance(error, FieldError) else f"not a verdict file: {error}", hint)
    except (KeyError, TypeError, AttributeError) as error:
        context.trouble(("to",), f"not a whole verdict file: {error!r}", "write the verdict.json of a run there")
    return None


def _stored(file: str, text: str, slo: Slo, slo_text: str | None, phases: Sequence[str]) -> Stored:
    """The counts in a verdict file. Raises ValueError (FieldError with a hint), KeyError, TypeError, AttributeError."""
    data = json.loads(text)
    if data["schema"] != _SCHEMA:
        raise FieldError(f"expected schema {_SCHEMA}, got {data['schema']!r}", "write the verdict.json of a run there")
    states = [one["state"] for one in (*data["expectations"], *data["checks"])]
    if not (data["verdict"] == "PASS" and data["checks"] and all(state == "PASS" for state in states)):
        what = f"the run {data['run']} is no baseline: it is {data['verdict']}, or not all of it is PASS"
        raise FieldError(what, "only a run that passed with every check of trust shows what is normal")
    _same_slo(data["provenance"], slo, slo_text)
    slos = {one["id"]: one for one in data["expectations"] if one["kind"] == "slo"}
    wanted = f"slo:{slo.id}[{','.join(phases)}]"
    if wanted not in slos:
        raise FieldError(f"the run {data['run']} did not judge {wanted}", did_you_mean(wanted, slos))
    return Stored(file=file, run=str(data["run"]), counts=_counts_in(slos[wanted]))


def _same_slo(provenance: dict[str, str], slo: Slo, text: str | None) -> None:
    """Another bound or another query would count other requests as bad. Raises FieldError."""
    if text is None or provenance.get(f"digest {slo.where.file}") != hashlib.sha256(text.encode()).hexdigest():
        what = f"that run was judged by another {slo.where.file}, so it may count other requests as bad"
        raise FieldError(what, "play it again and store its verdict.json")


def _counts_in(entry: dict[str, Any]) -> Counts:
    n, bad, effective = entry["n"], entry["bad"], entry.get("n_eff")
    effective = n if effective is None else effective
    whole = type(n) is int and type(bad) is int and 0 <= bad <= n
    if not (whole and n > 0 and isinstance(effective, int | float) and 0 < effective <= n):
        raise FieldError(f"{entry['id']} holds no counts to compare with", "write the verdict.json of a run there")
    return Counts(bad=bad, total=n, effect=n / effective)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotWorse(Expectation):
    """The bad-event ratio of `now` is above that of `base` (phases), or of `stored` (a run), by at most `margin`."""

    kind: ClassVar[str] = "compare"
    slo: Slo = field()
    now: tuple[str, ...]
    base: tuple[str, ...] = ()
    stored: Stored | None = None
    margin: float

    @property
    def id(self) -> str:
        """compare:gateway/ttft[fault]~[baseline]."""
        against = self.stored.file if self.stored else f"[{','.join(self.base)}]"
        return f"compare:{self.slo.id}[{','.join(self.now)}]~{against}"

    @property
    def during(self) -> tuple[str, ...]:
        """Every phase that it looks at, on either side."""
        return (*self.now, *self.base)

    @property
    def limit(self) -> float:
        """The margin, by the name under which others look for a limit."""
        return self.margin

    def judge(self, timeline: Timeline) -> Verdict:
        """PASS when the upper bound of the difference is within the margin, FAIL when the lower is beyond it."""
        alpha = timeline.scenario.alpha
        now = _counts(timeline, self.now, self.slo)
        base = self.stored.counts if self.stored else _counts(timeline, self.base, self.slo)
        state = self._state(_effective(now), _effective(base), alpha)
        more = self._more(now, base, alpha) if state is State.UNKNOWN else None
        evidence = self._evidence(now, base, alpha, more)
        text = self._sentence(state, now, base, evidence)
        return Verdict(id=self.id, kind=self.kind, state=state, sentence=text, evidence=evidence, where=self.where)

    def settled(self, timeline: Timeline) -> bool:  # noqa: ARG002 - never, whatever was seen
        """Its test may be asked once, when both sides are whole; so none of its phases may end early."""
        return False

    def forecast(self, scenario: Scenario, arrivals: Sequence[float]) -> Forecast:
        """Requests expected on both sides, and needed when none is bad; chances are against a clean baseline.

        As for a single ratio, the need is that of requests that have nothing to do with each other, where a run can
        show that; the chances are those of requests that keep company as on the reference platform.
        """
        now, before = _expected(scenario, self.now, arrivals), _expected(scenario, self.base, arrivals)
        stored = _effective(self.stored.counts) if self.stored else None
        alone = stored or stats.Sample(0, before.number / before.blind)
        least = stats.least_clean_not_worse(self.margin, alone, scenario.alpha)
        # With nothing to compare with, no number of requests would do.
        needed = now.number + 1 if least is None else math.ceil(least * now.blind)
        likely = int(now.number / now.effect)
        company = stored or stats.Sample(0, before.number / before.effect)
        most = stats.most_bad_not_worse(likely, company, self.margin, scenario.alpha)
        truths = [self.margin * share for share in _TRUTHS if self.margin * share < 1]
        against = f"{self.stored.counts.total} of the stored run" if self.stored else f"{before.number}"
        return Forecast(
            expectation=self.id,
            expects=now.number + before.number,
            needs=needed + before.number,
            most_bad=max(-1, int(most * now.effect)),
            chances={truth: stats.chance_of_at_most(most, likely, truth) for truth in truths},
            note=f"{now.number} requests against {against}; {needed} are needed when none is bad",
        )

    def _state(self, now: stats.Sample, base: stats.Sample, alpha: float) -> State:
        if stats.not_worse(now, base, self.margin, alpha):
            return State.PASS
        # Worse by more than the margin: the same question with the roles exchanged.
        return State.FAIL if stats.not_worse(base, now, -self.margin, alpha) else State.UNKNOWN

    def _more(self, now: Counts, base: Counts, alpha: float) -> int | None:
        """Further requests, as many on each side (a stored one does not grow), that decide it if the ratios stay."""
        if not (now.total and base.total):
            return None

        def decided(more: int) -> bool:
            longer = _effective(now).longer(more / now.effect)
            beside = _effective(base).longer(0.0 if self.stored else more / base.effect)
            return self._state(longer, beside, alpha) is not State.UNKNOWN

        return stats.first_that(decided, _REACH)

    def _evidence(self, now: Counts, base: Counts, alpha: float, more: int | None) -> Evidence:
        mine, other = _effective(now), _effective(base)
        return Evidence(
            n=now.total,
            bad=now.bad,
            n_eff=now.n_eff,
            estimate=mine.ratio - other.ratio if now.total and base.total else None,
            low=stats.difference_lower_bound(mine, other, alpha),
            high=stats.difference_upper_bound(mine, other, alpha),
            limit=self.margin,
            unit="difference of bad-event ratios",
            method="score test of n_eff (Miettinen-Nurminen), by its exact distribution (Chan-Zhang)",
            alpha=alpha,
            p=stats.not_worse_p_value(other, mine, -self.margin, alpha),
            more=more,
            other={
                "baseline": f"run {self.stored.run}" if self.stored else ", ".join(self.base),
                "baseline n": base.total,
                "baseline bad": base.bad,
                "baseline n_eff": base.n_eff,
            },
        )

    def _sentence(self, state: State, now: Counts, base: Counts, seen: Evidence) -> str:
        here = ", ".join(self.now)
        there = f"run {self.stored.run}" if self.stored else ", ".join(self.base)
        for counts, where in ((now, here), (base, there)):
            if not counts.total:
                return f"No request was seen in {where}, so nothing can be compared."
        counted = f"{_share(now)} were bad in {here}, {_share(base)} in {there}"
        allowed = f"it may be worse by {_points(self.margin)} percentage points"
        if state is State.PASS:
            return f"{counted}; {allowed}, and truly is by at most {_points(seen.high or 0.0)}."
        if state is State.FAIL:
            return f"{counted}; {allowed}, and truly is by at least {_points(seen.low or 0.0)}."
        where = f"in {here}" if self.stored else "on each side"
        more = (
            f"{seen.more} more like these {where} would" if seen.more else "no number of such requests in reach would"
        )
        return f"{counted}; {allowed}. Too few to decide: {more}."


def _counts(timeline: Timeline, names: Sequence[str], slo: Slo) -> Counts:
    return count(timeline, names, slo.sli, slo.bound)


def _effective(counts: Counts) -> stats.Sample:
    """Both sides are samples, so a burst that one of them happened to have tells little: effective requests count."""
    return stats.Sample(min(counts.bad_eff, counts.n_eff), counts.n_eff)


@dataclass(frozen=True, slots=True)
class _Foreseen:
    """Requests due on one side, over so many seconds."""

    number: int
    seconds: float

    @property
    def blind(self) -> float:
        """How many tell as much as one where too few seconds show how they cluster: each second counts as one."""
        return max(1.0, self.number / self.seconds) if 0 < self.seconds < stats.FEWEST_BLOCKS else 1.0

    @property
    def effect(self) -> float:
        """How many do at a guess."""
        return max(self.blind, COMPANY)


def _expected(scenario: Scenario, names: Sequence[str], arrivals: Sequence[float]) -> _Foreseen:
    phases = [scenario.phase(name) for name in names]
    number = sum(1 for due in arrivals if any(phase.start <= due < phase.end for phase in phases))
    return _Foreseen(number, sum(phase.length for phase in phases))


def _share(counts: Counts) -> str:
    return f"{counts.bad} of {counts.total} requests ({show_ratio(counts.bad / counts.total, 3)})"


def _points(difference: float) -> str:
    return f"{difference * 100:.3g}"
