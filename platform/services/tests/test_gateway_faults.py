"""A gateway before engines that die, freeze, refuse and come back."""

import signal
import time

import pytest

OK = {"code": "200", "outcome": "ok"}
TORN = {"code": "200", "outcome": "failed"}
LONG = 400
STREAM = 120  # tokens of 30 ms: 3.6 s


def streams_on_each(web, server, count):
    """As many long streams as engines, so that each engine has one."""
    return [web.open(server.url, path=web.path, body=web.chat(STREAM)).until(b'"content":"') for _ in range(count)]


def owner(web, engines):
    """The engines that run something."""
    return [engine for engine in engines if web.metrics(engine.url)("vllm:num_requests_running")]


def test_a_killed_engine_costs_no_request_that_has_not_begun(engine, gateway, web):
    engines = [engine(), engine()]
    server = gateway(*engines)
    engines[0].process.kill()
    replies = [web.ask(server.url, 2) for _ in range(12)]
    assert [reply.status for reply in replies] == [200] * 12
    assert all(len(reply.deltas) == 2 for reply in replies)
    web.eventually(lambda: web.metrics(server.admin)("gateway_engine_ready", engine=engines[0].url) == 0)
    value = web.metrics(server.admin)
    assert value("gateway_ejections_total", engine=engines[0].url) == 1
    assert value("gateway_requests_total", **OK) == value("gateway_requests_total") == 12


@pytest.mark.e2e
def test_a_stream_cut_in_the_middle_ends_with_an_error_event_and_counts_as_failed(engine, gateway, web):
    engines = [engine(c0=0.03), engine(c0=0.03)]
    server = gateway(*engines)
    torn, whole = streams_on_each(web, server, 2)
    victim = engines[0]
    victim.process.kill()
    replies = [torn.finish(), whole.finish()]
    (reply,) = [reply for reply in replies if reply.events[-1] != "[DONE]"]
    assert reply.status == 200
    assert reply.events[-1]["error"]["type"] == "upstream_error"
    assert sum("error" in event for event in reply.events) == 1
    value = web.metrics(server.admin)
    assert value("gateway_requests_total", **TORN) == 1
    assert value("gateway_requests_total", **OK) == 1
    assert value("gateway_upstream_attempts_total", result="reset") == 1
    assert value("gateway_request_duration_seconds_count") == value("gateway_ttft_seconds_count") == 2
    assert value("gateway_tokens_total") == sum(len(reply.deltas) for reply in replies)
    assert value("gateway_streams_total", ending="cut") == value("gateway_streams_total", ending="complete") == 1


def test_an_engine_that_refuses_is_retried_on_another_before_the_first_byte(engine, gateway, web):
    full, free = engine(c0=0.05, max_num_seqs=1, max_num_queued_reqs=1), engine()
    server = gateway(full, free)
    occupant = web.open(full.url, path=web.path, body=web.chat(LONG)).until(b'"content":"')
    assert [web.ask(server.url, 2).status for _ in range(6)] == [200] * 6
    value = web.metrics(server.admin)
    # With nothing in flight the two take turns: three of six fall on the full one first.
    assert value("gateway_upstream_attempts_total", result="unavailable") == 3
    assert value("gateway_upstream_attempts_total", result="ok") == 6
    assert value("gateway_engine_ready", engine=full.url) == 1  # it refused in good order
    occupant.drop()


def test_the_refusal_of_the_only_engine_reaches_the_client(engine, gateway, web):
    full = engine(c0=0.05, max_num_seqs=1, max_num_queued_reqs=1)
    server = gateway(full)
    occupant = web.open(full.url, path=web.path, body=web.chat(LONG)).until(b'"content":"')
    reply = web.ask(server.url, 1)
    assert reply.status == 503
    assert "retry-after" in reply.headers
    assert web.metrics(server.admin)("gateway_requests_total", code="503", outcome="failed") == 1
    assert web.metrics(server.admin)("gateway_upstream_attempts_total", result="unavailable") == 1
    occupant.drop()


def test_with_no_ready_engine_the_answer_is_503_with_retry_after(engine, gateway, web):
    backend = engine(load_seconds=60, ready=None)
    server = gateway(backend, wait=False)
    reply = web.ask(server.url, 1)
    assert reply.status == 503
    assert reply.headers["retry-after"] == "1"
    assert web.fetch(server.url, "/ready").status == web.fetch(server.admin, "/ready").status == 503
    assert web.fetch(server.url, "/health").status == 200
    assert web.metrics(server.admin)("gateway_upstream_attempts_total") == 0


@pytest.mark.e2e
def test_a_frozen_engine_is_ejected_within_the_stall_time_and_comes_back(engine, gateway, web):
    engines = [engine(c0=0.03), engine(c0=0.03)]
    server = gateway(*engines, stall=1.0)
    streams = streams_on_each(web, server, 2)
    frozen = owner(web, engines)[0]
    frozen.signal(signal.SIGSTOP)
    at = time.monotonic()
    # A request that is given to the frozen engine now has no byte yet: it must end well on the other one.
    waiting = [web.open(server.url, path=web.path, body=web.chat(2)) for _ in range(4)]
    web.eventually(lambda: web.metrics(server.admin)("gateway_engine_ready", engine=frozen.url) == 0, within=5)
    took = time.monotonic() - at
    assert took < 1.0 + 0.25 + 0.75  # the stall time, one look, and scheduling noise of a busy machine
    assert [len(request.finish().deltas) for request in waiting] == [2] * 4
    ends = [stream.finish().events[-1] for stream in streams]
    assert sorted(isinstance(end, dict) for end in ends) == [False, True]
    value = web.metrics(server.admin)
    assert value("gateway_ejections_total", engine=frozen.url, reason="stall") == 1
    assert value("gateway_requests_total", **TORN) == 1
    # The reader of the stream that was cut had waited for a token longer than the stall time, and nobody else had.
    gap = "gateway_largest_token_gap_seconds"
    assert value(f"{gap}_count") - value(f"{gap}_bucket", le="0.75") == 1
    frozen.signal(signal.SIGCONT)
    web.eventually(lambda: web.metrics(server.admin)("gateway_engine_ready", engine=frozen.url) == 1, within=5)
    # What it was asked before the gateway gave up is aborted, not computed for nobody.
    web.eventually(lambda: web.metrics(frozen.url)("vllm:num_requests_running") == 0, within=3)


@pytest.mark.e2e
def test_an_idle_frozen_engine_is_found_by_the_probe(engine, gateway, web):
    engines = [engine(), engine()]
    server = gateway(*engines)
    engines[0].signal(signal.SIGSTOP)
    ejected = {"engine": engines[0].url, "reason": "probe"}
    # Two probes in a row, half a second apart, each given one second: at most 0.5 + 1 + 0.5 + 1 = 3 s.
    web.eventually(lambda: web.metrics(server.admin)("gateway_ejections_total", **ejected) == 1, within=4.5)
    assert [web.ask(server.url, 1).status for _ in range(4)] == [200] * 4


@pytest.mark.e2e
def test_a_restarted_engine_is_taken_back(engine, gateway, web):
    first, second = engine(), engine()
    server = gateway(first, second)
    first.process.kill()
    first.process.wait(10)
    ready = {"engine": first.url}
    web.eventually(lambda: web.metrics(server.admin)("gateway_engine_ready", **ready) == 0)
    again = engine(port=int(first.url.rsplit(":", 1)[1]))
    web.eventually(lambda: web.metrics(server.admin)("gateway_engine_ready", **ready) == 1, within=3)
    assert [web.ask(server.url, 1).status for _ in range(4)] == [200] * 4
    assert web.metrics(again.url)("vllm:request_success_total", finished_reason="length") >= 1


@pytest.mark.e2e
def test_a_gateway_that_was_frozen_itself_does_not_blame_its_engines(engine, gateway, web):
    server = gateway(engine(c0=0.03), engine(c0=0.03), stall=1.0)
    streams = streams_on_each(web, server, 2)
    server.signal(signal.SIGSTOP)
    thaw = time.monotonic() + 3.0
    web.eventually(lambda: time.monotonic() > thaw, every=0.1)
    server.signal(signal.SIGCONT)
    assert [stream.finish().events[-1] for stream in streams] == ["[DONE]"] * 2
    assert web.metrics(server.admin)("gateway_ejections_total", reason="stall") == 0


@pytest.mark.e2e
def test_failover_off_shows_clients_every_fault(engine, gateway, web):
    engines = [engine(), engine()]
    server = gateway(*engines, failover="off")
    assert [web.ask(server.url, 1).status for _ in range(4)] == [200] * 4
    assert [web.metrics(e.url)("vllm:generation_tokens_total") for e in engines] == [2, 2]  # a plain wheel
    engines[0].process.kill()
    engines[0].process.wait(10)
    assert sorted(web.ask(server.url, 1).status for _ in range(6)) == [200] * 3 + [502] * 3
    value = web.metrics(server.admin)
    assert value("gateway_requests_total", code="502", outcome="failed") == 3
    assert value("gateway_upstream_attempts_total", result="connect") == 3
    assert value("gateway_ejections_total") == 0
    assert value("gateway_engine_ready") == 2
