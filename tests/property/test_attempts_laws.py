"""Laws of trying again, whatever happened before: it never turns FAIL into PASS, and never gains by being done more."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from holdfast.attempts import Attempt, Counted, from_dict, stand
from holdfast.model.verdict import State, worst

NAMES = ("slo:a", "slo:b")


@st.composite
def counts(draw):
    n = draw(st.integers(0, 2000))
    return Counted(
        id=draw(st.sampled_from(NAMES)),
        n=n,
        bad=draw(st.integers(0, n)),
        n_eff=n / draw(st.floats(1, 20)) if n else 0.0,
        limit=0.01,
        trusted=draw(st.booleans()) and n > 0,
    )


@st.composite
def attempts(draw):
    rest = draw(st.sampled_from(State))
    state = worst([rest, draw(st.sampled_from([State.PASS, State.UNKNOWN, State.FAIL]))])
    return Attempt(
        state=state,
        failed=state is State.FAIL or draw(st.booleans()),
        rest=rest,
        counted=tuple(draw(st.lists(counts(), max_size=2, unique_by=lambda one: one.id))),
        undecided=tuple(draw(st.lists(st.just("compare:x"), max_size=1))),
        run="run",
    )


OTHERS = st.lists(attempts(), max_size=6)
FREE = OTHERS.map(lambda found: [one for one in found if not one.failed and one.state is not State.FAIL])


def after(own, others, number=None):
    return stand("s", own, number or len(others) + 1, dict(enumerate(others, 1)), 0.05).state


@given(own=attempts(), others=OTHERS, failed=attempts())
def test_once_it_failed_no_later_attempt_passes(own, others, failed):
    failed = Attempt(state=State.FAIL, failed=True, rest=State.FAIL, counted=failed.counted, run="run")
    assert after(own, [*others, failed]).severity >= State.FAIL.severity


@given(own=attempts(), others=OTHERS)
def test_an_earlier_attempt_that_failed_never_improves_the_answer(own, others):
    failed = Attempt(state=State.FAIL, failed=True, rest=State.FAIL, run="run")
    assert after(own, [*others, failed]).severity >= after(own, others).severity


@given(own=attempts(), others=FREE, data=st.data())
def test_the_order_of_earlier_attempts_does_not_matter(own, others, data):
    assert after(own, data.draw(st.permutations(others))) is after(own, others)


@given(own=attempts(), others=FREE)
def test_what_is_not_counted_is_never_mended(own, others):
    assert not others or after(own, others).severity >= own.rest.severity or not own.counted


@given(own=attempts(), others=FREE)
def test_a_later_attempt_passes_only_on_evidence_of_all(own, others):
    if not others or not own.counted or after(own, others) is not State.PASS:
        return
    for name in {one.id for one in own.counted}:
        mine = [one for attempt in (*others, own) for one in attempt.counted if one.id == name and one.trusted]
        assert math.fsum(one.log_e for one in mine) >= math.log(20) - 1e-9


@given(own=attempts(), others=FREE)
def test_a_killed_attempt_never_helps(own, others):
    if others:
        assert after(own, [*others, Attempt()]).severity == after(own, others).severity
    else:
        # From the second attempt on the exact bound alone is not believed any more, but nothing else becomes better.
        assert after(own, [Attempt()]).severity >= worst([own.rest]).severity or not own.counted


@given(own=attempts())
def test_an_attempt_is_read_back_as_it_was_written(own):
    assert from_dict(own.to_dict()) == own
