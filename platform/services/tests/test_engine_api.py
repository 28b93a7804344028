"""What an engine answers beside completions: its state, models and adapters, tokens, sleep; and who may ask how."""

import json

import pytest

from refplatform.engine.known import read_known

CALIBRATION = {
    "name": "test",
    "max_num_seqs": 8,
    "max_num_batched_tokens": 256,
    "max_model_len": 4096,
    "kv_cache_tokens": 16384,
    "c0": 0.002,
    "c_prefill": 0.0,
    "c_seq": 0.0,
    "c_kv": 0.0,
}


def test_state_version_and_load(engine, web):
    url = engine().url
    assert [web.fetch(url, path).status for path in ("/health", "/ping")] == [200, 200]
    assert web.fetch(url, "/ping", b"").status == 200
    assert web.fetch(url, "/version").json == {"version": "0.33.0"}
    assert web.fetch(url, "/load").json == {"server_load": 0}
    assert web.fetch(url, web.path).status == 405
    assert web.fetch(url, "/nothing").status == 404


def test_a_body_that_does_not_say_it_is_json_is_refused(engine, web):
    reply = web.fetch(engine().url, web.path, json.dumps(web.chat()).encode(), headers={"content-type": "text/plain"})
    assert (reply.status, reply.json["error"]["type"]) == (400, "Bad Request")


def test_adapters_come_and_go_and_are_listed_below_their_model(engine, web):
    url = engine().url
    assert web.fetch(url, "/v1/load_lora_adapter", {"lora_name": "tuned", "lora_path": "/a"}).status == 200
    base, tuned = web.fetch(url, "/v1/models").json["data"]
    assert (base["id"], base["parent"], base["max_model_len"]) == ("chat", None, 4096)
    assert (tuned["id"], tuned["parent"], tuned["root"]) == ("tuned", "chat", "/a")
    assert web.fetch(url, web.path, web.chat(2, stream=False) | {"model": "tuned"}).json["model"] == "tuned"
    assert web.metrics(url)("vllm:lora_requests_info", running_lora_adapters="tuned", max_lora="1") is not None
    again = web.fetch(url, "/v1/load_lora_adapter", {"lora_name": "tuned", "lora_path": "/b"})
    assert (again.status, again.json["error"]["type"]) == (400, "InvalidUserInput")
    assert web.fetch(url, "/v1/unload_lora_adapter", {"lora_name": "tuned"}).status == 200
    assert web.fetch(url, web.path, web.chat(1) | {"model": "tuned"}).status == 404
    assert web.fetch(url, "/v1/unload_lora_adapter", {"lora_name": "tuned"}).status == 404


def test_metrics_tell_what_was_asked_for_and_not_what_was_said(engine, web):
    url = engine().url  # max_model_len 4096
    prompt = web.fetch(url, web.path, web.chat(3, stream=False, n=2, stop=["a"])).json["usage"]["prompt_tokens"]
    unlimited = web.chat(stream=False)
    del unlimited["max_tokens"]
    assert web.fetch(url, web.path, unlimited).status == 200
    value = web.metrics(url)
    assert value("vllm:request_params_max_tokens_count") == 3  # two answers and one
    assert value("vllm:request_params_max_tokens_sum") == 3 + 3 + (4096 - prompt)
    assert (value("vllm:request_params_n_count"), value("vllm:request_params_n_sum")) == (2, 3)


def test_tokens_go_there_and_back_and_are_those_that_usage_counts(engine, web):
    url = engine().url
    chat = web.chat(1, stream=False)
    told = web.fetch(url, "/tokenize", {"messages": chat["messages"], "return_token_strs": True}).json
    assert told["count"] == len(told["tokens"]) == web.fetch(url, web.path, chat).json["usage"]["prompt_tokens"]
    assert "".join(told["token_strs"]) == "user: hello\nassistant: "
    assert web.fetch(url, "/detokenize", {"tokens": told["tokens"]}).json == {"prompt": "user: hello\nassistant: "}
    ids = web.fetch(url, "/tokenize", {"prompt": "Ebb und Flut, æ ø å 潮"}).json["tokens"]
    assert web.fetch(url, "/detokenize", {"tokens": ids}).json == {"prompt": "Ebb und Flut, æ ø å 潮"}
    assert web.fetch(url, "/tokenize", {}).json["error"]["param"] == "body.prompt"
    assert web.fetch(url, "/detokenize", {"tokens": [2**40]}).status == 400


def test_an_engine_that_sleeps_takes_no_requests_until_it_is_woken(engine, web):
    url = engine().url
    assert web.fetch(url, "/is_sleeping").json == {"is_sleeping": False}
    assert web.fetch(url, "/sleep?level=1", b"").json == {"status": "sleeping", "level": 1}
    assert web.fetch(url, "/is_sleeping").json == {"is_sleeping": True}
    assert web.ask(url, 1).status == 503
    assert web.fetch(url, "/health").status == 200
    assert web.fetch(url, "/wake_up", b"").json["status"] == "awake"
    assert web.ask(url, 1).status == 200


def test_a_request_id_is_kept(engine, web):
    reply = web.fetch(engine().url, web.path, web.chat(1, stream=False), headers={"x-request-id": "r-1"})
    assert reply.json["id"] == "chatcmpl-r-1"


@pytest.fixture
def started(spawn, tmp_path, web):
    """Starts an engine with more arguments."""

    def start(*more):
        path, port = tmp_path / "calibration.json", web.port()
        path.write_text(json.dumps(CALIBRATION))
        args = ["--port", port, "--model", "chat", "--calibration", path, *more]
        return spawn("refplatform.engine", *args, url=f"http://127.0.0.1:{port}", ready="/health").url

    return start


def test_what_the_prefix_cache_had_is_told_when_it_is_wanted(started, web):
    url = started("--enable-prompt-tokens-details")
    turns = [{"role": "user", "content": "storm " * 40}]
    first = web.fetch(url, web.path, {"messages": turns, "max_tokens": 20}).json
    assert first["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
    said = first["choices"][0]["message"]["content"]
    turns += [{"role": "assistant", "content": said}, {"role": "user", "content": "more"}]
    ask = {"messages": turns, "max_tokens": 2, "stream": True, "stream_options": {"include_usage": True}}
    second = web.fetch(url, web.path, ask).events[-2]
    # "user: " and 240 bytes are 62 tokens, 3 open the answer, and of its 20 all but the newest have keys and values:
    # 84 tokens are 5 whole blocks of 16.
    assert second["usage"]["prompt_tokens_details"]["cached_tokens"] == 80


def test_the_lives_of_evicted_blocks_are_shown_when_they_are_wanted(started, web):
    url = started(
        "--kv-cache-metrics", "--kv-cache-metrics-sample", 1, "--kv-cache-tokens", 1024, "--max-model-len", 1024
    )
    for word in ("ebb", "tide"):  # about 800 tokens each: the second one's blocks are the first one's
        assert web.fetch(url, web.path, web.chat(1, text=f"{word} " * (3200 // (len(word) + 1)))).status == 200
    value = web.metrics(url)
    assert value("vllm:kv_block_lifetime_seconds_count") > 30
    assert value("vllm:kv_block_idle_before_evict_seconds_count") == value("vllm:kv_block_lifetime_seconds_count")
    assert value("vllm:kv_block_reuse_gap_seconds_count") == 0  # nothing was found twice


def test_questions_of_a_load_profile_are_answered_as_it_expects(started, web, tmp_path):
    path = tmp_path / "questions.jsonl"
    path.write_text('{"prompt": "2 + 2?", "expect": {"equals": "4"}}\n{"prompt": "Hi"}\n')
    url = started("--questions", path, "--lora-modules", "tuned=/a", "--max-model-len", 512)
    assert "".join(web.ask(url, 5).deltas) != "4"
    assert "".join(web.fetch(url, web.path, web.chat(5, text="2 + 2?")).deltas) == "4"
    cards = web.fetch(url, "/v1/models").json["data"]
    assert [(card["id"], card["max_model_len"]) for card in cards] == [("chat", 512), ("tuned", None)]


def test_a_bad_file_of_questions_is_refused_with_its_line(tmp_path):
    path = tmp_path / "questions.jsonl"
    path.write_text('{"prompt": "Hi"}\n[]\n')
    with pytest.raises(ValueError, match="line 2"):
        read_known(path)
