"""A thousand open streams on one engine: all are served whole, and all are freed when their clients go."""

import asyncio
import json
import resource

import pytest

STREAMS = 1000
PLENTY = {"max_num_seqs": 1024, "max_num_batched_tokens": 4096, "max_num_queued_reqs": 2000, "kv_cache_tokens": 200_000}
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4 * STREAMS:
        pytest.skip(f"needs {4 * STREAMS} open files, the limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4 * STREAMS), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def begin(url, tokens):
    """An open connection whose request has been sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    body = json.dumps({"messages": [{"role": "user", "content": "x"}], "max_tokens": tokens, "stream": True}).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    return reader, writer


def test_a_thousand_streams_at_once_all_end_whole(engine, web):
    async def whole():
        opened = [await begin(url, 20) for _ in range(STREAMS)]
        answers = await asyncio.gather(*(reader.read() for reader, _ in opened))
        for _, writer in opened:
            writer.close()
        return answers

    url = engine(c0=0.05, **PLENTY).url
    answers = asyncio.run(whole())
    assert [answer.count(b'"content":"') for answer in answers] == [21] * STREAMS  # the role and 20 tokens
    assert all(b"data: [DONE]" in answer for answer in answers)
    assert web.metrics(url)("vllm:generation_tokens_total") == 20 * STREAMS


def test_a_thousand_clients_that_go_away_leave_nothing_behind(engine, web):
    async def leave():
        opened = [await begin(url, 4000) for _ in range(STREAMS)]
        await asyncio.gather(*(reader.readuntil(b'"content":"') for reader, _ in opened))
        for _, writer in opened:
            writer.transport.abort()

    url = engine(c0=0.1, **PLENTY | {"kv_cache_tokens": 5_000_000}).url
    asyncio.run(leave())
    web.eventually(lambda: web.metrics(url)("vllm:num_requests_running") == 0, within=30)
    assert web.metrics(url)("vllm:kv_cache_usage_perc") == 0
    assert web.fetch(url, "/load").json == {"server_load": 0}
    assert web.ask(url, 1).status == 200
