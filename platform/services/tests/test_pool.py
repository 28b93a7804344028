"""Which engine gets a request, who is taken out, and who comes back; times are plain numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refplatform.gateway.budget import RetryBudget
from refplatform.gateway.pool import Flight, Pool


class Seen:
    def __init__(self):
        self.ejections = []

    def ready(self, engine):
        pass

    def distrusted(self, engine):
        self.doubted = engine.distrust

    def ejected(self, engine, reason):
        self.ejections.append((engine.url, reason))


def make(count=3, *, failover=True):
    seen = Seen()
    pool = Pool(tuple("abcdefgh"[:count]), failover=failover, watcher=seen)
    if failover:
        for engine in pool.engines:
            pool.probed(engine, 0.0, good=True)
    return pool, seen


def flight(*, streaming=True, sending=False):
    reasons = []
    return Flight(streaming=streaming, sending=sending, interrupt=reasons.append), reasons


@given(st.integers(1, 8), st.integers(0, 100))
def test_in_flight_requests_never_differ_by_more_than_one_between_ready_engines(count, requests):
    pool, _ = make(count)
    for _ in range(requests):
        pool.pick().board(flight()[0], 0.0)
    sizes = [len(engine.flights) for engine in pool.engines]
    assert sum(sizes) == requests
    assert max(sizes) - min(sizes) <= 1


def test_a_retry_never_gets_an_engine_that_was_tried():
    pool, _ = make(2)
    first = pool.pick()
    second = pool.pick([first])
    assert second is not first
    assert pool.pick([first, second]) is None


def test_a_retry_does_not_move_the_wheel():
    pool, _ = make(2)
    firsts = []
    for _ in range(4):
        firsts.append(pool.pick())
        pool.pick(firsts[-1:])
    assert [engine.url for engine in firsts] == ["b", "a", "b", "a"]


def test_before_its_first_good_probe_an_engine_gets_nothing():
    pool = Pool(("a",), failover=True, watcher=Seen())
    assert pool.pick() is None
    pool.probed(pool.engines[0], 0.0, good=True)
    assert pool.pick() is pool.engines[0]


def test_an_ejected_engine_comes_back_after_two_good_probes_in_a_row():
    pool, seen = make(1)
    engine = pool.engines[0]
    pool.eject(engine, "reset")
    pool.eject(engine, "reset")  # it is out already
    assert seen.ejections == [("a", "reset")]
    for good in (True, False, True):
        pool.probed(engine, 1.0, good=good)
    assert not engine.ready
    pool.probed(engine, 2.0, good=True)
    assert engine.ready


@pytest.mark.parametrize(("refused", "needed"), [(True, 1), (False, 2)])
def test_a_refused_connection_ejects_at_once_and_a_silent_probe_at_the_second(refused, needed):
    pool, seen = make(1)
    for _ in range(needed):
        assert not seen.ejections
        pool.probed(pool.engines[0], 1.0, good=False, refused=refused)
    assert seen.ejections == [("a", "probe")]


def test_an_engine_that_owes_bytes_and_gives_none_is_ejected_and_its_flights_end():
    pool, seen = make(2)
    engine = pool.engines[0]
    mine, reasons = flight()
    engine.board(mine, 10.0)
    pool.end_stalled(15.0, 5.0)  # exactly the limit: not yet
    assert engine.ready
    pool.end_stalled(15.1, 5.0)
    assert not engine.ready
    assert reasons == ["stall"]
    assert seen.ejections == [("a", "stall")]


def test_one_byte_for_anyone_is_progress_for_all():
    pool, _ = make(1)
    engine = pool.engines[0]
    engine.board(flight()[0], 0.0)
    engine.board(flight()[0], 4.0)
    engine.last_byte = 4.9
    pool.end_stalled(9.0, 5.0)
    assert engine.ready


def test_a_stream_that_gets_nothing_ends_alone_while_others_get_something():
    pool, seen = make(1)
    engine = pool.engines[0]
    (stuck, why), (fed, fine), (whole, patient) = flight(), flight(), flight(streaming=False)
    for one in (stuck, fed, whole):
        engine.board(one, 0.0)
    fed.last = engine.last_byte = 5.0
    pool.end_stalled(5.1, 5.0)
    assert (why, fine, patient) == (["silent"], [], [])
    assert not seen.ejections


# Circuits.


def test_connections_that_break_together_are_one_failure_and_those_that_go_on_breaking_are_more():
    pool, seen = make(2)
    a, b = pool.engines
    for _ in range(20):
        pool.broke(a, 0.0)
    assert {pool.pick(now=0.0) for _ in range(4)} == {a, b}
    pool.broke(a, 1.0)
    assert {pool.pick(now=1.0) for _ in range(4)} == {a, b}
    pool.broke(a, 2.0)  # the third in a row
    assert {pool.pick(now=2.0) for _ in range(4)} == {b}
    assert seen.ejections == [("a", "circuit")]


def fail(pool, engine, now, times=3):
    for _ in range(times):
        pool.failed(engine, now, begun=now)


def test_an_answer_that_began_before_a_failure_does_not_say_that_the_engine_is_well():
    # Streams of before a fault end well in the middle of it.
    pool, seen = make(2)
    a, _ = pool.engines
    for now in (10.0, 10.1, 10.2):
        pool.failed(a, now, begun=now)
        pool.served(a, begun=9.0)
    assert seen.ejections == [("a", "circuit")]


def test_three_failures_in_a_row_open_a_circuit_and_a_success_between_them_does_not():
    pool, seen = make(2)
    a, b = pool.engines
    fail(pool, a, 0.0, times=2)
    pool.served(a, begun=0.0)
    fail(pool, a, 0.0, times=2)
    assert {pool.pick(now=0.0) for _ in range(4)} == {a, b}
    pool.failed(a, 0.0, begun=0.0)
    assert {pool.pick(now=0.9) for _ in range(4)} == {b}
    assert seen.ejections == [("a", "circuit")]
    assert a.ready  # its probes are good


def test_after_its_rest_an_engine_gets_one_request_at_a_time_until_one_ends_well():
    pool, _ = make(2)
    a, b = pool.engines
    fail(pool, a, 0.0)
    trial, _ = flight()
    for one in pool.engines:
        one.board(flight()[0] if one is b else trial, 1.0)
    assert pool.pick([b], 1.0) is None  # a has its one
    a.flights.discard(trial)
    assert pool.pick([b], 1.0) is a
    pool.served(a, begun=1.0)
    a.board(trial, 1.0)
    assert pool.pick([b], 1.0) is a


def test_each_trial_that_fails_doubles_the_rest_up_to_eight_seconds():
    pool, _ = make(1)
    (engine,) = pool.engines
    fail(pool, engine, 0.0)
    rests, now = [], 0.0
    for _ in range(5):
        rests.append(engine.rests_until - now)
        now = engine.rests_until
        pool.failed(engine, now, begun=now)
    assert rests == [1.0, 2.0, 4.0, 8.0, 8.0]


def test_what_was_under_way_when_a_circuit_opened_neither_closes_it_nor_keeps_it_open():
    pool, _ = make(1)
    (engine,) = pool.engines
    fail(pool, engine, 0.0, times=30)
    pool.failed(engine, 5.0, begun=0.5)
    pool.served(engine, begun=0.9)
    assert (engine.refusals, engine.rests_until) == (3, 1.0)
    pool.served(engine, begun=1.0)
    assert (engine.refusals, engine.rests_until) == (0, 0.0)


def test_an_engine_that_asks_to_be_left_alone_is_left_alone_but_not_for_ever():
    pool, _ = make(2)
    a, b = pool.engines
    pool.failed(a, 0.0, begun=0.0, wait=2.0)
    assert pool.pick([b], 1.9) is None
    assert pool.pick([b], 2.0) is a
    pool.failed(a, 2.0, begun=2.0, wait=3600.0)
    assert pool.pick([b], 32.0) is a


def test_silence_is_as_bad_as_three_failures():
    pool, _ = make(2)
    pool.failed(pool.engines[0], 0.0, begun=0.0, grave=True)
    assert pool.pick([pool.engines[1]], 0.5) is None


def test_with_every_circuit_open_a_request_gets_one_try_where_the_rest_is_over_first():
    pool, _ = make(2)
    a, b = pool.engines
    pool.failed(a, 0.0, begun=0.0, wait=20.0)
    fail(pool, b, 0.0)
    assert pool.pick(now=0.5) is b
    assert pool.pick([b], 0.5) is None


def test_without_failover_nobody_rests():
    pool, seen = make(1, failover=False)
    fail(pool, pool.engines[0], 0.0)
    assert pool.pick(now=0.5) is pool.engines[0]
    assert not seen.ejections


def test_an_idle_engine_is_never_stalled_and_owes_only_from_its_first_request():
    pool, _ = make(1)
    engine = pool.engines[0]
    pool.end_stalled(1000.0, 5.0)
    engine.board(flight()[0], 1000.0)
    pool.end_stalled(1004.0, 5.0)
    assert engine.ready


def test_a_client_that_does_not_read_is_not_the_engines_fault():
    pool, _ = make(1)
    engine = pool.engines[0]
    engine.board(flight(sending=True)[0], 0.0)
    pool.end_stalled(100.0, 5.0)
    assert engine.ready


def test_an_answer_that_is_not_streamed_counts_probes_as_progress():
    pool, _ = make(1)
    engine = pool.engines[0]
    engine.board(flight(streaming=False)[0], 0.0)
    pool.probed(engine, 8.0, good=True)
    pool.end_stalled(12.0, 5.0)
    assert engine.ready
    pool.end_stalled(13.1, 5.0)
    assert not engine.ready


def test_a_gateway_that_was_frozen_itself_blames_nobody():
    pool, _ = make(2)
    for engine in pool.engines:
        engine.board(flight()[0], 0.0)
    pool.forgive(60.0)
    pool.end_stalled(60.0, 5.0)
    assert all(engine.ready for engine in pool.engines)


def test_without_failover_the_wheel_turns_over_all_engines_whatever_happens():
    pool, seen = make(3, failover=False)
    pool.eject(pool.engines[0], "connect")
    assert sorted(pool.pick().url for _ in range(6)) == ["a", "a", "b", "b", "c", "c"]
    assert not seen.ejections


@given(st.integers(0, 2000))
def test_in_a_total_outage_retries_stay_a_fifth_of_the_requests_plus_the_floor(requests):
    budget = RetryBudget(ratio=0.2, floor=0.0, capacity=10.0, tokens=10.0)
    granted = 0
    for _ in range(requests):
        budget.deposit()
        granted += budget.withdraw(0.0)
    assert granted <= 10 + 0.2 * requests + 1e-6


def test_the_floor_lets_a_quiet_gateway_retry_again():
    budget = RetryBudget(ratio=0.2, floor=0.5, capacity=10.0, tokens=0.0)
    assert not budget.withdraw(1.0)  # 1 s * 0.5/s = half a retry
    assert budget.withdraw(2.0)


def test_a_refused_certificate_ends_no_whole_answer_that_was_under_way():
    # Probes cannot tell of progress while they are refused; streams still show their own.
    pool, _ = make(1)
    engine = pool.engines[0]
    (whole, why), (stream, silent) = flight(streaming=False), flight()
    engine.board(whole, 0.0)
    for second in range(1, 30):
        pool.distrusted(engine, "expired")
        pool.end_stalled(float(second), 5.0)
    assert why == []
    engine.board(stream, 30.0)
    pool.end_stalled(36.0, 5.0)
    assert silent
