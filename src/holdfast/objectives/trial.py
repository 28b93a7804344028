"""`slo test`: makes the tests of each SLO, lets promtool run them, and says what did not hold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from holdfast.errors import UsageError
from holdfast.model.verdict import State, worst
from holdfast.slo.promtests.files import TESTS, files_of
from holdfast.slo.promtests.probe import CannotTestError
from holdfast.slo.rules import rule_file
from holdfast.store.folder import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from holdfast.model.slo import Slo
    from holdfast.sources.promtool import Answer, Failed, Promtool

_AT_ONCE: Final = 2
_TAGS: Final = {State.FAIL: "failure", State.UNKNOWN: "error"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of one SLO's tests: how many expectations there were, and which did not hold."""

    slo: Slo
    state: State
    checks: int = 0
    failed: tuple[Failed, ...] = ()
    why: str = ""

    @property
    def sentence(self) -> str:
        """One line: what was shown, or why nothing was."""
        if self.state is State.PASS:
            return f"{self.slo.id}: {self.checks} expectations hold"
        if self.failed:
            return f"{self.slo.id}: {len(self.failed)} of {self.checks} expectations do not hold"
        return f"{self.slo.id}: {self.why}"


def tried(slos: Sequence[Slo], folder: Path, promtool: Promtool, today: datetime) -> Iterator[Trial]:
    """Write rules and tests of every SLO into a folder and run them, in order.

    Raises UsageError when there is no SLO to test or two share a name, and InfrastructureError from promtool.
    """
    if not slos:
        raise UsageError("there is no SLO to test", hint="name a file that has one, or put it into slos/")
    ids = [slo.rule_id for slo in slos]
    if twice := sorted({one for one in ids if ids.count(one) > 1}):
        raise UsageError(f"two SLOs are named {twice[0]}", hint="test their files one by one")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for slo in slos:
            yield _tried(slo, folder, promtool, today, pool)


def _tried(slo: Slo, folder: Path, promtool: Promtool, today: datetime, pool: ThreadPoolExecutor) -> Trial:
    try:
        files = files_of(slo, rule_file([slo], today), today)
    except CannotTestError as error:
        return Trial(slo=slo, state=State.UNKNOWN, why=f"cannot write tests for this SLI: {error}")
    for name, text in files.items():
        write_whole(folder / name, text)
    tests = [folder / name for name in files if name.endswith(TESTS)]
    return judged(slo, list(pool.map(promtool.test, tests)), _asked(files.values()))


def judged(slo: Slo, answers: Sequence[Answer], checks: int) -> Trial:
    """Every file must have passed; one that failed without a word about it is known to be no better."""
    failed = tuple(chain.from_iterable(answer.failed for answer in answers))
    wordless = [answer.text for answer in answers if not answer.good and not answer.failed]
    if failed or wordless or not answers:
        why = wordless[0] if wordless else "no test was run"
        return Trial(slo=slo, state=State.FAIL if answers else State.UNKNOWN, checks=checks, failed=failed, why=why)
    return Trial(slo=slo, state=State.PASS, checks=checks)


def _asked(texts: Iterable[str]) -> int:
    return sum(text.count("\n    eval_time:") for text in texts)


def junit_of(trials: Sequence[Trial]) -> str:
    """A JUnit file with one test case for each SLO; what could not be tested is an error."""
    suite = Element("testsuite", name="holdfast slo test", tests=str(len(trials)))
    for state, tag in _TAGS.items():
        suite.set(f"{tag}s", str(sum(one.state is state for one in trials)))
    for one in trials:
        where = one.slo.where
        case = SubElement(suite, "testcase", classname=one.slo.service, name=one.slo.name, file=where.file)
        if one.state is not State.PASS:
            text = "\n".join(
                f"{failed.case}, at {failed.at}: expected {failed.wanted}, got {failed.got}" for failed in one.failed
            )
            SubElement(case, _TAGS.get(one.state, "error"), message=one.sentence).text = text
    indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suite, encoding="unicode") + "\n"


def outcome(trials: Iterable[Trial]) -> State:
    """The worst of all; nothing tested is nothing shown."""
    return worst(trial.state for trial in trials)
