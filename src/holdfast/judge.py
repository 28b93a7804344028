"""The verdict: trust first, then every expectation, then the worst of all. Pure: the same record, the same answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.model.verdict import Check, Evidence, Report, State, Verdict, worst
from holdfast.stats import holm
from holdfast.trust import checks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.model.scenario import Expectation
    from holdfast.model.timeline import Timeline


def judge(timeline: Timeline, provenance: Mapping[str, str] | None = None) -> Report:
    """Every expectation's answer, spoiled where the record cannot be trusted, and the merged state."""
    asked = checks(timeline)
    answers = [_answer(one, timeline) for one in timeline.scenario.expect]
    alone = _not_by_chance(answers, timeline.scenario.alpha)
    verdicts = tuple(_trusted(answer, asked) for answer in alone)
    state = worst([*(verdict.state for verdict in verdicts), *(check.state for check in asked)])
    return Report(
        scenario=timeline.scenario.name,
        title=timeline.scenario.title,
        run=timeline.run,
        state=state if verdicts else worst([State.UNKNOWN, state]),
        verdicts=verdicts,
        checks=asked,
        provenance=provenance or {},
    )


def _answer(expectation: Expectation, timeline: Timeline) -> Verdict:
    """The expectation's own answer; one that raised knows nothing."""
    try:
        return expectation.judge(timeline)
    except Exception as error:  # noqa: BLE001 - a judgement that breaks must never lose the run, nor pass it
        return Verdict(
            id=expectation.id,
            kind=expectation.kind,
            state=State.UNKNOWN,
            sentence=f"The judgement itself broke: {type(error).__name__}: {error}",
            evidence=Evidence(),
            where=expectation.where,
        )


def _not_by_chance(answers: list[Verdict], alpha: float) -> list[Verdict]:
    """The answers, with each FAIL that the number of questions asked may explain turned into UNKNOWN.

    PASS needs no such correction: all must pass, so one broken objective is enough to keep the error at alpha.
    """
    asked = [one for one in answers if one.evidence.p is not None]
    stands = dict(zip(map(id, asked), holm([one.evidence.p or 0.0 for one in asked], alpha), strict=True))
    return [
        _doubted(one, len(asked)) if one.state is State.FAIL and not stands.get(id(one), True) else one
        for one in answers
    ]


def _doubted(verdict: Verdict, questions: int) -> Verdict:
    sentence = f"Asked alone it would be FAIL, but one of {questions} questions may fail by chance: {verdict.sentence}"
    return replace(verdict, state=State.UNKNOWN, sentence=sentence)


def _trusted(verdict: Verdict, asked: tuple[Check, ...]) -> Verdict:
    """The verdict, or UNKNOWN with the first reason why the record does not carry it."""
    spoiled = next((one for one in asked if one.state is State.UNKNOWN and one.touches(verdict.kind)), None)
    if spoiled is None:
        return verdict
    sentence = f"Not judged: {spoiled.name}: {spoiled.seen}."
    return replace(verdict, state=State.UNKNOWN, sentence=f"{sentence} Otherwise: {verdict.state}. {verdict.sentence}")
