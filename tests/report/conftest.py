"""`st.from_type(Report)` gives any report that the model allows, its state merged as a judgement merges it."""

from __future__ import annotations

from hypothesis import strategies as st

from holdfast.errors import Location
from holdfast.model.verdict import Check, Evidence, Report, State, Verdict, worst

WORDS = st.text(max_size=60)
STATES = st.sampled_from(State)
REALS = st.none() | st.floats(width=64)
COUNTS = st.none() | st.integers(0, 10**9)


PLACES = st.builds(Location, file=WORDS, line=st.integers(0, 9999), column=st.integers(0, 200))
EVIDENCE = st.builds(
    Evidence,
    n=COUNTS,
    bad=COUNTS,
    estimate=REALS,
    low=REALS,
    high=REALS,
    limit=REALS,
    unit=st.sampled_from(["", "ratio", "seconds", "requests"]) | WORDS,
    method=WORDS,
    alpha=REALS,
    more=COUNTS,
    other=st.dictionaries(WORDS, REALS | st.integers(-(10**12), 10**12) | WORDS, max_size=3),
)
VERDICTS = st.builds(Verdict, id=WORDS, kind=WORDS, state=STATES, sentence=WORDS, evidence=EVIDENCE, where=PLACES)
CHECKS = st.builds(
    Check,
    name=WORDS,
    state=st.sampled_from([State.PASS, State.UNKNOWN, State.NOT_RESTORED]),
    seen=WORDS,
    limit=WORDS,
    reason=WORDS,
    spoils=st.frozensets(st.sampled_from(["slo", "alert", "budget"])),
)


@st.composite
def reports(draw):
    answers = tuple(draw(st.lists(VERDICTS, max_size=4)))
    checks = tuple(draw(st.lists(CHECKS, max_size=4)))
    states = [one.state for one in (*answers, *checks)]
    return Report(
        scenario=draw(WORDS),
        title=draw(WORDS),
        run=draw(WORDS),
        state=worst([*states, *([] if answers and checks else [State.UNKNOWN])]),
        verdicts=answers,
        checks=checks,
        provenance=draw(st.dictionaries(WORDS, WORDS, max_size=3)),
    )


st.register_type_strategy(Report, reports())
