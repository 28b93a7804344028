"""The laws of continuous batching, for any mix of arrivals, aborts and limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refplatform.engine.scheduler import QueueFullError, Scheduler, Sequence

SIZES = st.tuples(st.integers(1, 60), st.integers(1, 12))  # prompt tokens, answer tokens
LIMITS = st.tuples(st.integers(1, 6), st.integers(1, 20))  # sequences, spare budget beyond one token each


def make(limits, queued=10_000):
    seqs, spare = limits
    return Scheduler(max_num_seqs=seqs, max_num_batched_tokens=seqs + spare, max_num_queued_reqs=queued)


def filled(limits, sizes):
    scheduler = make(limits)
    sequences = [Sequence(prompt, asked) for prompt, asked in sizes]
    for sequence in sequences:
        scheduler.add(sequence)
    return scheduler, sequences


def run(scheduler, *, upto=100_000):
    """All steps until nothing is left, each with the sequences that gained a token."""
    while upto and (step := scheduler.plan()):
        upto -= 1
        yield step, scheduler.commit(step)


@given(LIMITS, st.lists(SIZES, max_size=15))
def test_every_request_gets_exactly_the_tokens_it_asked_for(limits, sizes):
    scheduler, sequences = filled(limits, sizes)
    out = [sequence for _, gained in run(scheduler) for sequence in gained]
    assert [out.count(sequence) for sequence in sequences] == [asked for _, asked in sizes]
    assert not scheduler.running
    assert not scheduler.waiting


@given(LIMITS, st.lists(SIZES, max_size=15))
def test_no_step_exceeds_the_token_budget_or_the_number_of_sequences(limits, sizes):
    seqs, spare = limits
    for step, _ in run(filled(limits, sizes)[0]):
        assert step.tokens <= seqs + spare
        assert len(step.chunks) <= seqs
        assert all(tokens >= 1 for _, tokens in step.chunks)


@given(LIMITS, st.lists(SIZES, max_size=15))
def test_it_is_work_conserving(limits, sizes):
    # Someone waits only when all seats are taken or the step's budget is spent.
    seqs, spare = limits
    scheduler, _ = filled(limits, sizes)
    while step := scheduler.plan():
        assert not scheduler.waiting or len(scheduler.running) == seqs or step.tokens == seqs + spare
        scheduler.commit(step)


@given(LIMITS, st.lists(SIZES, max_size=15))
def test_admission_and_first_tokens_are_first_come_first_served(limits, sizes):
    scheduler, sequences = filled(limits, sizes)
    first = list(dict.fromkeys(sequence for _, gained in run(scheduler) for sequence in gained))
    assert first == sequences


@given(LIMITS, st.lists(SIZES, max_size=15))
def test_every_decoding_sequence_gains_a_token_in_every_step(limits, sizes):
    scheduler, _ = filled(limits, sizes)
    while True:
        decoding = [s for s in scheduler.running if not s.prefilling]
        step = scheduler.plan()
        if step is None:
            break
        assert set(decoding) <= set(scheduler.commit(step))


@given(LIMITS, st.lists(SIZES, max_size=15))
def test_prompts_are_computed_once_in_chunks(limits, sizes):
    scheduler, _ = filled(limits, sizes)
    prefilled = sum(step.prefill_tokens for step, _ in run(scheduler))
    assert prefilled == sum(prompt for prompt, _ in sizes)


@given(LIMITS, st.lists(SIZES, min_size=1, max_size=15), st.data())
def test_an_abort_frees_at_once_even_in_the_middle_of_a_step(limits, sizes, data):
    scheduler, sequences = filled(limits, sizes)
    for _ in run(scheduler, upto=data.draw(st.integers(0, 20))):
        pass
    step = scheduler.plan()
    victim = data.draw(st.sampled_from(sequences))
    scheduler.abort(victim)
    assert victim not in scheduler.running
    assert victim not in scheduler.waiting
    assert scheduler.context == sum(s.context for s in scheduler.running)
    if step:
        assert victim not in scheduler.commit(step)
    for _, gained in run(scheduler):
        assert victim not in gained
    assert all(s.finished for s in sequences if s is not victim)


def test_a_long_prompt_is_cut_to_what_the_decodes_leave():
    scheduler = make((2, 8))  # budget 2 + 8 = 10
    short, long = Sequence(4, 5), Sequence(30, 1)
    scheduler.add(short)
    scheduler.add(long)
    # step 1: 4 of the short prompt, 6 of the long; then 1 decode and 9 of the long: 6 + 9 + 9 = 24; the last 6; done
    chunks = [[tokens for _, tokens in step.chunks] for step, _ in run(scheduler)]
    assert chunks == [[4, 6], [1, 9], [1, 9], [1, 6], [1]]


def test_the_queue_limit_refuses_what_can_neither_run_nor_wait():
    scheduler = make((2, 8), queued=1)
    for _ in range(3):  # 2 may run in the next step, 1 may wait
        scheduler.add(Sequence(1, 1))
    with pytest.raises(QueueFullError):
        scheduler.add(Sequence(1, 1))
    assert len(scheduler.waiting) == 3
