"""What is known of a load while it runs: trends, errors by class, and a lamp that is never green by silence."""

from __future__ import annotations

import json
import math
import re

import pytest

from holdfast.load.live import SPAN, Medians, Pulse, Tail, lamp

LIMIT = 0.1
FINE = Pulse(planned=100, late=0.003, lag=0.002, beat=10.0)
ASKED = {"prompt_tokens": 9, "asked_tokens": 5, "model": "sim"}


def request(number, due, *, late=0.001, ttft=0.2, gap=0.01, tokens=11, outcome="ok"):
    first = due + ttft if outcome == "ok" else None
    last = first + gap * (tokens - 1) if first is not None else None
    times = {"due": due, "sent": due + late, "first": first, "last": last, "done": last}
    return {"kind": "request", "id": number, **times, "outcome": outcome, "tokens": tokens if first else 0, **ASKED}


def beat(t, lag=0.002, offered=0):
    return {"kind": "beat", "t": t, "lag": lag, "cpu": 0.1, "in_flight": 1, "offered": offered, "sent": offered}


@pytest.fixture
def pulse(tmp_path):
    """What a tail says after these lines of a record."""

    def look(*lines):
        path = tmp_path / "load.ndjson"
        path.write_text("".join(f"{json.dumps(one)}\n" for one in lines), encoding="utf-8")
        tail = Tail(path)
        tail.look()
        return tail.pulse()

    return look


def color(pulse, t=10.5, limit=LIMIT):
    return lamp(pulse, t, limit).color


def test_the_lamp_is_grey_as_long_as_nothing_is_known(pulse):
    assert color(Pulse()) == "grey"
    assert color(pulse({"kind": "start", "planned": 5}, beat(0.25))) == "grey"


def test_the_lamp_is_green_while_the_client_is_on_time(pulse):
    seen = pulse({"kind": "start", "planned": 5}, request(0, 1.0), beat(2.0))
    assert color(seen, t=2.2) == "green"


def test_the_lamp_is_red_with_the_reason_as_soon_as_the_client_is_late(pulse):
    # One of 50 requests is 140 ms late: the 99th percentile is the worst of them.
    lines = [request(number, 1.0 + number / 100, late=0.14 if number == 7 else 0.001) for number in range(50)]
    light = lamp(pulse({"kind": "start", "planned": 50}, *lines, beat(4.0)), 4.1, LIMIT)
    assert light.color == "red"
    assert light.why == "client late: p99 140 ms, limit 100 ms"


def test_one_late_request_in_two_hundred_is_within_the_99th_percentile(pulse):
    lines = [request(number, 1.0 + number / 100, late=0.14 if number == 7 else 0.001) for number in range(200)]
    assert color(pulse({"kind": "start", "planned": 200}, *lines, beat(4.0)), t=4.1) == "green"


def test_a_loop_that_is_late_is_red_too(pulse):
    light = lamp(pulse(request(0, 1.0), *(beat(t / 4, lag=0.2) for t in range(1, 9))), 2.1, LIMIT)
    # A sketch knows 200 ms to within 1/256.
    assert light.color == "red"
    assert re.fullmatch("client loop late: p95 (199|200|201) ms, limit 100 ms", light.why)


def test_the_limit_is_the_scenarios_own(pulse):
    seen = pulse({"kind": "start", "planned": 5}, request(0, 1.0, late=0.05), beat(2.0))
    assert (color(seen, 2.1, limit=0.1), color(seen, 2.1, limit=0.02)) == ("green", "red")


def test_more_than_one_in_a_hundred_over_the_cap_is_red():
    # 1 % of 100 may be missing, as for the verdict.
    assert color(Pulse(**known(FINE, errors={"dropped": 1}))) == "green"
    assert color(Pulse(**known(FINE, errors={"dropped": 2}))) == "red"


def known(pulse, **changes):
    return {name: getattr(pulse, name) for name in Pulse.__dataclass_fields__} | changes


def test_a_client_that_fell_silent_is_not_green_any_more():
    assert color(FINE, t=11.9) == "green"
    assert color(FINE, t=12.1) == "grey"


def test_a_client_that_has_ended_may_be_silent():
    assert color(Pulse(**known(FINE, ended=True)), t=60.0) == "green"


def test_lateness_beyond_all_measure_is_red():
    assert color(Pulse(**known(FINE, late=math.inf))) == "red"
    assert color(Pulse(**known(FINE, late=math.nan))) == "red"


def test_failures_are_counted_by_class_the_most_frequent_first(pulse):
    outcomes = ["ok", "connect", "timeout", "connect", "connect"]
    seen = pulse(*(request(number, 1.0, outcome=outcome) for number, outcome in enumerate(outcomes)), beat(2.0))
    assert list(seen.errors.items()) == [("connect", 3), ("timeout", 1)]
    assert (seen.good, seen.bad) == (1, 4)


def test_a_trend_has_the_median_of_each_second_and_a_hole_where_nothing_ended(pulse):
    # Ended at 1.3 (ttft 200 ms), 1.5 (400 ms); nothing in second 2; in second 3 one of 100 ms.
    lines = [request(0, 1.0), request(1, 1.0, ttft=0.4), beat(2.5), request(2, 3.0, ttft=0.1), beat(4.0)]
    seen = pulse(*lines)
    assert seen.ttfts == (pytest.approx(0.3), None, pytest.approx(0.1))
    # Ten gaps of 10 ms: (last - first) / (tokens - 1).
    assert seen.gaps == (pytest.approx(0.01), None, pytest.approx(0.01))


def test_an_answer_of_one_token_has_no_gap(pulse):
    assert pulse(beat(1.0), request(0, 1.0, tokens=1), beat(2.0)).gaps == (None,)


def test_a_trend_forgets_what_is_older_than_its_span():
    medians = Medians()
    for second in range(100):
        medians.take(second + 0.5, float(second))
    medians.turn(1000.0)
    assert medians.trend() == (None,) * SPAN


def test_each_look_takes_only_what_is_new_and_leaves_a_line_half_written(tmp_path):
    path = tmp_path / "load.ndjson"
    path.write_text(f"{json.dumps(request(0, 1.0))}\n" + '{"kind": "requ', encoding="utf-8")
    tail = Tail(path)
    tail.look()
    tail.look()
    assert tail.good == 1
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(request(1, 1.1)).removeprefix('{"kind": "requ') + "\n")
    tail.look()
    assert tail.good == 2
