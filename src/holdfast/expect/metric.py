"""`metric`: every sample of a PromQL expression over some phases keeps its bounds; what silence means is declared.

Asked of Prometheus alone, once a scrape interval, when the run is over; judged from what was written down then.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, Field

from holdfast.expect.base import Context, ExpectationShape
from holdfast.model.scenario import Expectation, Forecast
from holdfast.model.verdict import Evidence, State, Verdict, worst
from holdfast.spec.shapes import FieldError
from holdfast.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from holdfast.model.scenario import Phase, Scenario
    from holdfast.model.timeline import Answer, Timeline

NoData = Literal["unknown", "pass", "fail"]
"""What silence means: nothing is known, it is good, it is bad."""

MISSED: Final = 3
"""Intervals without a sample that are borne, as the check of trust bears them between scrapes."""

_DECLARED: Final = {"unknown": State.UNKNOWN, "pass": State.PASS, "fail": State.FAIL}
_SHORT: Final = 40
_NAME: Final = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]*")


def _single(value: str) -> str:
    """The expression, if it is PromQL and gives a number for each moment."""
    import promql_parser as promql  # noqa: PLC0415 - only where an expression is checked

    try:
        tree = promql.parse(value)
    except ValueError as error:
        raise FieldError(f"not PromQL: {str(error).strip().splitlines()[0]}", "try it in Prometheus") from error
    while isinstance(tree, promql.ParenExpr):
        tree = tree.expr
    if isinstance(tree, promql.MatrixSelector | promql.SubqueryExpr):
        raise FieldError("a range of samples is no single value", "say which: max_over_time(...), rate(...)")
    if isinstance(tree, promql.StringLiteral):
        raise FieldError("a text is no value", "ask for a number")
    return value


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise FieldError(f"not a name: {value!r}", "letters, digits, and - _ . after the first")
    return value


def _bound(value: float) -> float:
    if not math.isfinite(value):
        raise FieldError("a bound must be finite", "leave it out if there is none")
    return value


class Shape(ExpectationShape):
    """{metric: 'sum(vllm:num_requests_waiting)', during: [baseline], at-most: 5}."""

    metric: Annotated[str, AfterValidator(_single)]
    during: list[str] = Field(min_length=1)
    at_most: Annotated[float, AfterValidator(_bound)] | None = Field(None, alias="at-most")
    at_least: Annotated[float, AfterValidator(_bound)] | None = Field(None, alias="at-least")
    no_data: NoData = Field("unknown", alias="no-data")
    name: Annotated[str, AfterValidator(_name)] | None = None

    def resolve(self, context: Context) -> StaysWithin:
        """Look up the phases; at least one bound, and a value must be able to keep both."""
        if self.at_most is None and self.at_least is None:
            context.trouble(("metric",), "nothing is asked of the metric", "add at-most: 5 or at-least: 1")
        if self.at_most is not None and self.at_least is not None and self.at_least > self.at_most:
            what = f"no value is at least {self.at_least:g} and at most {self.at_most:g}"
            context.trouble(("at-least",), what, "are they exchanged?")
        return StaysWithin(
            query=self.metric,
            name=self.name or _shortened(self.metric),
            during=context.phase_names("during", self.during),
            at_most=self.at_most,
            at_least=self.at_least,
            no_data=self.no_data,
            where=context.where,
        )


def _shortened(query: str) -> str:
    line = " ".join(query.split())
    return line if len(line) <= _SHORT else f"{line[: _SHORT - 3]}..."


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one series at second `t` of the run; None is NaN."""

    t: float
    value: float | None
    series: str

    def __str__(self) -> str:
        """Where it stands: second 31 ({instance="engine-2"})."""
        return f"second {self.t:.6g}" + (f" ({self.series})" if self.series else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class StaysWithin(Expectation):
    """Bounds for every sample of every series; `no_data` says what it means when there are none for a while."""

    kind: ClassVar[str] = "metric"
    query: str
    name: str
    during: tuple[str, ...]
    at_most: float | None = None
    at_least: float | None = None
    no_data: NoData = "unknown"

    @property
    def id(self) -> str:
        """metric:queue[baseline]."""
        return f"metric:{self.name}[{','.join(self.during)}]"

    @property
    def queries(self) -> tuple[tuple[str, str], ...]:
        """The expression over each phase."""
        return tuple((self.query, name) for name in dict.fromkeys(self.during))

    def judge(self, timeline: Timeline) -> Verdict:
        """FAIL for one real violation, whatever else; UNKNOWN for NaN and a missing record; silence as declared."""
        answers = [one for one in timeline.metrics.answers if one.query == self.query and one.phase in self.during]
        samples = list(_samples(answers, timeline.scenario, timeline.metrics.interval))
        silent = list(self._silences(answers, samples, timeline)) if answers else []
        outside = [one for one in samples if one.value is not None and not self._keeps(one.value)]
        told = [
            *self._outside(outside, samples),
            *self._missing(answers),
            *_no_numbers(samples),
            *self._silence(silent),
        ]
        state = worst([State.PASS, *(state for state, _ in told)])
        sentence = " ".join([*(text for _, text in told), *self._kept(samples, outside)])
        evidence = self._evidence(samples, outside, silent)
        return Verdict(id=self.id, kind=self.kind, state=state, sentence=sentence, evidence=evidence, where=self.where)

    def settled(self, timeline: Timeline) -> bool:  # noqa: ARG002 - never, whatever was seen
        """It is asked of every second of its phases, so none of them may end early."""
        return False

    def forecast(self, scenario: Scenario, arrivals: Sequence[float]) -> Forecast:  # noqa: ARG002 - rests on no request
        """How many samples of each series there should be."""
        expects = sum(_due(scenario.phase(name), 1.0) for name in set(self.during))
        note = f"each of {expects} samples {self._asked()}; no data means {self.no_data}"
        return Forecast(expectation=self.id, expects=expects, note=note)

    def _keeps(self, value: float) -> bool:
        return self._beyond(value)[0] <= 0

    def _beyond(self, value: float) -> tuple[float, float]:
        """By how much a value breaks its nearest bound (0 or less: it does not), and that bound."""
        bounds = [(value - limit, limit) for limit in (self.at_most,) if limit is not None]
        bounds += [(limit - value, limit) for limit in (self.at_least,) if limit is not None]
        return max(bounds, default=(math.inf, math.nan))

    def _asked(self) -> str:
        low = "" if self.at_least is None else f"at least {self.at_least:g}"
        high = "" if self.at_most is None else f"at most {self.at_most:g}"
        return " and ".join(filter(None, (low, high)))

    def _outside(self, outside: list[Sample], samples: list[Sample]) -> Iterator[tuple[State, str]]:
        if outside:
            far = max(outside, key=lambda one: self._beyond(one.value or 0.0)[0])
            counted = f"{len(outside)} of {len(samples)} samples are not {self._asked()}"
            yield State.FAIL, f"{counted}; the worst is {far.value:g} at {far}."

    def _missing(self, answers: list[Answer]) -> Iterator[tuple[State, str]]:
        """An expression that was never answered is no silence: nobody listened."""
        for name in dict.fromkeys(self.during):
            mine = [one for one in answers if one.phase == name]
            if not mine:
                yield State.UNKNOWN, f"No answer was recorded for phase {name}."
            for text in dict.fromkeys(one.trouble for one in mine if one.trouble):
                yield State.UNKNOWN, f"Phase {name}: {text}."

    def _silences(self, answers: list[Answer], samples: list[Sample], timeline: Timeline) -> Iterator[str]:
        """Where a series said nothing: each one that was seen at all is expected in every phase that was answered."""
        interval = timeline.metrics.interval
        seen: dict[str, list[float]] = {}
        for one in samples:
            seen.setdefault(one.series, []).append(one.t)
        for name in dict.fromkeys(one.phase for one in answers if not one.trouble):
            phase = timeline.scenario.phase(name)
            for series, moments in sorted(seen.items()) or [("", [])]:
                times = [t for t in moments if _inside(t, phase, interval)]
                widest, since = _widest(times, phase, interval)
                if not (times and widest <= (MISSED + 0.5) * interval):
                    seconds = min(since + widest, phase.end) - since
                    lasting = f"{show_duration(round(seconds, 1))} of {name} from second {since:.6g}"
                    yield f"{lasting} ({series})" if series else lasting

    def _silence(self, silent: list[str]) -> Iterator[tuple[State, str]]:
        if silent:
            where = silent[0] if len(silent) == 1 else f"{silent[0]} and {len(silent) - 1} more times"
            meaning = {
                "unknown": "so nothing is known of it",
                "pass": "silence was declared to mean good (no-data: pass)",
                "fail": "silence was declared to mean bad (no-data: fail)",
            }
            yield _DECLARED[self.no_data], f"There are no data for {where}; {meaning[self.no_data]}."

    def _kept(self, samples: list[Sample], outside: list[Sample]) -> Iterator[str]:
        values = [one.value for one in samples if one.value is not None]
        if values and not outside:
            far = max(values, key=lambda value: self._beyond(value)[0])
            yield f"All {len(values)} samples with a value are {self._asked()}; the worst is {far:g}."

    def _evidence(self, samples: list[Sample], outside: list[Sample], silent: list[str]) -> Evidence:
        values = [one.value for one in samples if one.value is not None]
        far = max(values, key=lambda value: self._beyond(value)[0], default=None)
        other: Mapping[str, float | int | str | None] = {
            "at least": self.at_least,
            "at most": self.at_most,
            "series": len({one.series for one in samples}),
            "samples that are no number": len(samples) - len(values),
            "times without data": len(silent),
            "no data means": self.no_data,
        }
        return Evidence(
            n=len(values),
            bad=len(outside),
            estimate=far,
            limit=self._beyond(0.0 if far is None else far)[1],
            unit="as measured",
            method="every sample of a range query, one each scrape interval",
            other=other,
        )


def _samples(answers: list[Answer], scenario: Scenario, interval: float) -> Iterator[Sample]:
    """Every sample that lies in the phase it is said to be of."""
    for answer in answers:
        phase = scenario.phase(answer.phase)
        for one in answer.series:
            series = ", ".join(f'{name}="{value}"' for name, value in sorted(one.labels.items()))
            yield from (Sample(t, value, series) for t, value in one.points if _inside(t, phase, interval))


def _inside(t: float, phase: Phase, interval: float) -> bool:
    """A sample is of the interval before it, so that of a phase's start belongs to the phase before."""
    return phase.start + interval / 2 < t < phase.end + interval / 2


def _due(phase: Phase, interval: float) -> int:
    return max(1, math.floor(phase.length / interval + 1e-6))


def _widest(times: list[float], phase: Phase, interval: float) -> tuple[float, float]:
    """The longest time without a sample, and since when; the edges count as one interval from a sample."""
    edges = [phase.start, *sorted(times), phase.end + interval]
    return max(((after - before, before) for before, after in pairwise(edges)), key=lambda gap: gap[0])


def _no_numbers(samples: list[Sample]) -> Iterator[tuple[State, str]]:
    """NaN is an answer, so it is no silence; but it is no value either."""
    empty = [one for one in samples if one.value is None]
    if empty:
        yield State.UNKNOWN, f"{len(empty)} of {len(samples)} samples are no number (NaN), the first at {empty[0]}."
