"""From measured cells to the numbers of a simulator: synthetic cells, whose coefficients are known."""

import dataclasses
import json
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.calibration.cells import Cell, Grid, Seen, from_dict, medians, to_line
from holdfast.calibration.document import Limits, checked, document
from holdfast.calibration.errors import knee, pairs, summary
from holdfast.calibration.fit import TooFewError, fit, prompts_beside, tell_own, without
from holdfast.calibration.step import COUNTED, Coefficients, Work, prompt_alone, step
from refplatform.engine.calibration import Calibration, read_calibration
from refplatform.engine.scheduler import Sequence, Step

GRID = Grid(concurrencies=(1, 2, 4, 8, 16), prompts=(64, 256, 1024), answers=(32, 128))
BUDGET = 2048
TRUE = Coefficients(
    c_request=0.003,
    c_beside=0.0004,
    c0=0.008,
    flat_tokens=0,
    c_prefill=6e-5,
    c_attention=2e-9,
    c_kv=1.5e-7,
    c_seq=0.0002,
    c_prompt=0.0015,
)


def seen_by(true, cell, factor=1.0):
    """What a cell would show if nothing but its median step counted, and half of one before a prompt's own."""
    prompts = prompts_beside(cell) or 0
    itl = true.seconds(_beside(true, cell, cell.concurrency, prompts)) * factor
    if cell.concurrency == 1:
        ttft = true.seconds(prompt_alone(cell.prompt, budget=BUDGET, flat=true.flat_tokens)) * factor
    else:
        others = cell.concurrency - 1
        waits = true.seconds(_beside(true, cell, others, prompts)) / 2
        own = true.seconds(_beside(true, cell, others, prompts, own=True))
        ttft = (true.c_request + true.c_beside * others + waits + own) * factor
    mean = true.seconds(_mean_step(true, cell)) * factor
    # Everybody gains a token in a mean step.
    rate = cell.concurrency / mean
    numbers = {"ttft_p50": ttft, "ttft_p99": ttft, "itl_p50": itl, "itl_p99": itl, "itl_mean": mean, "throughput": rate}
    return Seen(cell=cell, requests=20, seconds=5.0, **numbers)


def _mean_step(true, cell):
    """One token for everybody, and for each answer a prompt, of which one's own is never between one's tokens."""
    count = cell.concurrency
    prompts = count / cell.answer * (count - 1) / count
    return Work(
        steps=1,
        beyond_flat=max(0, count + prompts * cell.prompt - true.flat_tokens),
        attention=prompts * cell.prompt**2 / 2,
        context=count * (cell.prompt + cell.answer / 2),
        sequences=count + prompts,
        prompts=prompts,
    )


def _beside(true, cell, sequences, prompts, *, own=False):
    """A step in which so many sequences take part, some of them with their prompt, and perhaps one's own prompt."""
    decodes = max(0, sequences - prompts)
    chunks = ((cell.prompt, 0),) * (min(prompts, sequences) + own)
    return step(
        decodes=decodes, context=decodes * (cell.prompt + cell.answer / 2), chunks=chunks, flat=true.flat_tokens
    )


def cells_of(true, grid=GRID):
    return [seen_by(true, cell) for cell in grid.cells]


# The grid, and what is held out.


def test_every_third_cell_is_held_out_along_each_direction():
    held = GRID.held_out
    assert len(held) == len(GRID.cells) // 3
    for prompt in GRID.prompts:
        for answer in GRID.answers:
            line = [Cell(prompt=prompt, answer=answer, concurrency=one) in held for one in GRID.concurrencies]
            places = [index for index, one in enumerate(line) if one]
            assert {after - before for before, after in pairwise(places)} <= {3}


def test_what_is_held_out_still_leaves_every_prompt_alone_in_the_fit():
    alone = {cell.prompt for cell in GRID.cells if cell.concurrency == 1 and cell not in GRID.held_out}
    assert alone == set(GRID.prompts)


@pytest.mark.parametrize("wrong", [(), (4, 2), (2, 2), (0, 1)])
def test_a_grid_has_rising_counts(wrong):
    with pytest.raises(ValueError, match="at least"):
        Grid(concurrencies=wrong, prompts=(64,), answers=(32,))


# The same formula on both sides.


@settings(deadline=None, max_examples=50)
@given(
    decodes=st.integers(1, 300),
    context=st.integers(0, 10**6),
    chunk=st.integers(1, 4000),
    flat=st.integers(0, 300),
    values=st.lists(st.floats(0, 1e-3), min_size=6, max_size=6),
)
def test_the_simulator_times_a_step_as_the_fit_does(decodes, context, chunk, flat, values):
    numbers = dict(
        zip(
            ("c0", "c_prefill", "c_attention", "c_kv", "c_seq", "c_prompt"),
            (values[0] + 1e-6, *values[1:]),
            strict=True,
        )
    )
    limits = {"max_num_seqs": 512, "max_num_batched_tokens": 8192, "max_model_len": 8192, "kv_cache_tokens": 8192}
    theirs = Calibration(name="any", flat_tokens=flat, **limits, **numbers).step_seconds(
        Step(decodes=decodes, context=context, prefills=((Sequence(chunk, 1), chunk),), attention=chunk * chunk // 2)
    )
    ours = Coefficients(flat_tokens=flat, **numbers).seconds(
        step(decodes=decodes, context=context, chunks=((chunk, 0),), flat=flat)
    )
    # chunk * chunk / 2 is rounded down there: half a token times c_attention.
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-3)


def test_what_is_written_is_what_the_simulator_reads(tmp_path):
    fitted = fit(cells_of(TRUE), budget=BUDGET, seats=64)
    limits = Limits(max_num_seqs=64, max_num_batched_tokens=BUDGET, max_model_len=4096, kv_cache_tokens=65536)
    path = tmp_path / "some.json"
    path.write_text(json.dumps(document("some", "a note", limits, fitted, {"version": "0.32.0"})))
    read = read_calibration(path)
    assert read.measured == {"version": "0.32.0"}
    assert read.c_request == pytest.approx(0.003, rel=0.01)
    assert (read.max_num_seqs, read.kv_cache_tokens) == (64, 65536)


# The fit.


def test_known_coefficients_are_found_again():
    found = fit(cells_of(TRUE), budget=BUDGET, seats=64).coefficients
    for name in COUNTED:
        assert getattr(found, name) == pytest.approx(getattr(TRUE, name), rel=0.02), name


@settings(deadline=None, max_examples=25)
@given(
    c_request=st.floats(0.0005, 0.02),
    c_beside=st.floats(0, 0.001),
    c0=st.floats(0.002, 0.03),
    c_prefill=st.floats(2e-5, 5e-4),
    c_attention=st.floats(0, 1e-8),
    c_kv=st.floats(1e-8, 1e-6),
    c_seq=st.floats(1e-5, 1e-3),
    c_prompt=st.floats(0, 0.005),
)
def test_whatever_they_are_the_fit_explains_the_cells(**numbers):
    true = Coefficients(**numbers)
    fitted = fit(cells_of(true), budget=BUDGET, seats=64)
    assert max(abs(said / one.seconds - 1) for one, said in fitted.equations) < 0.01


def test_a_flat_floor_is_found():
    true = dataclasses.replace(TRUE, flat_tokens=128)
    grid = Grid(concurrencies=(1, 2, 4, 8, 16), prompts=(16, 64, 256, 1024), answers=(32, 128))
    found = fit(cells_of(true, grid), budget=BUDGET, seats=64).coefficients
    assert found.flat_tokens == 128
    assert found.c_prefill == pytest.approx(true.c_prefill, rel=0.02)


def test_noise_of_five_percent_moves_what_is_predicted_by_no_more_than_ten():
    draw = np.random.default_rng(1)
    noisy = [seen_by(TRUE, cell, factor=draw.normal(1, 0.05)) for cell in GRID.cells]
    fitted = fit(noisy, budget=BUDGET, seats=64).coefficients
    for cell in GRID.cells:
        work = step(decodes=cell.concurrency, context=cell.concurrency * cell.prompt, flat=fitted.flat_tokens)
        true = step(decodes=cell.concurrency, context=cell.concurrency * cell.prompt, flat=0)
        assert fitted.seconds(work) == pytest.approx(TRUE.seconds(true), rel=0.1)


def test_one_wild_cell_does_not_carry_the_others_away():
    cells = cells_of(TRUE)
    wild = [dataclasses.replace(cells[0], itl_p50=cells[0].itl_p50 * 3), *cells[1:]]
    found = fit(wild, budget=BUDGET, seats=64).coefficients
    # Without care, one of 42 equations at three times its value would pull c0 by tens of percent.
    assert found.c0 == pytest.approx(TRUE.c0, rel=0.05)


def test_a_prompt_longer_than_the_budget_takes_several_steps():
    # 5000 = 2048 + 2048 + 904: three times c0, and each token looks back on all before it: 5000^2 / 2 in all.
    work = prompt_alone(5000, budget=2048, flat=0)
    assert (work.requests, work.steps, work.beyond_flat, work.attention) == (1, 3, 5000, 5000**2 / 2)


@pytest.mark.parametrize(
    ("concurrency", "answer", "prompts"),
    [
        (1, 32, 0),  # nobody beside it
        (8, 128, 0),  # 7/128 = 0.05 prompts a step: 95 % of the steps have none
        (32, 32, 1),  # 31/32 = 0.97: e^-0.97 = 38 % have none, 75 % at most one
        (24, 32, None),  # 23/32 = 0.72: e^-0.72 = 49 % have none, as good as one half
    ],
)
def test_the_median_step_has_a_known_number_of_prompts_or_says_nothing(concurrency, answer, prompts):
    assert prompts_beside(Cell(prompt=64, answer=answer, concurrency=concurrency)) == prompts


def test_what_the_simulator_costs_by_itself_is_taken_off():
    fitted = fit(cells_of(TRUE), budget=BUDGET, seats=64)
    alone, crowd = tell_own(fitted)
    assert (alone.concurrency, crowd.concurrency) == (1, 16)
    said = {one.cell: said for one, said in fitted.equations if one.kind == "ttft"}
    # A simulator that takes 1 ms for a request, and 0.1 ms more for each of the fifteen beside it.
    free = {alone: said[alone] - TRUE.c_request, crowd: said[crowd] - TRUE.c_request - 15 * TRUE.c_beside}
    found = without(fitted, {alone: free[alone] + 0.001, crowd: free[crowd] + 0.001 + 15 * 0.0001}).coefficients
    assert found.c_request == pytest.approx(TRUE.c_request - 0.001, rel=0.02)
    assert found.c_beside == pytest.approx(TRUE.c_beside - 0.0001, rel=0.02)


# What cannot be used.


@pytest.mark.parametrize(
    "spoilt",
    [
        {"trouble": "3 requests failed"},
        {"itl_p50": None},
        {"ttft_p50": math.nan},
        {"throughput": math.inf},
        {"itl_p50": 0.0},
    ],
)
def test_a_spoilt_cell_is_left_out(spoilt):
    cells = cells_of(TRUE)
    last = dataclasses.replace(cells[-1], **spoilt)
    assert not last.usable
    assert last.why_not
    assert (
        fit([*cells[:-1], last], budget=BUDGET, seats=64).equations
        == fit(cells[:-1], budget=BUDGET, seats=64).equations
    )


def test_too_few_cells_say_what_is_missing():
    cells = [one for one in cells_of(TRUE) if one.cell.concurrency < 4 and one.cell.prompt == 64]
    with pytest.raises(TooFewError) as caught:
        fit(cells, budget=BUDGET, seats=64)
    assert "three lengths of prompt; usable are 1" in caught.value.missing[0]
    assert "three concurrencies" in caught.value.missing[1]


def test_no_cells_at_all_are_too_few():
    with pytest.raises(TooFewError):
        fit([], budget=BUDGET, seats=64)


def test_a_line_gives_the_cell_back_and_what_is_not_finite_is_not_known():
    one = seen_by(TRUE, GRID.cells[3])
    assert from_dict(json.loads(to_line(one, repeat=2))) == one
    assert from_dict(json.loads(to_line(dataclasses.replace(one, itl_p99=math.inf)))).itl_p99 is None


def test_of_several_repeats_the_one_in_the_middle_counts_as_a_whole():
    cell = GRID.cells[0]
    repeats = [dataclasses.replace(seen_by(TRUE, cell), throughput=rate) for rate in (300.0, 100.0, 200.0)]
    assert medians([*repeats, Seen(cell=cell, trouble="late")]) == (repeats[2],)


# Errors.


def test_errors_are_shares_of_what_the_engine_did():
    engine = cells_of(TRUE)
    simulator = [dataclasses.replace(one, itl_p50=one.itl_p50 * 1.1) for one in engine]
    found = pairs(engine, simulator, GRID.held_out)
    assert {round(one.error("itl_p50"), 6) for one in found} == {0.1}
    assert {one.error("ttft_p50") for one in found} == {0.0}
    told = checked(found, ())
    assert told["held_out"]["itl_p50"] == {"cells": 10, "middle": pytest.approx(0.1), "largest": pytest.approx(0.1)}
    assert summary((), "itl_p50").middle is None


def test_a_cell_that_only_one_side_has_is_no_pair():
    engine = cells_of(TRUE)
    spoilt = [dataclasses.replace(engine[0], trouble="late"), *engine[1:]]
    assert len(pairs(engine, spoilt, frozenset())) == len(engine) - 1


def test_the_knee_is_where_the_line_from_the_origin_meets_the_plateau():
    # 100 tokens/s alone, 400 at most: four at a time would do if none waited for another.
    rates = {1: 100.0, 2: 190.0, 4: 330.0, 8: 400.0, 16: 400.0}
    cells = [
        dataclasses.replace(seen_by(TRUE, Cell(prompt=64, answer=32, concurrency=one)), throughput=rate)
        for one, rate in rates.items()
    ]
    found = knee(cells, (64, 32))
    assert (found.concurrency, found.throughput, found.reached) == (4.0, 400.0, True)
    assert not knee(cells[:3], (64, 32)).reached
    assert knee(cells[:2], (64, 32)) is None
