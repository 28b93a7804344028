"""One engine as a real process: OpenAI's shapes, vLLM's metrics, and requests that leave nothing behind."""

import signal

import pytest

SLOW = {"c0": 0.05}  # 50 ms a token: long enough to act in the middle of an answer


def test_a_chat_stream_is_role_then_one_delta_a_token_then_usage_then_done(engine, web):
    reply = web.fetch(engine().url, web.path, web.chat(4, stream_options={"include_usage": True}))
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/event-stream")
    first, *tokens, usage, done = reply.events
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert len(tokens) == 4
    assert [event["choices"][0]["finish_reason"] for event in tokens] == [None, None, None, "length"]
    # "user: hello" has 11 bytes: 3 tokens at 4 bytes a token, and 3 open the answer
    assert usage["usage"] == {"prompt_tokens": 6, "completion_tokens": 4, "total_tokens": 10}
    assert usage["choices"] == []
    assert done == "[DONE]"
    assert len({event["id"] for event in [first, *tokens, usage]}) == 1


def test_whole_answers_and_streams_agree_and_the_seed_decides(engine, web):
    one, other = engine(seed=1).url, engine(seed=2).url
    streamed = "".join(web.ask(one, 20).deltas)
    whole = web.fetch(one, web.path, web.chat(20, stream=False)).json
    assert whole["choices"][0]["message"]["content"] == streamed
    assert whole["usage"]["completion_tokens"] == 20
    assert "".join(web.ask(other, 20).deltas) != streamed


def test_text_completions_and_models_are_served(engine, web):
    url = engine().url
    reply = web.fetch(url, "/v1/completions", {"model": "chat", "prompt": "abcd", "max_tokens": 3})
    assert reply.json["choices"][0]["finish_reason"] == "length"
    assert reply.json["usage"]["total_tokens"] == 4  # "abcd" is one token, and three were asked for
    assert [model["id"] for model in web.fetch(url, "/v1/models").json["data"]] == ["chat"]


def test_errors_have_openais_shape(engine, web):
    reply = web.fetch(engine().url, web.path, web.chat() | {"model": "other"})
    assert reply.status == 404
    assert reply.json["error"]["type"] == "NotFoundError"
    assert reply.json["error"]["param"] == "model"


def test_metrics_count_what_was_delivered(engine, web):
    url = engine().url
    for tokens in (3, 5):
        web.ask(url, tokens)
    value = web.metrics(url)
    labels = {"model_name": "chat", "engine": "0"}
    assert value("vllm:generation_tokens_total", **labels) == 8  # 3 + 5
    assert value("vllm:prompt_tokens_total", **labels) == 12  # 2 * 6
    assert value("vllm:time_to_first_token_seconds_count", **labels) == 2
    assert value("vllm:inter_token_latency_seconds_count", **labels) == 6  # (3 - 1) + (5 - 1)
    assert value("vllm:e2e_request_latency_seconds_count", **labels) == 2
    assert value("vllm:request_queue_time_seconds_count", **labels) == 2
    assert value("vllm:request_success_total", finished_reason="length") == 2
    assert value("vllm:time_to_first_token_seconds_bucket", le="0.25") == 2
    assert value("vllm:num_requests_running") == value("vllm:num_requests_waiting") == 0
    assert value("vllm:kv_cache_usage_perc") == 0


def test_a_client_that_goes_away_frees_its_place_at_once(engine, web):
    url = engine(max_num_seqs=1, **SLOW).url
    stream = web.open(url, path=web.path, body=web.chat(1000)).until(b'"content":"')
    value = web.metrics(url)
    assert value("vllm:num_requests_running") == 1
    assert value("vllm:kv_cache_usage_perc") > 0
    stream.drop()
    web.eventually(lambda: web.metrics(url)("vllm:num_requests_running") == 0, within=2)
    assert web.metrics(url)("vllm:request_success_total") == 0  # vLLM counts nobody who left, as nothing
    assert web.metrics(url)("vllm:kv_cache_usage_perc") == 0
    assert web.ask(url, 1).status == 200


def test_the_queue_is_visible_and_beyond_its_limit_requests_get_503(engine, web):
    url = engine(max_num_seqs=1, max_num_queued_reqs=2, **SLOW).url  # one that runs and one that waits
    running = web.open(url, path=web.path, body=web.chat(1000)).until(b'"content":"')
    queued = web.open(url, path=web.path, body=web.chat(1))
    web.eventually(lambda: web.metrics(url)("vllm:num_requests_waiting") == 1)
    refused = web.ask(url, 1)
    assert refused.status == 503
    assert refused.json["error"]["type"] == "ServiceUnavailableError"
    assert web.metrics(url)("vllm:admission_rejections_total", reason="max_num_queued_reqs") == 1
    running.drop()
    assert queued.finish().deltas


def test_more_running_requests_make_each_token_slower(engine, web):
    url = engine(c0=0.002, c_seq=0.01).url

    def gap():
        value = web.metrics(url)
        name = "vllm:inter_token_latency_seconds"
        return value(f"{name}_sum"), value(f"{name}_count")

    web.ask(url, 10)
    alone_sum, alone = gap()
    together = [web.open(url, path=web.path, body=web.chat(10)) for _ in range(6)]
    assert all(len(stream.finish().deltas) == 10 for stream in together)
    total, count = gap()
    # 2 + 1 * 10 = 12 ms a token alone, up to 2 + 6 * 10 = 62 ms for six together
    assert (total - alone_sum) / (count - alone) > 2 * alone_sum / alone


def test_while_weights_load_nothing_is_served(engine, web):
    server = engine(load_seconds=1.5, ready=None)

    def health():
        try:
            return web.fetch(server.url, "/health").status
        except OSError:
            return None

    assert health() is None  # refused, as by a vLLM that is still loading
    web.eventually(lambda: health() == 200)
    assert web.ask(server.url, 1).status == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_after_the_streams(engine, web, number):
    server = engine(c0=0.02)
    stream = web.open(server.url, path=web.path, body=web.chat(20)).until(b'"content":"')
    server.signal(number)
    assert stream.finish().events[-1] == "[DONE]"
    assert server.process.wait(10) == 0
