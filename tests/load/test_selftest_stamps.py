"""The arithmetic of the self-test: from stamps of both ends to the client's errors, and from those to a count."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.load.selftest.knee import Held, Knee, Step, held, in_words, knee
from holdfast.load.selftest.server import Frames
from holdfast.load.selftest.stamps import Errors, Sighting, Spread, errors_of, spread, streams_of

SECOND = 1_000_000_000


def events(*stamps: tuple[float, float], arrived: float = 10.0) -> list[bytes]:
    """Body bytes of one stream's events, as (due, sent) in seconds; chunk framing taken off."""
    frames = Frames(1, round(arrived * SECOND))
    return [frames.event(round(due * SECOND), round(sent * SECOND)).split(b"\r\n")[1] for due, sent in stamps]


def seen(start: float, *reads: tuple[float, bytes]) -> Sighting:
    return Sighting(
        start, [second for second, _ in reads], [len(data) for _, data in reads], b"".join(d for _, d in reads)
    )


def step(streams: int, p99: float = 0.001, **other) -> Step:
    few = Spread(count=100, p50=0.0, p99=0.0001, max=0.0001)
    recv = Spread(count=100, p50=0.0, p99=p99, max=p99)
    server = Spread(count=100, p50=0.0, p99=other.pop("server", 0.0001), max=1.0)
    errors = Errors(recv=recv, itl=few, ttft=few, server=server)
    return Step(
        **{"streams": streams, "errors": errors, "lag": few, "cpu": 0.5, "expected": 100.0}
        | {"failed": 0, "refused": 0, **other}
    )


def test_errors_are_what_the_client_adds_to_the_truth():
    # arrived 10.000; sent 10.020, 10.041 (due 10.040), 10.060; the client turned to the network at 9.999.
    first, second, third = events((10.020, 10.020), (10.040, 10.041), (10.060, 10.060))
    # Seen 1, 4 and 2 ms after they were sent.
    found = errors_of(streams_of([seen(9.999, (10.021, first), (10.045, second), (10.062, third))]), 10.0, 11.0)
    assert (found.recv.count, found.recv.max) == (3, pytest.approx(0.004))
    assert found.recv.p50 == pytest.approx(0.002)
    # Seen 24 and 17 ms apart, sent 21 and 19 ms apart: 3 and 2 ms wrong.
    assert (found.itl.count, found.itl.p50, found.itl.max) == (2, pytest.approx(0.002), pytest.approx(0.003))
    # 22 ms by the client, 20 ms in truth.
    assert (found.ttft.count, found.ttft.max) == (1, pytest.approx(0.002))
    assert found.server.max == pytest.approx(0.001)


def test_an_event_is_seen_when_the_read_that_completes_it_returns():
    first, second = events((10.0, 10.0), (10.1, 10.1))
    cut = len(first) + 30
    both = first + second
    streams = streams_of([seen(9.9, (10.2, both[:cut]), (10.3, both[cut:]))])
    assert list(streams.seen) == [10.2, 10.3]


def test_two_events_of_one_read_have_its_time():
    both = b"".join(events((10.0, 10.0), (10.1, 10.1)))
    assert list(streams_of([seen(9.9, (10.2, both))]).seen) == [10.2, 10.2]


def test_no_interval_runs_from_one_stream_to_the_next():
    one, other = events((10.0, 10.0), (10.1, 10.1)), events((20.0, 20.0), (20.1, 20.1))
    streams = streams_of([seen(9.9, (10.0, one[0]), (10.1, one[1])), seen(19.9, (20.0, other[0]), (20.1, other[1]))])
    found = errors_of(streams, 0, 30)
    assert (found.itl.count, found.ttft.count) == (2, 2)
    assert found.itl.max == pytest.approx(0.0, abs=1e-9)


def test_only_events_sent_in_the_window_count():
    first, second = events((10.0, 10.0), (10.1, 10.1))
    found = errors_of(streams_of([seen(9.9, (10.0, first), (10.1, second))]), 10.05, 10.15)
    assert (found.recv.count, found.itl.count, found.ttft.count) == (1, 1, 0)


def test_nothing_seen_knows_nothing():
    found = errors_of(streams_of([]), 0, 1)
    assert found.recv == Spread(count=0, p50=None, p99=None, max=None)


def test_an_answer_without_stamps_is_refused():
    with pytest.raises(ValueError, match="no stamped event"):
        streams_of([seen(0.0, (1.0, b'data: {"choices":[]}\n\n'))])


@given(st.lists(st.floats(0, 10), min_size=1, max_size=300))
def test_the_99th_percentile_is_a_value_that_99_percent_do_not_exceed(values):
    import numpy as np

    found = spread(np.array(values))
    assert found.p99 in values
    assert sum(value <= found.p99 for value in values) >= 0.99 * len(values)


@given(st.integers(0, 10**18), st.integers(0, 10**18), st.integers(0, 10**18))
def test_a_frame_is_as_long_as_its_chunk_says_whatever_the_stamps(arrived, due, sent):
    data = Frames(7, arrived).event(due, sent)
    size, _, rest = data.partition(b"\r\n")
    assert len(rest) == int(size, 16) + 2


def test_a_count_is_held_when_all_three_errors_are_within_the_limit_at_the_99th_percentile():
    assert step(10, p99=0.005).held(0.005) is Held.YES
    assert step(10, p99=0.0051).held(0.005) is Held.NO


@pytest.mark.parametrize("late", [0.0021, None, float("nan")])
def test_a_late_server_decides_nothing(late):
    assert step(10, server=late).held(0.005) is Held.UNDECIDED


def test_a_server_that_broke_off_decides_nothing():
    assert step(10, failed=1).held(0.005) is Held.UNDECIDED


@pytest.mark.parametrize("flaw", [{"refused": 1}, {"expected": 103.0}])
def test_streams_that_were_refused_or_came_short_are_not_held(flaw):
    # 100 events of 103 are 97.1 %, under 98 %.
    assert step(10, **flaw).held(0.005) is Held.NO


def test_one_good_run_of_a_count_is_enough_and_a_bad_one_outweighs_a_late_server():
    runs = [step(10, p99=1.0), step(10), step(20, p99=1.0), step(20, server=1.0), step(30, server=1.0)]
    assert held(runs, 0.005) == {10: Held.YES, 20: Held.NO, 30: Held.UNDECIDED}


@pytest.mark.parametrize(
    ("runs", "holds", "breaks", "words"),
    [
        ([step(10), step(20), step(40, p99=1.0)], 20, 40, "holds 20 streams with errors under 5 ms; 40 are too many"),
        ([step(10), step(20)], 20, None, "no run found its end"),
        ([step(10), step(20, server=1.0), step(40, p99=1.0)], 10, 40, "holds 10"),
        ([step(10, p99=1.0), step(20, p99=1.0)], 0, 10, "does not hold even 10"),
        ([step(10, server=1.0), step(20, server=1.0)], None, None, "nothing is known"),
        # Ten were never measured rightly: that twenty are too many does not make it none.
        ([step(10, server=1.0), step(20, p99=1.0)], None, 20, "nothing is known"),
        ([], None, None, "nothing is known"),
    ],
)
def test_the_knee_is_the_largest_count_that_held(runs, holds, breaks, words):
    found = knee(runs, 0.005)
    assert found == Knee(limit=0.005, holds=holds, breaks=breaks)
    assert words in in_words(found)
