"""`invariant`: a named exact check over the whole record; one violation is a FAIL."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from holdfast.expect.base import Context, ExpectationShape
from holdfast.model.scenario import Expectation
from holdfast.model.verdict import Evidence, State, Verdict
from holdfast.spec.source import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from holdfast.model.timeline import Timeline


class Shape(ExpectationShape):
    """{invariant: answers-complete}."""

    invariant: str

    def resolve(self, context: Context) -> InvariantHolds | None:
        """The name must be one of INVARIANTS."""
        if self.invariant not in INVARIANTS:
            hint = did_you_mean(self.invariant, INVARIANTS)
            context.trouble(("invariant",), f"no invariant named {self.invariant!r}", hint)
            return None
        return InvariantHolds(invariant=self.invariant, where=context.where)


def answers_complete(requests: pd.DataFrame) -> tuple[str, pd.Series[bool], pd.Series[bool]]:
    """Every answer that ended well holds as many tokens as were asked for: no clean-looking truncation."""
    answered = requests["outcome"] == "ok"
    tokens, asked = requests["tokens"], requests["asked_tokens"]
    whole = (asked > 0) & (tokens >= asked) & (tokens < math.inf)  # false where a count is missing or none
    return "a good answer has every token asked for", answered, ~whole


def answers_right(requests: pd.DataFrame) -> tuple[str, pd.Series[bool], pd.Series[bool]]:
    """Every answer that was known beforehand, and came whole, is the one that was expected."""
    checked = requests["content"] != ""
    return "an answer to a question of the profile's prompts is as expected", checked, requests["content"] != "right"


INVARIANTS: Final[dict[str, Callable[[pd.DataFrame], tuple[str, pd.Series[bool], pd.Series[bool]]]]] = {
    "answers-complete": answers_complete,
    "answers-right": answers_right,
}
"""Name -> requests -> (what must hold, rows it speaks of, rows that break it)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvariantHolds(Expectation):
    """No row of the record breaks the named invariant."""

    kind: ClassVar[str] = "invariant"
    invariant: str

    @property
    def id(self) -> str:
        """invariant:answers-complete."""
        return f"invariant:{self.invariant}"

    def judge(self, timeline: Timeline) -> Verdict:
        """UNKNOWN when the invariant speaks of no row at all."""
        meaning, rows, broken = INVARIANTS[self.invariant](timeline.load.requests)
        n, bad = int(rows.sum()), int((rows & broken).sum())
        if n == 0:
            state, sentence = State.UNKNOWN, f"Nothing to check that {meaning}."
        elif bad:
            state, sentence = State.FAIL, f"{bad} of {n} break it: {meaning}."
        else:
            state, sentence = State.PASS, f"All {n}: {meaning}."
        evidence = Evidence(n=n, bad=bad, estimate=bad / n if n else None, limit=0.0, method="exact count")
        return Verdict(id=self.id, kind=self.kind, state=state, sentence=sentence, evidence=evidence, where=self.where)
