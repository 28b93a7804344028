"""The rules of vLLM's scheduler one by one, each with numbers small enough to follow."""

import pytest

from refplatform.engine.scheduler import BlockPool, Limits, QueueFullError, Scheduler, Sequence


def make(*, seqs=8, budget=64, blocks=1000, policy="fcfs", **limits):
    bounds = Limits(max_num_seqs=seqs, max_num_batched_tokens=budget, **limits)
    return Scheduler(bounds, BlockPool(blocks), policy=policy)


def add(scheduler, *sizes, **options):
    sequences = [Sequence(prompt, asked, **options) for prompt, asked in sizes]
    for sequence in sequences:
        scheduler.add(sequence)
    return sequences


def walk(scheduler, steps=1000):
    """(tokens of those who answer, chunks of prompts) of each step."""
    out = []
    while len(out) < steps and (step := scheduler.plan()):
        out.append((step.decodes, [tokens for _, tokens in step.prefills]))
        scheduler.commit(step)
    return out


def names(conversation, blocks):
    return tuple((conversation, index) for index in range(blocks))


# 1. One loop, one budget of tokens a step, so many seats.


def test_a_step_takes_no_more_sequences_than_there_are_seats():
    scheduler = make(seqs=2)
    add(scheduler, (4, 2), (4, 2), (4, 1))
    # two prompts; their second tokens; now the third has a seat
    assert walk(scheduler) == [(0, [4, 4]), (2, []), (0, [4])]


# 2. Running sequences first: one token each, then chunks of what is left.


def test_a_long_prompt_is_cut_to_what_those_who_answer_leave():
    scheduler = make(budget=10)
    add(scheduler, (4, 5), (30, 1))
    # step 1: 4 of the short prompt, 6 of the long; then 1 and 9 of the long: 6 + 9 + 9 = 24; the last 6; the last token
    assert walk(scheduler) == [(0, [4, 6]), (1, [9]), (1, [9]), (1, [6]), (1, [])]


def test_with_a_threshold_a_long_prompt_leaves_room_for_others():
    scheduler = make(budget=64, long_prefill_token_threshold=20)
    add(scheduler, (50, 1), (10, 1))
    # at most 20 of the long one a step: 20 + 20 + 10
    assert walk(scheduler) == [(0, [20, 10]), (0, [20]), (0, [10])]


# 3. Blocks of 16 tokens; who finds none preempts the last, which is computed anew.


def test_a_block_is_taken_with_every_sixteenth_token_and_not_before():
    scheduler = make()
    add(scheduler, (16, 20))
    free = []
    while step := scheduler.plan():
        free.append(1000 - scheduler.blocks.free)
        scheduler.commit(step)
    # The prompt fills one block. Steps 2 to 17 compute the 16 answer tokens that fill the second; step 18 opens the
    # third. Step 20 gives the 20th token, which nobody has to compute any more.
    assert free == [1] + [2] * 16 + [3] * 3


def test_without_a_free_block_the_last_one_loses_all_of_its_and_goes_to_the_front_of_the_queue():
    scheduler = make(seqs=2, blocks=3)
    first, last, waiting = add(scheduler, (16, 3), (16, 3), (5, 1))
    walk(scheduler, 1)  # both prompts: 1 block each, 1 free
    step = scheduler.plan()  # both need a second block: the first gets it, for the last there is none
    assert (step.decodes, scheduler.preemptions, last.preemptions) == (1, 1, 1)
    assert list(scheduler.running) == [first]
    assert list(scheduler.waiting) == [last, waiting]
    assert (last.computed, last.emitted, last.goal, last.blocks) == (
        0,
        1,
        17,
        0,
    )  # its token is a part of its prompt now
    assert scheduler.blocks.free == 1


def test_a_step_with_a_preemption_admits_nobody():
    scheduler = make(blocks=3, policy="priority")
    add(scheduler, (16, 3))
    add(scheduler, (32, 3), priority=9)
    walk(scheduler, 1)  # 1 + 2 blocks
    (urgent,) = add(scheduler, (5, 1), priority=-1)
    step = scheduler.plan()  # the first needs a block; the unimportant one loses its two; one is left over for `urgent`
    assert (scheduler.preemptions, scheduler.blocks.free, step.admitted) == (1, 1, ())
    scheduler.commit(step)
    assert scheduler.plan().admitted == (urgent,)


def test_who_was_preempted_is_computed_anew_with_its_answer_and_delivers_no_token_twice():
    scheduler = make(seqs=2, blocks=3)
    first, last = add(scheduler, (16, 3), (16, 3))
    # 1: both prompts. 2: the last is preempted. 3: the first ends; 2 blocks are held, 17 tokens need 2. 4: 16 + 1 anew,
    # which gives its second token. 5: its third.
    assert walk(scheduler) == [(0, [16, 16]), (1, []), (1, []), (0, [17]), (1, [])]
    assert (first.emitted, last.emitted, scheduler.preemptions) == (3, 3, 1)


def test_by_priority_the_least_important_is_preempted_even_if_it_was_there_first():
    scheduler = make(seqs=2, blocks=3, policy="priority")
    (low,) = add(scheduler, (16, 3), priority=9)
    (high,) = add(scheduler, (16, 3), priority=1)
    walk(scheduler, 1)
    scheduler.plan()
    assert list(scheduler.running) == [high]
    assert list(scheduler.waiting) == [low]


def test_the_budget_of_who_is_preempted_goes_to_the_others_in_the_same_step():
    scheduler = make(budget=20, policy="priority")
    (first,) = add(scheduler, (16, 40))
    (unimportant,) = add(scheduler, (40, 40), priority=9)
    walk(scheduler, 3)
    add(scheduler, (400, 1), priority=5)
    assert walk(scheduler, 14)[-1] == (2, [18])
    scheduler.blocks.reserve(1000)  # all that are free
    # The first took blocks with its tokens 1 and 17, the latter computed in step 18; the unimportant one pays for it.
    step = scheduler.plan()
    assert (step.decodes, step.prefill_tokens) == (1, 19)
    assert (first.blocks, unimportant.preemptions) == (3, 1)


def test_who_was_preempted_may_find_its_own_blocks_and_that_is_no_hit_of_its_first_admission():
    scheduler = make(seqs=2, blocks=3)
    add(scheduler, (16, 3))
    (last,) = add(scheduler, (16, 3), hashes=names("a", 1))
    assert walk(scheduler) == [(0, [16, 16]), (1, []), (1, []), (0, [1]), (1, [])]
    assert (last.cached, last.preemptions) == (0, 1)


# 4. Admission: in order, while budget, seats and blocks for the whole prompt allow.


def test_a_prompt_must_fit_as_a_whole_even_if_its_first_chunk_would():
    scheduler = make(budget=16, blocks=4)
    add(scheduler, (32, 2), (48, 1))
    # The first holds 2 blocks, then 3. The second's first chunk would fit into one block; its 3 do not until it ends.
    assert walk(scheduler) == [(0, [16]), (0, [16]), (1, []), (0, [16]), (0, [16]), (0, [16])]


def test_who_does_not_fit_holds_up_everyone_behind():
    scheduler = make(blocks=4)
    _, big, small = add(scheduler, (40, 3), (50, 1), (5, 1))
    walk(scheduler, 1)  # 3 of 4 blocks; big needs 4, small needs 1
    assert list(scheduler.waiting) == [big, small]
    assert walk(scheduler, 2) == [(1, []), (1, [])]
    assert walk(scheduler, 1) == [(0, [50])]  # alone: its 4 blocks are all there are
    assert list(scheduler.waiting) == [small]


def test_a_prefix_that_is_cached_is_neither_computed_nor_allocated_again():
    scheduler = make(blocks=8)
    (first,) = add(scheduler, (40, 1), hashes=names("a", 2))
    (second,) = add(scheduler, (50, 1), hashes=names("a", 3))
    # 40 tokens are 2 full blocks and a half one. The second finds the two: 50 - 32 = 18 tokens and 2 blocks are left.
    assert walk(scheduler, 1) == [(0, [40, 18])]
    assert (first.cached, second.cached) == (0, 32)
    assert scheduler.blocks.free == 8  # both are done; 3 blocks can still be found
    assert scheduler.blocks.idle == 3


def test_chunks_can_be_found_in_the_very_step_that_computes_them():
    scheduler = make(long_prefill_token_threshold=16)
    add(scheduler, (64, 1), hashes=names("a", 4))
    walk(scheduler, 2)  # 32 tokens
    (second,) = add(scheduler, (50, 1), hashes=names("a", 3))
    # 48 tokens are computed or being computed: 2 are left
    assert walk(scheduler, 1) == [(0, [16, 2])]
    assert second.cached == 48


def test_the_last_token_is_computed_even_if_all_its_blocks_are_cached():
    scheduler = make()
    add(scheduler, (32, 1), hashes=names("a", 2))
    walk(scheduler)
    (again,) = add(scheduler, (32, 1), hashes=names("a", 2))
    # 32 tokens are cached, 31 may be taken from there: one block of 16
    assert walk(scheduler) == [(0, [16])]
    assert again.cached == 16


def test_without_prefix_caching_nothing_is_found():
    scheduler = make()
    scheduler.blocks.caching = False
    add(scheduler, (32, 1), (32, 1), hashes=names("a", 2))
    assert walk(scheduler) == [(0, [32, 32])]


def test_a_cached_answer_is_found_by_the_next_turn_of_the_conversation():
    scheduler = make()
    (turn,) = add(scheduler, (16, 17), hashes=names("a", 2))  # the second block is the first 16 tokens of its answer
    walk(scheduler)
    (later,) = add(scheduler, (40, 1), hashes=names("a", 2))
    walk(scheduler)
    assert (turn.cached, later.cached) == (0, 32)


def test_the_prefix_that_was_unused_for_longest_is_evicted_first_and_its_end_before_its_beginning():
    scheduler = make(blocks=4)
    for conversation in "ab":
        add(scheduler, (32, 1), hashes=names(conversation, 2))
        walk(scheduler)
    pool = scheduler.blocks
    assert (pool.free, pool.idle) == (4, 4)
    add(scheduler, (16, 1))  # one block: there is no empty one
    walk(scheduler)
    assert (pool.find(names("a", 2), 32), pool.find(names("b", 2), 32)) == (1, 2)


def test_a_cold_cache_finds_nothing():
    scheduler = make()
    add(scheduler, (32, 1), hashes=names("a", 2))
    walk(scheduler)
    assert scheduler.blocks.reset()
    assert scheduler.blocks.find(names("a", 2), 32) == 0
    assert scheduler.blocks.idle == 0


# 5. All tokens of a step come at its end: tests/test_calibration.py shows what a long chunk does to the others' gaps.


def test_those_who_answer_and_those_whose_prompt_completes_gain_their_token_in_the_same_step():
    scheduler = make()
    (old,) = add(scheduler, (4, 3))
    walk(scheduler, 1)
    (new,) = add(scheduler, (40, 3))
    assert scheduler.commit(scheduler.plan()).gained == [old, new]


# 6. Limits of what is inside, and what leaves frees at once.


def test_so_many_requests_may_be_inside_running_ones_included():
    scheduler = make(seqs=1, max_num_queued_reqs=2)
    running, _ = add(scheduler, (1, 9), (1, 1))
    walk(scheduler, 1)
    with pytest.raises(QueueFullError, match="max_num_queued_reqs"):
        scheduler.add(Sequence(1, 1))
    scheduler.abort(running)
    scheduler.add(Sequence(1, 1))


def test_prompt_tokens_count_as_queued_until_their_first_token_and_the_limit_is_looked_at_before_one_comes():
    scheduler = make(budget=50, max_num_queued_tokens=60)
    add(scheduler, (50, 2), (1000, 1))  # 0 < 60 and 50 < 60: both are taken; 1,050 are queued
    with pytest.raises(QueueFullError, match="max_num_queued_tokens"):
        scheduler.add(Sequence(1, 1))
    walk(scheduler, 1)  # the first has its token; 1,000 are queued
    with pytest.raises(QueueFullError, match="max_num_queued_tokens"):
        scheduler.add(Sequence(1, 1))
    for sequence in list(scheduler.running) + list(scheduler.waiting):
        scheduler.abort(sequence)
    scheduler.add(Sequence(1, 1))


def test_an_abort_frees_all_blocks_at_once():
    scheduler = make(blocks=10)
    (sequence,) = add(scheduler, (100, 10))
    scheduler.plan()  # in the middle of a step: 64 tokens, 4 blocks
    assert scheduler.blocks.free == 6
    scheduler.abort(sequence)
    assert scheduler.blocks.free == 10


def test_an_embedding_ends_with_its_prompt_and_gains_no_token():
    scheduler = make(budget=16)
    (embedding,) = add(scheduler, (20, 0))
    scheduler.commit(scheduler.plan())
    outcome = scheduler.commit(scheduler.plan())
    assert (outcome.gained, outcome.finished) == ([], [embedding])
    assert scheduler.blocks.free == 1000


# Priorities.


def test_a_more_important_request_is_admitted_before_an_earlier_one():
    scheduler = make(seqs=1, policy="priority")
    add(scheduler, (1, 1))
    (late,) = add(scheduler, (2, 1), priority=5)
    (soon,) = add(scheduler, (3, 1), priority=-1)
    assert list(scheduler.waiting) == [soon, *(s for s in scheduler.waiting if s not in (soon, late)), late]
    assert walk(scheduler) == [(0, [3]), (0, [1]), (0, [2])]


def test_first_come_first_served_does_not_look_at_priorities():
    scheduler = make(seqs=1)
    add(scheduler, (1, 1), priority=5)
    add(scheduler, (2, 1), priority=-1)
    assert walk(scheduler) == [(0, [1]), (0, [2])]


def test_limits_under_which_a_running_request_might_get_nothing_are_refused():
    with pytest.raises(ValueError, match="at least max_num_seqs"):
        Limits(max_num_seqs=9, max_num_batched_tokens=8)
