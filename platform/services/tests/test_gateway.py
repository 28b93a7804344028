"""A gateway before healthy engines: who is let in, where requests go, what is counted and said."""

import json
import os
import signal
import subprocess

import pytest

from holdfast.errors import InfrastructureError
from holdfast.platforms.tools import cache_folder, locate

OK = {"code": "200", "outcome": "ok"}


def test_a_stream_passes_unchanged_and_is_counted_once_it_ends(engine, gateway, web):
    backend = engine()
    server = gateway(backend)
    before = web.metrics(server.admin)
    assert before("gateway_requests_total", code="200", outcome="failed") == 0  # exists before it happens
    assert before("gateway_requests_total", **OK) == 0
    stream = web.open(server.url, path=web.path, body=web.chat(6, stream_options={"include_usage": True}))
    reply = stream.finish()
    assert reply.events[-1] == "[DONE]"
    assert reply.deltas == web.ask(backend.url, 6).deltas
    assert len(reply.deltas) == 6
    value = web.metrics(server.admin)
    assert value("gateway_requests_total", **OK) == 1
    assert value("gateway_request_duration_seconds_count") == value("gateway_ttft_seconds_count") == 1
    assert value("gateway_ttft_seconds_bucket", le="10.0") == 1
    assert value("gateway_tokens_total") == 6
    assert value("gateway_streams_total", ending="complete") == value("gateway_streams_total") == 1
    assert value("gateway_largest_token_gap_seconds_count") == 1
    assert 0 < value("gateway_largest_token_gap_seconds_sum") < 1  # six tokens of 4 ms
    assert value("gateway_request_duration_seconds_bucket", outcome="ok", le="5.0") == 1
    assert value("gateway_upstream_attempts_total", result="ok") == 1
    assert value("gateway_in_flight") == 0


def test_tokens_arrive_one_by_one_and_not_at_the_end(engine, gateway, web):
    server = gateway(engine(c0=0.05))
    stream = web.open(server.url, path=web.path, body=web.chat(40)).until(b'"content":"')
    assert b"[DONE]" not in stream.body
    assert web.metrics(server.admin)("gateway_in_flight") == 1
    assert web.metrics(server.admin)("gateway_requests_total", **OK) == 0
    stream.drop()


def test_whole_answers_and_the_engines_own_refusals_pass_through(engine, gateway, web):
    server = gateway(engine())
    assert web.ask(server.url, 3).status == 200
    assert web.fetch(server.url, web.path, web.chat(3, stream=False)).json["usage"]["completion_tokens"] == 3
    assert web.fetch(server.url, "/v1/models").json["data"][0]["id"] == "chat"
    refused = web.fetch(server.url, web.path, web.chat() | {"model": "other"})
    assert (refused.status, refused.json["error"]["type"]) == (404, "NotFoundError")
    value = web.metrics(server.admin)
    assert value("gateway_requests_total", code="404", outcome="rejected") == 1
    assert value("gateway_streams_total") == 1  # a whole answer is no stream, and neither is a refusal
    assert value("gateway_tokens_total") == 3 + 3


@pytest.mark.parametrize("key", [None, "sk-wrong"])
def test_without_a_right_key_no_engine_is_contacted_and_no_key_is_logged(engine, gateway, web, key):
    server = gateway(engine())
    reply = web.ask(server.url, key=key)
    assert reply.status == 401
    assert reply.json["error"]["code"] == "invalid_api_key"
    assert web.metrics(server.admin)("gateway_requests_total", code="401", outcome="rejected") == 1
    assert web.metrics(server.admin)("gateway_upstream_attempts_total") == 0
    web.eventually(lambda: server.lines)
    assert "sk-" not in server.log.read_text()


def test_the_log_line_tells_one_request_and_keeps_the_clients_id(engine, gateway, web):
    backend = engine()
    server = gateway(backend)
    assert web.ask(server.url, 4, headers={"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
    made = web.ask(server.url, 4, headers={"x-request-id": "not an id"}).headers["x-request-id"]
    assert made.isalnum()
    first, second = web.eventually(lambda: len(server.lines) == 2 and server.lines)
    wanted = {"request_id": "abc-1", "tenant": "acme", "engine": backend.url, "code": 200, "outcome": "ok"}
    assert wanted.items() <= first.items()
    assert (first["tokens"], first["attempts"]) == (4, 1)
    assert 0 < first["ttft"] <= first["duration"]
    assert second["request_id"] == made
    assert "sk-test" not in server.log.read_text()


def test_concurrent_requests_are_spread_by_least_in_flight(engine, gateway, web):
    engines = [engine(c0=0.03) for _ in range(3)]
    server = gateway(*engines)
    streams = [web.open(server.url, path=web.path, body=web.chat(200)).until(b'"content":"') for _ in range(6)]
    assert [web.metrics(e.url)("vllm:num_requests_running") for e in engines] == [2, 2, 2]  # 6 / 3
    for stream in streams:
        stream.drop()


def test_a_client_that_goes_away_is_cancelled_up_to_the_engine(engine, gateway, web):
    backend = engine(c0=0.05)
    server = gateway(backend)
    web.open(server.url, path=web.path, body=web.chat(1000)).until(b'"content":"').drop()
    cancelled = {"code": "200", "outcome": "cancelled"}
    web.eventually(lambda: web.metrics(server.admin)("gateway_requests_total", **cancelled) == 1, within=3)
    web.eventually(lambda: web.metrics(backend.url)("vllm:num_requests_running") == 0, within=3)
    assert web.metrics(backend.url)("vllm:request_success_total") == 0  # it did not run to its end
    assert web.metrics(server.admin)("gateway_streams_total", ending="cancelled") == 1


def test_two_replicas_share_one_address_and_one_can_leave(engine, gateway, web):
    backend = engine()
    one = gateway(backend, name="gateway-1")
    port = int(one.url.rsplit(":", 1)[1])
    two = gateway(backend, name="gateway-2", port=port)
    for _ in range(40):  # each new connection falls on either; all on one has probability 2 ** -39
        assert web.ask(one.url, 1).status == 200
    counts = [web.metrics(server.admin)("gateway_requests_total", **OK) for server in (one, two)]
    assert sum(counts) == 40
    assert min(counts) > 0
    assert one.end() == 0
    assert [web.ask(two.url, 1).status for _ in range(10)] == [200] * 10


def test_on_sigterm_it_refuses_new_work_finishes_streams_and_exits_0(engine, gateway, web):
    server = gateway(engine(c0=0.03))
    stream = web.open(server.url, path=web.path, body=web.chat(40)).until(b'"content":"')
    server.signal(signal.SIGTERM)
    web.eventually(lambda: web.fetch(server.admin, "/ready").status == 503)
    assert web.fetch(server.admin, "/health").status == 200

    def refused():
        try:
            web.fetch(server.url, "/health")
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:  # it was waiting to be accepted when the listener closed
            return False
        return False

    web.eventually(refused, within=3)
    assert stream.finish().events[-1] == "[DONE]"
    assert server.process.wait(12) == 0


def test_without_redis_nothing_changes_for_clients_and_the_usage_waits(engine, gateway, web):
    server = gateway(engine())
    for _ in range(3):
        assert web.ask(server.url, 2).status == 200
    assert web.metrics(server.admin)("gateway_ledger_pending") == 3
    web.eventually(lambda: web.metrics(server.admin)("gateway_ledger_errors_total") > 0)
    # Usage that is late is seen while it waits: all three, five seconds after they ended.
    assert web.metrics(server.admin)("gateway_usage_delay_seconds_count") == 0
    web.eventually(lambda: web.metrics(server.admin)("gateway_usage_delay_seconds_count") == 3)
    assert web.metrics(server.admin)("gateway_usage_delay_seconds_bucket", le="60.0") == 0
    refused = web.fetch(server.url, "/usage")
    assert (refused.status, refused.json["error"]["type"]) == (503, "service_unavailable")
    assert web.metrics(server.admin)("gateway_management_duration_seconds_count", outcome="failed") == 1
    assert server.end() == 0


@pytest.fixture
def redis(web, tmp_path):
    """Starts and stops a real Redis on one port; skips where there is none."""
    try:
        program = locate(["redis-server"], path=os.environ["PATH"], cache=cache_folder(os.environ))["redis-server"]
    except InfrastructureError as error:
        pytest.skip(str(error))
    port, started = web.port(), []

    def start():
        args = [program.path, "--port", str(port), "--dir", str(tmp_path), "--appendonly", "yes", "--bind", "127.0.0.1"]
        started.append(subprocess.Popen(args, env={**os.environ, **program.environment}, stdout=subprocess.DEVNULL))
        return started[-1]

    yield start, f"redis://127.0.0.1:{port}/0"
    for process in started:
        process.kill()
        process.wait(10)


def test_the_ledger_balances_although_redis_comes_late_and_dies_once(engine, gateway, web, redis):
    from redis import Redis

    start, url = redis
    server = gateway(engine(), redis=url)
    assert web.ask(server.url, 2).status == 200  # Redis is not there yet
    first = start()
    written = "gateway_ledger_requests_total"
    web.eventually(lambda: web.metrics(server.admin)(written) == 1)
    first.kill()
    first.wait(10)
    assert web.ask(server.url, 3, key="sk-other").status == 200
    assert web.ask(server.url, 4).status == 200
    start()
    web.eventually(lambda: web.metrics(server.admin)(written) == 3)
    with Redis.from_url(url, decode_responses=True) as client:
        assert client.hgetall("usage:acme") == {"requests": "2", "tokens": "6"}  # 2 + 4
        assert client.hgetall("usage:globex") == {"requests": "1", "tokens": "3"}


def test_a_key_of_the_wrong_type_in_redis_delays_usage_and_loses_none(engine, gateway, web, redis):
    from redis import Redis

    start, url = redis
    start()
    with Redis.from_url(url, decode_responses=True) as client:
        web.eventually(lambda: answers(client))
        client.set("usage:acme", "no hash")
        server = gateway(engine(), redis=url)
        assert web.ask(server.url, 3).status == 200
        web.eventually(lambda: web.metrics(server.admin)("gateway_ledger_errors_total") >= 2)
        client.delete("usage:acme")
        web.eventually(lambda: web.metrics(server.admin)("gateway_ledger_requests_total") == 1)
        assert client.hgetall("usage:acme") == {"requests": "1", "tokens": "3"}


def answers(client) -> bool:
    from redis import RedisError

    try:
        return client.ping()
    except RedisError:
        return False


def test_usage_that_ends_during_the_drain_is_still_written(engine, gateway, web, redis):
    from redis import Redis

    start, url = redis
    start()
    with Redis.from_url(url) as client:
        web.eventually(lambda: answers(client))
    server = gateway(engine(c0=0.02), redis=url)
    stream = web.open(server.url, path=web.path, body=web.chat(20)).until(b'"content":"')
    server.signal(signal.SIGTERM)
    assert len(stream.finish().deltas) == 20
    assert server.process.wait(12) == 0
    with Redis.from_url(url, decode_responses=True) as client:
        assert client.hgetall("usage:acme") == {"requests": "1", "tokens": "20"}


def test_a_tenant_may_ask_what_it_has_used_and_no_other(engine, gateway, web, redis):
    start, url = redis
    start()
    server = gateway(engine(), redis=url)
    assert [web.ask(server.url, tokens).status for tokens in (2, 3)] == [200, 200]
    wanted = {"object": "usage", "tenant": "acme", "requests": 2, "tokens": 5}
    web.eventually(lambda: web.fetch(server.url, "/usage").json == wanted)
    assert web.fetch(server.url, "/usage", key="sk-other").json["requests"] == 0
    assert web.fetch(server.url, "/usage", key="sk-wrong").status == 401
    value = web.metrics(server.admin)
    assert value("gateway_management_duration_seconds_count", question="usage", outcome="ok") >= 2
    assert value("gateway_management_duration_seconds_count", question="usage", outcome="rejected") == 1
    assert value("gateway_usage_delay_seconds_count") == 2
    assert value("gateway_usage_delay_seconds_bucket", le="5.0") == 2
    assert value("gateway_requests_total") == 2  # answers of engines; questions to the gateway are counted apart


def test_an_operator_may_ask_who_takes_traffic_at_the_admin_port_alone(engine, gateway, web):
    backend = engine(c0=0.05)
    server = gateway(backend)
    stream = web.open(server.url, path=web.path, body=web.chat(200)).until(b'"content":"')
    assert web.fetch(server.admin, "/engines").json["data"] == [{"url": backend.url, "ready": True, "in_flight": 1}]
    stream.drop()
    assert web.fetch(server.url, "/engines").status == 404
    assert web.metrics(server.admin)("gateway_management_duration_seconds_count", question="engines") == 1


def test_every_log_line_is_json(engine, gateway, web):
    server = gateway(engine())
    web.ask(server.url, 1)
    web.eventually(server.log.read_text)
    assert [json.loads(line)["event"] for line in server.log.read_text().splitlines()] == ["request"]
