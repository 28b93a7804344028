"""What llmperf's own code says of golden answers."""

from __future__ import annotations

import base64
import os
import types

from clock import CLOCK, reads, start


def without(data):
    """Neither comments nor usage events."""
    parts = [part for part in data.split(b"\n\n") if part and not part.startswith(b":")]
    return b"".join(part + b"\n\n" for part in parts if b'"choices": []' not in part)


def says(goldens):

    import requests
    from llmperf.models import RequestConfig
    from llmperf.ray_clients import openai_chat_completions_client as client

    os.environ |= {"OPENAI_API_BASE": "http://localhost/", "OPENAI_API_KEY": "none"}
    client.time = CLOCK

    def asked_for_nothing_else(golden):
        """It asks for no usage, and comments break it: both are left out of its streams."""
        whole = golden["name"] in {"crlf", "split utf-8", "split event"}
        read = [
            (at, data if whole else base64.b64encode(without(base64.b64decode(data)))) for at, data in golden["reads"]
        ]
        return golden | {"reads": [(at, data) for at, data in read if data]}

    def one(golden):
        golden = asked_for_nothing_else(golden)

        def post(*_, **__):
            response = requests.Response()
            response.status_code, response.encoding = golden["status"], "utf-8"
            response.raw = types.SimpleNamespace(
                stream=lambda *_, **__: reads(golden), close=lambda: None, release_conn=lambda: None
            )
            return response

        client.requests = types.SimpleNamespace(post=post)
        start(golden)
        config = RequestConfig(model="m", prompt=("p", 7), sampling_params={}, llm_api="openai")
        made, text, _ = client.OpenAIChatCompletionsClient().llm_request(config)
        if made["error_code"] is not None:
            return {"failed": True}
        # What `get_token_throughput_latencies` does to it afterwards.
        apart = made["inter_token_latency_s"] / made["number_output_tokens"] if text else 0
        return {"ttft": [made["ttft_s"]], "itl": [apart], "e2e": [made["end_to_end_latency_s"]], "tokens": len(text)}

    skipped = {"completions", "crlf", "split utf-8", "split event"}
    return {golden["name"]: one(golden) for golden in goldens if golden["name"] not in skipped and golden["status"]}, {}
