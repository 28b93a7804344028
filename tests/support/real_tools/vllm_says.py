"""What vllm's own code says of golden answers."""

from __future__ import annotations

import asyncio
import types

from clock import CLOCK, Session, start
from vllm.benchmarks import serve
from vllm.benchmarks.lib import endpoint_request_func as lib


def tokenized(text, **_):
    """A character is a token."""
    return types.SimpleNamespace(input_ids=text)


def says(goldens):

    lib.time = CLOCK

    def ask(golden):
        url = (
            "http://localhost/v1/completions"
            if golden["name"] == "completions"
            else "http://localhost/v1/chat/completions"
        )
        call = (
            lib.async_request_openai_completions
            if golden["name"] == "completions"
            else lib.async_request_openai_chat_completions
        )
        given = {"prompt": "p", "api_url": url, "prompt_len": 0, "output_len": 9, "model": "m"}
        start(golden)
        if golden["content_type"] != "text/event-stream":
            return asyncio.run(lib._run_pooling_request(Session(golden), url, {}, {}))
        return asyncio.run(call(lib.RequestFuncInput(**given), Session(golden)))

    outputs = [ask(golden) for golden in goldens]
    percentiles = [50.0, 90.0, 95.0, 99.0]

    def summary(these, out, bounds):
        seconds = max(one["ended"] for one in these) / 1000 - min(one["sent"] for one in these) / 1000
        return serve.calculate_metrics([], out, seconds, tokenized, percentiles, bounds)[0]

    def one(golden, out):
        if not out.success:
            return {"failed": True}
        if golden["content_type"] != "text/event-stream":
            return {"e2e": [out.latency]}
        found = summary([golden], [out], {})
        tpot = [found.mean_tpot_ms / 1000] if found.total_output > 1 else []
        return {"ttft": [out.ttft], "tpot": tpot, "itl": out.itl, "e2e": [out.latency], "tokens": found.total_output}

    streamed = [
        (golden, out)
        for golden, out in zip(goldens, outputs, strict=False)
        if golden["content_type"] == "text/event-stream" and golden["status"] and golden["name"] != "crlf"
    ]
    whole = summary([g for g, _ in streamed], [o for _, o in streamed], {"ttft": 150.0, "tpot": 120.0, "e2el": 400.0})
    run = {
        "goldens": [golden["name"] for golden, _ in streamed],
        "requests/s": whole.request_throughput,
        "tokens/s": whole.output_throughput,
        "goodput/s": whole.request_goodput,
        "failed": whole.failed,
        **{
            f"{row} {key}": value / 1000
            for row, at in (("ttft", "ttft"), ("tpot", "tpot"), ("itl", "itl"), ("e2e", "e2el"))
            for key, value in [
                ("mean", getattr(whole, f"mean_{at}_ms")),
                *((f"p{p:g}", v) for p, v in getattr(whole, f"percentiles_{at}_ms")),
            ]
        },
    }
    return {golden["name"]: one(golden, out) for golden, out in zip(goldens, outputs, strict=False)}, run
