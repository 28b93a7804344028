"""A gateway before an engine that answers badly: what is tried elsewhere, what ends honestly, who is left alone."""

import json
import os
import time
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.e2e

TOKEN = "a-token-for-the-tests-alone"


@pytest.fixture
def broken(engine, tmp_path, web):
    """An engine with a door for faults: `begin(fault, **parameters)`, `end()`, `strikes(id)`."""
    secret, port, admin = tmp_path / "token", web.port(), web.port()
    with os.fdopen(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(TOKEN)
    engine(port=port, door=(admin, secret))
    url, door = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin}"

    def begin(fault, *, pick=None, **parameters):
        body = {"fault": fault, "lease": 30, "parameters": parameters, "pick": pick or {}}
        return web.fetch(door, "/faults", body, key=TOKEN).json["id"]

    def strikes(one):
        return len(web.fetch(door, f"/faults/{one}/strikes", key=TOKEN).body.splitlines())

    def end():
        web.delete(door, "/faults", key=TOKEN)

    return SimpleNamespace(url=url, begin=begin, strikes=strikes, end=end)


@pytest.fixture
def pair(engine, gateway, broken):
    """A gateway before the engine that may break and one that does not."""
    good = engine()
    server = gateway(broken, good, stall=1.0)
    return SimpleNamespace(url=server.url, admin=server.admin, broken=broken, good=good.url)


def asked(web, pair, count, tokens=6):
    return [web.ask(pair.url, tokens) for _ in range(count)]


def whole(reply, tokens=6):
    return reply.status == 200 and len(reply.deltas) == tokens and reply.events[-1] == "[DONE]"


def readable(reply):
    return [json.dumps(event) for event in reply.events]  # raises for what is no JSON


def test_a_limit_is_kept_and_costs_nobody_an_answer(pair, web):
    one = pair.broken.begin("status", status=429, retry_after=20)
    assert all(whole(reply) for reply in asked(web, pair, 12))
    assert pair.broken.strikes(one) == 1  # twelve requests in less than 20 s, and only the first went there
    assert web.metrics(pair.admin)("gateway_upstream_attempts_total", result="limited") == 1


def test_the_limit_of_the_only_engine_is_passed_on_with_its_time(broken, gateway, web):
    server = gateway(broken)
    broken.begin("status", status=429, retry_after=7)
    reply = web.ask(server.url, 2)
    assert (reply.status, reply.headers["retry-after"]) == (429, "7")
    assert web.metrics(server.admin)("gateway_requests_total", code="429", outcome="rejected") == 1


def test_one_mistake_is_made_good_by_one_retry(pair, web):
    one = pair.broken.begin("status", status=500, pick={"first": 1})
    assert all(whole(reply) for reply in asked(web, pair, 6))
    assert pair.broken.strikes(one) == 1
    assert web.metrics(pair.admin)("gateway_upstream_attempts_total") == 7


def test_an_engine_that_only_refuses_gets_a_trial_now_and_then_and_comes_back(pair, web):
    one = pair.broken.begin("status", status=503)
    until, replies = time.monotonic() + 2.5, []
    while time.monotonic() < until:
        replies += asked(web, pair, 1, tokens=2)
    assert all(whole(reply, 2) for reply in replies)
    # Three open the circuit; the rests last 1 s and 2 s, so one trial falls into 2.5 s.
    assert 3 <= pair.broken.strikes(one) <= 5
    assert web.metrics(pair.admin)("gateway_ejections_total", reason="circuit") >= 1
    pair.broken.end()
    before = web.metrics(pair.broken.url)("vllm:generation_tokens_total")
    web.eventually(
        lambda: asked(web, pair, 2) and web.metrics(pair.broken.url)("vllm:generation_tokens_total") > before + 12
    )


@pytest.mark.parametrize("reason", ["context_length_exceeded", "content_filter"])
def test_what_is_the_askers_fault_is_said_and_not_tried_again(pair, web, reason):
    pair.broken.begin("status", status=400, reason=reason)
    replies = asked(web, pair, 4)
    assert sorted(reply.status for reply in replies) == [200, 200, 400, 400]  # the two take turns
    assert {reply.json["error"]["code"] for reply in replies if reply.status == 400} == {reason}
    assert web.metrics(pair.admin)("gateway_upstream_attempts_total") == 4


@pytest.mark.parametrize(
    ("fault", "parameters", "results"),
    [
        ("slow", {"first": 20.0}, ("silent", "stall")),
        ("black-hole", {}, ("silent", "stall")),
        ("empty-200", {}, ("torn",)),
        ("malformed-event", {"tokens": 0}, ("malformed",)),
        ("cut", {"tokens": 0}, ("reset",)),
        ("core-dead", {}, ("silent", "stall")),
    ],
)
def test_what_goes_wrong_before_the_first_token_is_made_good_elsewhere(pair, web, fault, parameters, results):
    pair.broken.begin(fault, **parameters)
    assert all(whole(reply) for reply in asked(web, pair, 6))
    value = web.metrics(pair.admin)
    assert sum(value("gateway_upstream_attempts_total", result=one) for one in results) >= 1


def test_half_an_answer_ends_with_an_error_when_the_rest_does_not_come(pair, web):
    pair.broken.begin("stall", tokens=3)
    replies = asked(web, pair, 2)
    (torn,) = [reply for reply in replies if not whole(reply)]
    assert len(torn.deltas) == 3
    assert torn.events[-1]["error"]["code"] == 504
    assert web.metrics(pair.admin)("gateway_streams_total", ending="cut") == 1
    assert web.metrics(pair.broken.url)("vllm:num_requests_running") == 0


def test_an_event_that_cannot_be_read_ends_the_answer_and_does_not_reach_the_reader(pair, web):
    pair.broken.begin("malformed-event", tokens=3)
    replies = asked(web, pair, 2)
    (torn,) = [reply for reply in replies if not whole(reply)]
    assert readable(torn)
    assert len(torn.deltas) == 3
    assert torn.events[-1]["error"]["type"] == "upstream_error"


def test_an_answer_that_lacks_only_its_mark_is_given_it_with_its_usage(broken, gateway, web):
    server = gateway(broken)
    one = broken.begin("no-done")
    reply = web.fetch(server.url, web.path, web.chat(6, stream_options={"include_usage": True}))
    assert whole(reply)
    assert reply.events[-2]["usage"]["completion_tokens"] == 6
    assert broken.strikes(one) == 1
    assert web.metrics(server.admin)("gateway_streams_total", ending="complete") == 1


def test_the_opening_of_a_stream_comes_with_its_first_token(broken, gateway, web):
    server = gateway(broken)
    assert [event["choices"][0]["delta"] for event in web.ask(server.url, 2).events[:1]] == [
        {"role": "assistant", "content": ""}
    ]
