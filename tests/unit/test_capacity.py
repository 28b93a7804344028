"""A capacity search: what a probe proves, where the next one goes, and what is honestly said at the end."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from capacity_worlds import Bench, World
from holdfast.capacity import planning
from holdfast.capacity.answer import Answer, answered
from holdfast.capacity.curve import Estimate, believe
from holdfast.capacity.probe import Judged, Objective, Outcomes, Probe, Seen, Tail, judge, silent, tail_of
from holdfast.capacity.search import Ask, Plan, clean_requests, ended, enough, standing, step
from holdfast.errors import SpecError
from holdfast.model.verdict import State
from servers import Queue

FAST = Objective(name="gateway/ttft", limit=0.05, bound=0.5)
PLAN = Plan(low=5.0, high=200.0)


def seen(latency, *, rate=20.0, seconds=60.0, objective=FAST, late=""):
    """A probe with evenly spaced requests and these latencies, the last of which are repeated."""
    due = np.arange(0, seconds, 1 / rate)
    latency = np.resize(np.asarray(latency, dtype=float), len(due)) if np.ndim(latency) else np.full(len(due), latency)
    bad = ~(latency <= (objective.bound or math.inf))
    return Seen(
        rate=rate, seconds=seconds, due=due, done=due + latency, late=late,
        outcomes=(Outcomes(objective=objective, bad=bad, latency=latency),),
    )  # fmt: skip


def a_probe(rate, state=State.PASS, *, share=0.0, odds=-12.0, **changes):
    """A judged probe of 30 s; by default far below every limit."""
    n = int(rate * 30)
    tail = Tail(odds, 1.0, at_most=False)
    judged = Judged(objective=FAST, state=state, n=n, bad=int(share * n), effect=1.0, low=0.0, high=0.1, tail=tail)
    kept = {
        "rate": rate, "seconds": 30.0, "offered": rate, "achieved": rate, "state": state, "judged": (judged,),
        "cut": 0.0, "settled": True, "slope": 0.0, "growing": False, "easing": False, "p50": 0.1, "p95": 0.2,
    }  # fmt: skip
    return Probe(**{**kept, **changes})


def a_failure(rate, **changes):
    return a_probe(rate, State.FAIL, **{"share": 0.9, "odds": 3.0, **changes})


# -- one probe --------------------------------------------------------------------------------------------------------


def test_a_rate_at_which_all_is_fast_is_proved():
    found = judge(seen(np.random.default_rng(1).exponential(0.05, 1200)))
    assert (found.state, found.judged[0].n, found.judged[0].bad) == (State.PASS, 1200, 0)
    assert (found.growing, found.easing) == (False, False)
    assert found.achieved == pytest.approx(20, rel=0.05)
    assert found.p50 == pytest.approx(0.05 * math.log(2), rel=0.1)


def test_a_rate_at_which_a_fifth_is_slow_is_refuted():
    assert judge(seen([0.1, 0.1, 0.1, 0.1, 0.9])).state is State.FAIL


def test_too_few_requests_prove_nothing_and_say_how_many_more_would():
    found = judge(seen(0.1, seconds=1.0))
    (one,) = found.judged
    assert found.state is State.UNKNOWN
    # Twenty in one second are worth one; 58 to 93 would be needed, each worth as little.
    assert one.more > 20


def test_no_request_at_all_is_unknown():
    found = judge(seen(0.1, seconds=0.0))
    assert (found.state, found.judged[0].n) == (State.UNKNOWN, 0)


def test_a_late_client_proves_nothing_whatever_it_saw():
    assert judge(seen(0.9, late="p99 lateness 80ms")).state is State.UNKNOWN
    assert judge(seen(0.1, late="p99 lateness 80ms")).state is State.UNKNOWN


def test_a_latency_that_grows_without_end_is_no_pass_even_within_its_bound():
    # 0.05 s at first and 0.005 s more each second, at rate 20: 0.35 s after a minute, under a bound of 0.5 s.
    grows = 0.05 + 0.005 * np.arange(0, 60, 1 / 20)
    steep = 0.02 * np.arange(0, 20, 1 / 20)
    assert judge(seen(steep, seconds=20.0)).growing
    assert judge(seen(steep, seconds=20.0)).state is not State.PASS
    # Half a percent a second is less than one request in a hundred too many.
    assert not judge(seen(grows)).growing


def test_requests_without_an_answer_are_bad_and_do_not_spoil_the_numbers():
    found = judge(seen([0.1, 0.1, 0.1, math.nan]))
    assert found.state is State.FAIL
    assert math.isfinite(found.p95)


def test_a_cold_start_does_not_count():
    cold = np.concatenate([np.full(200, 3.0), np.full(1000, 0.1)]) + np.random.default_rng(2).normal(0, 0.01, 1200)
    found = judge(seen(cold))
    # 200 requests at 20/s: ten seconds, to the batch.
    assert found.cut == pytest.approx(10, abs=1)
    assert (found.state, found.judged[0].bad) == (State.PASS, 0)


def test_more_completed_than_offered_is_a_backlog_going_down():
    late = np.concatenate([np.full(700, 1.0), np.linspace(20, 0.1, 500)])
    assert judge(seen(late)).easing


def test_the_tail_tells_two_clean_probes_apart():
    random = np.random.default_rng(3)
    bad = np.zeros(4000, dtype=bool)
    # P(exponential of mean m > 0.5) = exp(-0.5 / m): 1e-4 for m = 0.054, e-22 for m = 0.0227.
    near, far = (tail_of(random.exponential(mean, 4000), bad, 0.5, 1.0) for mean in (0.054, 0.0227))
    assert near.odds == pytest.approx(math.log(1e-4), abs=1.5)
    assert far.odds < near.odds - 5


def test_a_tail_that_the_counts_contradict_is_not_believed():
    # Two in a hundred are slow, all others fast: most of the largest fifth are fast, and fall off fast.
    latency = np.where(np.arange(5000) % 50 == 0, 0.6, 0.01) + np.random.default_rng(4).exponential(0.001, 5000)
    read = tail_of(latency, latency > 0.5, 0.5, 40.0)
    # 100 bad of 5000, worth 2.5 of 125: (2.5 + 0.5) / 126 = 2.4 %.
    assert read.odds == pytest.approx(math.log(0.0238 / 0.9762), abs=0.01)


def test_few_requests_bound_the_share_only_from_above():
    assert tail_of(np.full(50, 0.1), np.zeros(50, dtype=bool), 0.5, 1.0).at_most


# -- the curve --------------------------------------------------------------------------------------------------------


def test_the_capacity_lies_between_what_holds_and_what_fails():
    estimate = believe([a_probe(40), a_failure(60, growing=True, achieved=50.0)], 5, 200).estimate(0.95)
    assert 40 < estimate.low < estimate.rate < estimate.high < 60


def test_what_was_offered_counts_and_not_what_was_asked():
    failed = a_failure(60, growing=True, achieved=50.0)
    asked, more = (
        believe([a_probe(40, odds=-3, offered=offered), failed], 5, 200).estimate(0.95) for offered in (40, 42)
    )
    assert more.rate > asked.rate * 1.02


def test_the_stricter_objective_decides():
    def both(rate, fast, strict):
        one = a_probe(rate, odds=fast).judged[0]
        other = dataclasses.replace(
            one, objective=Objective(name="gateway/e2e", limit=0.01, bound=2.0), tail=Tail(strict, 0.3, False)
        )
        return a_probe(rate, judged=(one, other))

    # ttft crosses 5 % (odds -2.9) beyond 60/s, e2e crosses 1 % (odds -4.6) between 30 and 35/s.
    probes = [both(30, -12, -6), both(35, -10, -3), both(60, -4, 2), a_failure(80, growing=True, achieved=70.0)]
    assert 30 < believe(probes, 5, 200).estimate(0.95).rate < 35


def test_one_odd_probe_does_not_decide():
    probes = [a_probe(30), a_probe(40), a_probe(45), a_failure(60, growing=True, achieved=52.0), a_probe(50, odds=-9)]
    sound = believe(probes, 5, 200).estimate(0.95)
    odd = believe([*probes, a_probe(20, State.UNKNOWN, odds=-1.0)], 5, 200).estimate(0.95)
    assert odd.rate == pytest.approx(sound.rate, rel=0.1)


# -- the search -------------------------------------------------------------------------------------------------------


def test_it_begins_at_the_lowest_rate_and_climbs_in_long_steps_while_all_is_far_from_its_limit():
    assert step(PLAN, [], 0).rate == 5
    assert step(PLAN, [a_probe(5)], 32).rate == 20
    # Odds of -6 against a limit of -2.9: not rare enough for a long step.
    assert step(PLAN, [a_probe(5), a_probe(20, odds=-6)], 64).rate == 40
    assert step(PLAN, [a_probe(5), a_probe(100)], 64).rate == 200


def test_after_a_failure_it_looks_where_the_curve_says():
    ask = step(PLAN, [a_probe(5), a_probe(20), a_failure(80, growing=True, achieved=50.0)], 130)
    # A little under what the overloaded server completed; four probes share the time that is left.
    assert 40 < ask.rate < 50
    assert (ask.glance, ask.seconds) == (False, pytest.approx(0.93 * 770 / 5))


def test_a_measurement_that_fails_clearly_ends_early_and_one_near_the_boundary_does_not():
    ask = Ask(rate=50, least=30, seconds=150, why="")
    assert enough(ask, a_failure(50))
    assert not enough(ask, a_probe(50))
    assert not enough(ask, a_failure(50, odds=-2.0))
    assert not enough(ask, a_failure(50, seconds=20.0))
    assert not enough(ask, a_failure(50, easing=True))
    assert enough(ask, a_probe(50, seconds=150.0))


def test_a_glance_goes_on_only_while_a_proof_is_near():
    glance = Ask(rate=20, least=30, seconds=90, why="", glance=True)
    (one,) = a_probe(20, State.UNKNOWN).judged

    def undecided(more):
        return a_probe(20, State.UNKNOWN, judged=(dataclasses.replace(one, more=more),))

    assert enough(glance, a_probe(20))
    # 600 more take half a minute, 6000 five.
    assert not enough(glance, undecided(600))
    assert enough(glance, undecided(6000))


def test_a_failure_of_a_server_that_has_grown_since_is_forgotten():
    failed, borne = a_failure(40, achieved=25.0), a_probe(45, seconds=90.0, achieved=45.0)
    assert standing([failed, borne]) == (borne,)
    # It need not reach that rate again where it bears more than it completed then, by more than chance does. In 10 s it
    # completed 250, in the 30 s later 35 each: three standard deviations are 3 * sqrt(25 / 10 + 35 / 30) = 5.7/s.
    assert standing([failed, a_probe(35, seconds=90.0)])[0].rate == 35
    assert failed in standing([failed, a_probe(30, seconds=90.0)])
    # A shorter look at a higher rate forgets nothing, nor does a lower rate.
    assert failed in standing([failed, a_probe(45, State.UNKNOWN)])
    assert failed in standing([failed, a_probe(20, seconds=90.0)])


def test_a_late_client_is_asked_once_more_and_then_the_search_ends():
    late = a_probe(20, State.UNKNOWN, late="p99 lateness 80ms, at most 50ms")
    again = step(PLAN, [a_probe(5), late], 64)
    assert (again.rate, again.why) == (20, "the client was late: once more")
    answer = step(PLAN, [a_probe(5), late, late], 96)
    assert isinstance(answer, Answer)
    assert (answer.boundary, answer.state) == ("undecided", State.UNKNOWN)
    assert answer.why == "the client was late twice: p99 lateness 80ms, at most 50ms"
    # What was made is shown, also what does not count.
    assert len(answer.probes) == 3


def test_the_second_half_of_the_probes_are_no_glances_and_the_last_uses_all_the_time():
    wide = [a_probe(5), a_failure(190, growing=True, achieved=20.0)]
    assert step(PLAN, wide, 70).glance
    late = step(PLAN, [*wide, *[a_probe(5)] * 2], 140)
    assert (late.glance, late.least) == (False, 30)
    last = step(PLAN, [*wide, *[a_probe(5)] * 5], 500)
    assert last.least == last.seconds == pytest.approx(0.93 * 400)


def test_no_search_takes_more_probes_or_time_than_planned():
    probes = [a_probe(5), a_probe(20), a_failure(80, growing=True, achieved=50.0)]
    assert step(dataclasses.replace(PLAN, probes=3), probes, 100).why == "all 3 probes are used"
    assert step(PLAN, probes, 880).why == "the time is used up: 900 s"


@pytest.mark.parametrize(
    ("low", "high", "more", "said"),
    [
        (5, 5, {}, "must rise"),
        (0, 5, {}, "must rise"),
        (5, math.inf, {}, "must rise"),
        (5, 9, {"shortest": 0}, "lasts more than zero"),
        (5, 9, {"probes": 1}, "at least two"),
        (5, 9, {"alpha": 1}, "alpha must lie"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(low, high, more, said):
    with pytest.raises(ValueError, match=said):
        Plan(low=low, high=high, **more)


def test_how_many_clean_requests_a_proof_needs():
    # n * ln((1 - 0.0002) / 0.99) = ln(5 * 160) for the best of the mixture's five ratios alone: 678; the others help.
    assert clean_requests([Objective(name="a", limit=0.01)], 0.05 / 8) == 601
    assert clean_requests([], 0.05) == 0


# -- the answer -------------------------------------------------------------------------------------------------------


def test_no_pass_in_range():
    failed = a_failure(5)
    assert step(PLAN, [failed], 32).why == "the lowest rate failed: once more"
    answer = step(PLAN, [failed, failed], 64)
    assert (answer.boundary, answer.state, answer.estimate) == ("no pass in range", State.UNKNOWN, None)


def test_never_failed_in_range():
    answer = step(PLAN, [a_probe(5), a_probe(20), a_probe(200)], 96)
    assert (answer.boundary, answer.state, answer.proved) == ("never failed in range", State.UNKNOWN, 200)


def test_a_highest_rate_that_is_not_decided_is_probed_longer():
    ask = step(PLAN, [a_probe(5), a_probe(200, State.UNKNOWN)], 64)
    assert (ask.rate, ask.glance) == (200, False)


def test_non_monotone():
    # As long as each other: neither had to grow first, nor ended before its queue had built up.
    probes = [a_probe(60, seconds=90.0), a_failure(40, seconds=90.0, achieved=40.0)]
    assert ended(PLAN, probes, "").boundary == "non-monotone"


def test_a_pass_is_forgotten_when_a_longer_probe_fails_at_no_higher_rate():
    low, short, long = a_probe(30), a_probe(60), a_failure(55, seconds=90.0, achieved=50.0)
    assert standing([low, short, long]) == (low, long)
    assert standing([short, a_failure(55, achieved=50.0)])[0] is short
    answer = ended(PLAN, [low, short, long], "")
    assert (answer.proved, answer.refuted) == (30, 55)


def test_a_forgotten_failure_counts_in_the_end_where_nothing_was_borne_beyond_it():
    failed, borne = a_failure(80, achieved=25.0), a_probe(35, seconds=90.0)
    assert standing([failed, borne]) == (borne,)
    answer = ended(PLAN, [failed, borne], "")
    assert (answer.proved, answer.refuted) == (35, 80)
    assert ended(PLAN, [failed, a_probe(90, seconds=90.0)], "").refuted is None


def test_a_server_that_answers_nothing_is_asked_at_the_lowest_rate_whether_it_is_there():
    quiet = a_failure(80, achieved=0.0, silent=True)
    ask = step(PLAN, [a_probe(5), a_probe(20), quiet], 96)
    assert (ask.rate, ask.why) == (5, "nothing was answered: is the server still there?")
    # It answers: the silence was overload. It does not: nobody was there, and that refutes no rate.
    alive = ended(PLAN, [a_probe(5), a_probe(20), quiet, a_probe(5)], "")
    assert alive.refuted == 80
    dead = step(PLAN, [a_probe(5), a_probe(20), quiet, a_failure(5, achieved=0.0, silent=True)], 128)
    assert (dead.boundary, dead.state, dead.refuted, dead.proved) == ("undecided", State.UNKNOWN, None, 20)
    assert "is the server still there?" in dead.why


def test_a_server_that_never_answered_has_no_boundary():
    quiet = a_failure(5, achieved=0.0, silent=True)
    dead = step(PLAN, [quiet, quiet], 64)
    assert (dead.boundary, dead.state, dead.estimate) == ("undecided", State.UNKNOWN, None)


def test_silence_is_that_nothing_due_in_the_last_third_was_answered():
    died = seen(np.where(np.arange(1200) < 700, 0.1, math.nan))
    # Sixty seconds: the last third are the requests from the 800th on.
    assert silent(died)
    assert not silent(seen(np.where(np.arange(1200) < 900, 0.1, math.nan)))
    assert not silent(seen(0.1, seconds=0.0))


def test_what_nobody_proved_is_undecided_however_sure_the_curve_is():
    estimate = Estimate(rate=50.0, low=49.0, high=51.0, steepness=30.0)
    probes = [a_probe(40, State.UNKNOWN), a_failure(60)]
    answer = answered(probes, estimate, low=5, high=200, confidence=0.95, why="")
    assert (answer.boundary, answer.state, answer.estimate) == ("undecided", State.UNKNOWN, estimate)


@pytest.mark.parametrize(
    ("failed", "steepness", "boundary"),
    [(a_failure(60), 20.0, "slope"), (a_failure(60), 90.0, "cliff"), (a_failure(60, growing=True), 90.0, "unstable")],
)
def test_what_kind_of_boundary_it_is(failed, steepness, boundary):
    estimate = Estimate(rate=50.0, low=49.0, high=51.0, steepness=steepness)
    answer = answered([a_probe(40), failed], estimate, low=5, high=200, confidence=0.95, why="")
    assert (answer.boundary, answer.state, answer.proved, answer.refuted) == (boundary, State.PASS, 40, 60)


def test_the_knee_is_where_latency_is_twice_that_of_the_lowest_rate():
    # M/M/1 with 100/s: p50 = ln 2 / (100 - rate), twice that of an idle server at 50/s.
    probes = [a_probe(rate, p50=math.log(2) / (100 - rate)) for rate in (0.1, 20, 45, 55, 80)]
    answer = answered(probes, None, low=0.1, high=200, confidence=0.95, why="")
    assert answer.knee == pytest.approx(50, rel=0.02)
    assert answered(probes[:2], None, low=0.1, high=200, confidence=0.95, why="").knee is None


# -- whole searches ---------------------------------------------------------------------------------------------------


def waits_longer(rate, workers, service, bound):
    """P(wait > bound) of M/M/c: Erlang's C times exp(-(c / s - rate) * bound)."""
    load = rate * service
    terms = [load**k / math.factorial(k) for k in range(workers)]
    last = load**workers / math.factorial(workers) / (1 - load / workers)
    return last / (sum(terms) + last) * math.exp(-(workers / service - rate) * bound)


def capacity_of(workers, service, bound, limit):
    low, high = 0.01, workers / service
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if waits_longer(middle, workers, service, bound) <= limit else (low, middle)
    return low


@pytest.mark.parametrize(
    ("workers", "top", "bound", "limit"), [(1, 60, 0.5, 0.05), (4, 90, 0.3, 0.05), (8, 50, 1.0, 0.05)]
)
def test_the_capacity_of_queues_is_found_in_eight_probes_and_fifteen_minutes(workers, top, bound, limit):
    service = workers / top
    one = World(
        name="M/M/c",
        build=lambda seed: Queue(workers=workers, service=service, seed=seed),
        # Latency is the wait and 20 ms.
        objective=Objective(name="ttft", limit=limit, bound=bound + 0.02),
        low=5.0,
        high=200.0,
    )
    bench = Bench(world=one, seed=1)
    while isinstance(known := step(PLAN, bench.probes, bench.now), Ask):
        bench.probe(known, PLAN.alpha_each)
    assert known.estimate.rate == pytest.approx(capacity_of(workers, service, bound, limit), rel=0.05)
    assert len(bench.probes) <= 8
    assert bench.now <= 15 * 60 + 30


# -- planning ---------------------------------------------------------------------------------------------------------

WHOLE = Estimate(rate=30.0, low=27.0, high=33.0, steepness=20.0)


def test_replicas_for_a_wanted_rate_with_one_to_spare():
    found = planning.need(95, WHOLE, 3)
    # Each bears 10/s, between 9 and 11: ceil(95 / 10) = 10, and 11 or 9 by the interval; and one more.
    assert (found.least, found.usual, found.most) == (10, 11, 12)


def test_what_survivors_bear_counts_when_it_is_less():
    found = planning.need(40, WHOLE, 3, fewer=Estimate(rate=16.0, low=15.0, high=17.0, steepness=20.0))
    # Two bore 16/s: 8 each, not 10. ceil(40 / 8) + 1 = 6.
    assert (found.each.rate, found.usual) == (8, 6)


def test_what_tokens_cost():
    found = planning.need(95, WHOLE, 3)
    prices = planning.Prices(gpu_hour=2.0, currency="EUR", gpus_per_replica=4)
    paid = planning.cost(found, prices, 50)
    # 11 replicas of 4 GPUs at 2 EUR: 88 EUR an hour for 95 * 50 * 3600 = 17.1 million tokens.
    assert (paid.gpus, paid.per_hour, paid.per_million) == (44, 88, pytest.approx(5.146, abs=1e-3))
    assert planning.cost(found, prices, None).per_million is None


@pytest.mark.parametrize("words", [{"wanted": 0, "replicas": 3}, {"wanted": 5, "replicas": 0}])
def test_what_cannot_be_planned_is_refused(words):
    with pytest.raises(ValueError, match="cannot be planned"):
        planning.need(whole=WHOLE, **words)


def test_a_price_file_is_read_and_its_problems_have_a_place():
    assert planning.read_prices("gpu-hour: 2.5\ncurrency: USD\n", "p.yaml") == planning.Prices(
        gpu_hour=2.5, currency="USD", gpus_per_replica=1.0
    )
    with pytest.raises(SpecError) as wrong:
        planning.read_prices("gpu-hour: -1\ngpu-per-replica: 2\n", "p.yaml")
    text = str(wrong.value)
    assert "p.yaml:1:11: expected more than zero, got -1" in text
    assert "p.yaml:2:1: unknown key 'gpu-per-replica'" in text
    assert "did you mean gpus-per-replica?" in text
