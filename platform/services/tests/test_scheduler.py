"""The laws of continuous batching, for any mix of arrivals, aborts, shared prefixes, limits and memory."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refplatform.engine.scheduler import BLOCK_TOKENS, BlockPool, Limits, QueueFullError, Scheduler, Sequence

# Prompt tokens, answer tokens (0: an embedding), which of three conversations its blocks belong to (0: nobody's).
SIZES = st.tuples(st.integers(1, 90), st.integers(0, 60), st.integers(0, 3))
LIMITS = st.builds(
    lambda seqs, spare, threshold: Limits(
        max_num_seqs=seqs, max_num_batched_tokens=seqs + spare, long_prefill_token_threshold=threshold
    ),
    st.integers(1, 8),
    st.integers(0, 90),
    st.sampled_from([0, 0, 0, 5, 17]),
)
# 150 tokens, the longest request, are 10 blocks.
MEMORY = st.one_of(st.integers(10, 16), st.integers(10, 50))
POLICY = st.sampled_from(["fcfs", "priority"])

LAW = settings(deadline=None)  # a crowded machine is no reason to fail


def hashes(tokens, conversation):
    """Names of the full blocks: equal for equal beginnings of one conversation."""
    return tuple((conversation, index) for index in range(tokens // BLOCK_TOKENS)) if conversation else ()


def request(prompt, asked, conversation=0, priority=0):
    return Sequence(prompt, asked, hashes(prompt, conversation), priority)


def held(scheduler):
    """Blocks held by the running, each shared one counted once."""
    shared = {name for sequence in scheduler.running for name in sequence.shared}
    return len(shared) + sum(sequence.blocks - len(sequence.shared) for sequence in scheduler.running)


def nothing_left(scheduler):
    """Whether no appointment and no count outlives the sequences."""
    return (len(scheduler._grows), len(scheduler._ends), scheduler._backlog, scheduler._context) == (0, 0, 0, 0)


@st.composite
def schedulers(draw, fewest=0):
    scheduler = Scheduler(draw(LIMITS), BlockPool(draw(MEMORY)), policy=draw(POLICY))
    sizes = draw(st.one_of(st.lists(SIZES, min_size=5, max_size=12), st.lists(SIZES, min_size=fewest, max_size=12)))
    sequences = [request(*size, priority=draw(st.integers(0, 2))) for size in sizes]
    for sequence in sequences:
        scheduler.add(sequence)
    return scheduler, sequences


def steps(scheduler, *, upto=100_000):
    """All steps until nothing is left, each with what it brought."""
    while upto and (step := scheduler.plan()):
        upto -= 1
        yield step, scheduler.commit(step)


@LAW
@given(schedulers())
def test_every_request_gets_exactly_the_tokens_it_asked_for_and_then_leaves(made):
    scheduler, sequences = made
    outcomes = [outcome for _, outcome in steps(scheduler)]
    tokens = [sequence for outcome in outcomes for sequence in outcome.gained]
    assert [tokens.count(sequence) for sequence in sequences] == [sequence.asked for sequence in sequences]
    assert sorted(map(id, sequences)) == sorted(id(s) for outcome in outcomes for s in outcome.finished)
    assert all(sequence.emitted == sequence.asked for sequence in sequences)
    assert not scheduler.running
    assert not list(scheduler.waiting)


@LAW
@given(schedulers())
def test_no_step_exceeds_the_token_budget_or_the_number_of_sequences(made):
    scheduler, _ = made
    limits = scheduler._limits
    for step, _ in steps(scheduler):
        assert step.tokens <= limits.max_num_batched_tokens
        assert 1 <= step.sequences <= limits.max_num_seqs
        assert all(tokens >= 1 for _, tokens in step.prefills)


@LAW
@given(schedulers())
def test_never_more_run_than_there_are_seats(made):
    scheduler, _ = made
    while step := scheduler.plan():
        assert step.sequences <= len(scheduler.running) <= scheduler._limits.max_num_seqs
        scheduler.commit(step)


@LAW
@given(schedulers())
def test_blocks_are_conserved_in_every_step(made):
    scheduler, _ = made
    pool = scheduler.blocks
    while step := scheduler.plan():
        assert held(scheduler) + pool.free == pool.total
        scheduler.commit(step)
        assert held(scheduler) + pool.free == pool.total
    assert pool.free == pool.total


@LAW
@given(schedulers())
def test_everyone_holds_the_blocks_of_what_is_computed_and_no_more_than_one_step_ahead(made):
    scheduler, _ = made
    while step := scheduler.plan():
        chunks = dict(step.prefills)
        for sequence in scheduler.running:
            computed = sequence.context + (chunks.get(sequence, 0) if sequence.prefilling else 1)
            assert sequence.blocks == -(-computed // BLOCK_TOKENS)
        scheduler.commit(step)


@LAW
@given(schedulers())
def test_the_counts_of_a_step_are_those_of_its_sequences(made):
    scheduler, _ = made
    while step := scheduler.plan():
        answering = [sequence for sequence in scheduler.running if not sequence.prefilling]
        assert step.decodes == len(answering)
        assert step.context == sum(sequence.prompt + sequence.emitted for sequence in answering)
        assert step.tokens == step.decodes + sum(tokens for _, tokens in step.prefills)
        scheduler.commit(step)


@LAW
@given(schedulers())
def test_it_is_work_conserving(made):
    # Someone waits only when the seats are taken, the budget is spent, the next in line does not fit into the memory,
    # or somebody was preempted for the sake of this very step.
    scheduler, _ = made
    limits, pool, before = scheduler._limits, scheduler.blocks, 0
    while step := scheduler.plan():
        if len(scheduler.waiting) and scheduler.preemptions == before:
            head = scheduler.waiting.head()
            found = pool.find(head.hashes, head.goal - 1)
            assert (
                len(scheduler.running) == limits.max_num_seqs
                or step.tokens == limits.max_num_batched_tokens
                or not pool.fits(head, head.goal, found)
            )
        before = scheduler.preemptions
        scheduler.commit(step)


@LAW
@given(schedulers())
def test_everyone_who_answers_gains_a_token_in_every_step(made):
    scheduler, _ = made
    while step := scheduler.plan():
        answering = {sequence for sequence in scheduler.running if not sequence.prefilling}
        assert answering <= set(scheduler.commit(step).gained)


@LAW
@given(schedulers())
def test_an_arrival_is_scheduled_before_its_first_token_and_that_comes_before_its_end(made):
    scheduler, sequences = made
    scheduled, first, end = {}, {}, {}
    for step, outcome in steps(scheduler):
        for moment, group in ((scheduled, step.admitted), (first, outcome.gained), (end, outcome.finished)):
            for sequence in group:
                moment.setdefault(sequence, step.number)
    assert all(scheduled[s] <= first.get(s, scheduled[s]) <= end[s] for s in sequences)
    # From its first token on, a request that is never preempted gains one in every step.
    assert all(end[s] - first[s] == s.asked - 1 for s in sequences if s.asked and not s.preemptions)


@LAW
@given(schedulers(), st.booleans())
def test_a_prompt_is_computed_once_but_for_what_was_found_and_what_was_lost(made, cache):
    scheduler, sequences = made
    scheduler.blocks.caching = cache
    computed = sum(step.prefill_tokens for step, _ in steps(scheduler))
    if not scheduler.preemptions:
        assert computed == sum(sequence.prompt - sequence.cached for sequence in sequences)
    assert all(sequence.cached < sequence.prompt for sequence in sequences)  # the last token is always computed
    assert cache or not any(sequence.cached for sequence in sequences)


@LAW
@given(schedulers(fewest=1), st.integers(0, 30), st.data())
def test_an_abort_frees_at_once_even_in_the_middle_of_a_step(made, upto, data):
    scheduler, sequences = made
    for _ in steps(scheduler, upto=upto):
        pass
    step = scheduler.plan()
    victim = data.draw(st.sampled_from(sequences))
    for _ in range(2):  # the second time is no error
        scheduler.abort(victim)
    assert victim not in scheduler.running
    assert victim not in list(scheduler.waiting)
    assert held(scheduler) + scheduler.blocks.free == scheduler.blocks.total
    if step:
        assert victim not in scheduler.commit(step).gained
    assert all(victim not in outcome.gained for _, outcome in steps(scheduler))
    assert all(sequence.finished for sequence in sequences if sequence is not victim)
    assert scheduler.blocks.free == scheduler.blocks.total
    assert nothing_left(scheduler)


@LAW
@given(schedulers(), st.integers(0, 30), st.integers(0, 60))
def test_blocks_that_are_reserved_are_missing_and_come_back(made, upto, reserved):
    scheduler, sequences = made
    pool = scheduler.blocks
    for _ in steps(scheduler, upto=upto):
        pass
    pool.reserve(reserved)
    for _ in steps(scheduler, upto=50):
        pool.reserve(reserved)
        assert held(scheduler) + pool.free + pool._reserved == pool.total
        assert pool._reserved <= reserved
    pool.reserve(0)
    for _ in steps(scheduler):
        pass
    assert all(sequence.finished for sequence in sequences)
    assert pool.free == pool.total


@LAW
@given(schedulers(), st.lists(st.tuples(st.integers(0, 20), SIZES), max_size=10))
def test_nothing_is_left_behind_by_those_who_come_in_the_middle(made, later):
    scheduler, sequences = made
    for upto, size in later:
        for _ in steps(scheduler, upto=upto):
            pass
        sequences.append(request(*size))
        scheduler.add(sequences[-1])
    for _ in steps(scheduler):
        pass
    assert all(sequence.finished for sequence in sequences)
    assert nothing_left(scheduler)


@LAW
@given(st.integers(0, 8), st.integers(0, 300), st.lists(SIZES, max_size=12))
def test_the_queue_limits_hold(requests, tokens, sizes):
    limits = Limits(
        max_num_seqs=2, max_num_batched_tokens=16, max_num_queued_reqs=requests, max_num_queued_tokens=tokens
    )
    scheduler, taken = Scheduler(limits, BlockPool(40)), []
    for size in sizes:
        backlog = sum(sequence.prompt for sequence in taken)
        sequence = request(*size)
        if len(taken) >= requests or backlog >= tokens:
            with pytest.raises(QueueFullError) as refused:
                scheduler.add(sequence)
            assert refused.value.reason == (
                "max_num_queued_reqs" if len(taken) >= requests else "max_num_queued_tokens"
            )
        else:
            scheduler.add(sequence)
            taken.append(sequence)
