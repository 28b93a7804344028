"""The longest wait for a token in a stream: whose wait counts, and whose does not. Seconds of a clock made up here."""

import pytest

from refplatform.gateway.exchange import Exchange
from refplatform.gateway.sse import EventCounter, Pace


def test_the_wait_for_the_first_token_is_no_gap():
    pace = Pace()
    pace.came(1, 9.0)
    assert (pace.first, pace.longest) == (9.0, 0.0)


def test_the_longest_of_all_gaps_is_kept():
    pace = Pace()
    for tokens, now in ((1, 1.0), (2, 1.25), (3, 3.25), (4, 3.5)):
        pace.came(tokens, now)
    assert pace.longest == 2.0  # 3.25 - 1.25


def test_what_is_no_token_ends_no_wait():
    pace = Pace()
    pace.came(1, 1.0)
    pace.came(1, 2.0)  # a comment, say
    pace.came(2, 3.5)
    assert pace.longest == 2.5  # 3.5 - 1


def test_time_in_which_the_client_does_not_read_is_the_clients():
    pace = Pace()
    pace.came(1, 1.0)
    pace.held(4.0)  # until 5
    pace.came(2, 5.25)
    assert pace.longest == 0.25


def test_the_wait_in_which_a_stream_breaks_counts_and_before_the_first_token_there_is_none():
    pace = Pace()
    pace.broke(7.0)
    assert (pace.first, pace.longest) == (None, 0.0)
    pace.came(1, 1.0)
    pace.broke(6.0)
    assert pace.longest == 5.0


@pytest.mark.parametrize(
    ("event", "finished"),
    [
        (b'{"choices":[{"delta":{},"finish_reason":"stop"}]}', True),
        (b'{"choices": [{"delta": {}, "finish_reason": "length"}]}', True),
        (b'{"choices":[{"delta":{"content":"a"},"finish_reason":null}]}', False),
        (b'{"choices":[{"delta":{"content":"\\"finish_reason\\":\\"stop\\""}}]}', False),  # somebody only talks of it
    ],
)
def test_a_finish_reason_is_one_that_is_said_and_not_one_that_is_quoted(event, finished):
    counter = EventCounter()
    counter.feed(b"data: " + event[:20])
    counter.feed(event[20:] + b"\n\n")
    assert counter.finished is finished


@pytest.mark.parametrize(
    ("outcome", "finished", "ending"),
    [
        ("ok", True, "complete"),
        ("ok", False, "unfinished"),
        ("failed", True, "cut"),  # the reason came, [DONE] did not
        ("failed", False, "cut"),
        ("cancelled", False, "cancelled"),
    ],
)
def test_a_stream_is_complete_only_with_a_reason_and_an_end(outcome, finished, ending):
    exchange = Exchange(request_id="r", method="POST", path="/", began=0.0, opened=True, finished=finished)
    exchange.end(200, outcome)
    assert exchange.ending == ending
