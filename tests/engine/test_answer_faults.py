"""Faults of single answers: each is seen by a client exactly as it says, and seen gone, by hand and by its lease."""

import json

import pytest


@pytest.fixture
def whole(rig):
    """Asserts that the engine answers well, streamed and not."""

    def clean():
        for stream in (True, False):
            seen = rig.ask(stream=stream)
            assert (seen.outcome, seen.error) == ("ok", "")
            assert seen.usage["completion_tokens"] == 8
        rig.quick(0.3)

    return clean


def test_slow_answers_wait_before_each_token_and_are_right(rig, whole):
    right = rig.ask().text

    def struck():
        seen = rig.ask()
        assert (seen.outcome, seen.text) == ("ok", right)
        # 0.1 s before the first token, 0.05 s before each of the seven others.
        assert seen.first > 0.1
        assert seen.seconds > 0.1 + 7 * 0.05
        assert rig.ask(stream=False).seconds > 0.1

    one = rig.life("slow", whole, struck, first=0.1, each=0.05)
    assert [strike["did"] for strike in rig.strikes(one)] == ["slowed", "slowed"]


def test_stall_leaves_a_stream_open_in_silence_after_its_tokens(rig, whole):
    def struck():
        seen = rig.ask(wait=0.25)
        assert (seen.outcome, seen.status) == ("timeout", 200)
        assert seen.body.count(b'"content":') == 1 + 3  # the role, then three tokens
        assert rig.ask(stream=False, wait=0.25).status is None

    one = rig.life("stall", whole, struck, tokens=3)
    assert [(strike["token"], strike["did"]) for strike in rig.strikes(one)] == [(3, "stalled"), (0, "stalled")]


def test_stall_lets_go_of_the_streams_that_it_holds_when_its_lease_ends(rig):
    one = rig.begin("stall", lease=1.0, tokens=3)
    seen = rig.ask()
    assert (seen.outcome, len(seen.text)) == ("ok", 8 * 4)
    assert rig.told(one)["struck"] == 1


def test_stall_does_not_hold_a_stream_whose_client_has_left(rig):
    rig.begin("stall", tokens=3)
    assert [rig.ask(wait=0.1).outcome for _ in range(3)] == ["timeout"] * 3
    rig.until(lambda: rig.text("/load") == '{"server_load":0}')


def test_cut_closes_the_connection_in_the_middle(rig, whole):
    def struck():
        seen = rig.ask()
        assert (seen.outcome, seen.status, seen.error) == ("cut", 200, "closed before the end of the body")
        assert len(seen.text) == 3 * 4
        assert rig.ask(stream=False).outcome == "cut"

    rig.life("cut", whole, struck, tokens=3)


def test_malformed_event_breaks_one_event_and_none_beside_it(rig, whole):
    def struck():
        seen = rig.ask()
        assert seen.outcome == "malformed"
        events = [event.removeprefix(b"data: ") for event in seen.body.split(b"\n\n") if event]
        # The role, tokens 0 and 1, the broken one, tokens 3 to 7, usage, [DONE].
        assert [readable(event) for event in events] == [True] * 3 + [False] + [True] * 7
        assert rig.ask(stream=False).outcome == "malformed"

    rig.life("malformed-event", whole, struck, tokens=2)


def readable(event):
    try:
        return event == b"[DONE]" or bool(json.loads(event))
    except ValueError:
        return False


def test_no_done_ends_a_stream_without_its_mark(rig, whole):
    def struck():
        seen = rig.ask()
        assert (seen.outcome, seen.error) == ("cut", "the stream ended without [DONE]")
        assert len(seen.text) == 8 * 4
        assert rig.ask(stream=False).outcome == "ok"

    one = rig.life("no-done", whole, struck)
    told = rig.told(one)
    assert (told["matched"], told["picked"], told["struck"]) == (2, 2, 1)


def test_wrong_usage_counts_tokens_that_are_not_there(rig, whole):
    def struck():
        for stream in (True, False):
            seen = rig.ask(stream=stream)
            assert (seen.outcome, len(seen.text)) == ("ok", 8 * 4)
            assert seen.usage["completion_tokens"] == 8 + 100
            assert seen.usage["total_tokens"] == seen.usage["prompt_tokens"] + 108

    rig.life("wrong-usage", whole, struck, off=100)


def test_empty_200_says_yes_and_nothing_else(rig, whole):
    def struck():
        for stream in (True, False):
            seen = rig.ask(stream=stream)
            assert (seen.status, seen.body) == (200, b"")
            assert seen.outcome != "ok"

    rig.life("empty-200", whole, struck)


REFUSALS = [
    ({"status": 429, "retry_after": 2}, "rate_limit_exceeded", "2"),
    ({"status": 429}, "rate_limit_exceeded", None),
    ({"status": 500}, None, None),
    ({"status": 503}, None, None),
    ({"status": 400}, "context_length_exceeded", None),
    ({"status": 400, "reason": "content_filter"}, "content_filter", None),
]


def test_status_refuses_as_a_provider_does(rig, whole):
    def struck():
        for stream in (True, False):
            seen = rig.ask(stream=stream)
            assert (seen.status, seen.outcome) == (503, "http_error")
            assert set(json.loads(seen.body)["error"]) == {"message", "type", "param", "code"}

    rig.life("status", whole, struck, status=503)


@pytest.mark.parametrize(("parameters", "code", "after"), REFUSALS)
def test_a_refusal_has_the_code_and_the_header_of_its_status(rig, parameters, code, after):
    rig.begin("status", **parameters)
    status, headers, body = rig.plain()
    assert (status, headers.get("retry-after"), body["error"]["code"]) == (parameters["status"], after, code)


def test_black_hole_takes_a_request_and_gives_no_header(rig, whole):
    def struck():
        for stream in (True, False):
            assert (seen := rig.ask(stream=stream, wait=0.25)).status is None
            assert seen.outcome == "timeout"
        assert rig.get("/health") == 200

    rig.life("black-hole", whole, struck)


def test_what_a_black_hole_swallowed_is_answered_whole_when_it_ends(rig):
    rig.begin("black-hole", lease=0.8)
    assert rig.ask().outcome == "ok"


# Which answers.


def picked(rig, pick, count=20, **extra):
    """Which of so many requests are struck, and the fault's own account."""
    one = rig.begin("no-done", pick=pick)
    seen = [rig.ask(tokens=1, **extra).outcome == "cut" for _ in range(count)]
    rig.admin("DELETE", f"/faults/{one}")
    return seen, rig.told(one)


def test_the_same_seed_picks_the_same_requests_and_another_seed_others(rig):
    first, told = picked(rig, {"percent": 40, "seed": 7})
    again, _ = picked(rig, {"percent": 40, "seed": 7})
    other, _ = picked(rig, {"percent": 40, "seed": 8})
    assert first == again != other
    assert told["struck"] == sum(first)
    # 20 throws at 40 %: 8 on average; outside 1 to 16 once in 3000 seeds, and this seed is always the same.
    assert 1 <= sum(first) <= 16


def test_the_first_requests_pass(rig):
    assert picked(rig, {"after": 3}, count=5)[0] == [False] * 3 + [True] * 2


def test_only_the_first_are_struck(rig):
    assert picked(rig, {"first": 1}, count=4)[0] == [True] + [False] * 3
    assert picked(rig, {"after": 1, "first": 2}, count=5)[0] == [False, True, True, False, False]


def test_a_tenant_is_known_by_the_gateways_header_or_by_user_and_others_pass(rig):
    assert picked(rig, {"tenant": "acme"}, count=2, user="acme")[0] == [True] * 2
    seen, told = picked(rig, {"tenant": "acme"}, count=2, user="globex")
    assert (seen, told["matched"]) == ([False] * 2, 0)


def test_a_model_is_picked_and_others_pass(rig):
    assert picked(rig, {"model": "chat"}, count=1)[0] == [True]
    assert picked(rig, {"model": "other"}, count=1)[0] == [False]


def test_two_faults_touch_one_answer_and_each_ends_alone(rig, whole):
    slow, silent = rig.begin("slow", first=0.2, each=0), rig.begin("no-done")
    seen = rig.ask()
    assert (seen.outcome, seen.first > 0.2) == ("cut", True)
    rig.admin("DELETE", f"/faults/{slow}")
    rig.quick(0.2)
    rig.admin("DELETE", f"/faults/{silent}")
    whole()


# Two witnesses.


def test_every_strike_is_a_failure_at_the_client_and_no_other_request_is(rig):
    before = rig.counted("no-done")
    one = rig.begin("no-done", pick={"percent": 50, "seed": 3})
    seen = [rig.ask(tokens=2) for _ in range(30)]
    strikes = rig.strikes(one)
    failed = {record.identity for record in seen if record.outcome != "ok"}
    assert {strike["request_id"] for strike in strikes} == failed
    assert 0 < len(failed) < 30
    assert rig.counted("no-done") - before == len(failed) == len(strikes)
    assert {(strike["fault"], strike["fault_id"], strike["token"]) for strike in strikes} == {("no-done", one, 2)}
    rig.admin("DELETE")
