"""What inference-perf's own code says of golden answers."""

from __future__ import annotations

import asyncio
import types

from clock import CLOCK, SHIFT, Response, reads, start
from inference_perf.apis import StreamedResponseMetrics, UnaryResponseMetrics, streaming_parser
from inference_perf.apis.base import ErrorResponseInfo, InferenceInfo, RequestLifecycleMetric
from inference_perf.config import GoodputConfig
from inference_perf.payloads import RequestMetrics, Text
from inference_perf.reportgen import base


def chat(data):
    """As in `apis/chat.py`."""
    return data.get("choices", [{}])[0].get("delta", {}).get("content")


def says(goldens):

    streaming_parser.time = CLOCK
    tokenizer = types.SimpleNamespace(count_tokens=lambda text, **_: len(text))
    extract = {"completions": lambda data: data.get("choices", [{}])[0].get("text")}

    def metric(golden):
        start(golden)
        began, error, response_metrics = CLOCK.now, None, None
        try:
            if golden["status"] != 200:
                list(reads(golden))
                error = ErrorResponseInfo(error_type=f"HTTP Error {golden['status']}", error_msg="")
            elif golden["content_type"] == "text/event-stream":
                parsed = asyncio.run(
                    streaming_parser.parse_sse_stream(Response(golden), extract.get(golden["name"], chat))
                )
                output, times, _, chunks, usage = parsed
                response_metrics = StreamedResponseMetrics(
                    response_chunks=chunks,
                    chunk_times=times,
                    output_tokens=tokenizer.count_tokens(output),
                    output_token_times=times,
                    server_usage=usage,
                )
            else:
                data = asyncio.run(Response(golden).json())
                said = "".join(choice.get("message", {}).get("content", "") for choice in data.get("choices", []))
                response_metrics = UnaryResponseMetrics(output_tokens=len(said), server_usage=data["usage"])
        except Exception as failed:  # noqa: BLE001 - as the tool's worker: a failed request
            error = ErrorResponseInfo(error_type=type(failed).__name__, error_msg=str(failed))
        info = InferenceInfo(
            request_metrics=RequestMetrics(text=Text(input_tokens=7)), response_metrics=response_metrics
        )
        return RequestLifecycleMetric(
            scheduled_time=SHIFT + golden["due"] / 1000,
            start_time=began,
            end_time=SHIFT + golden["ended"] / 1000,
            request_data="",
            info=info,
            error=error,
        )

    made = [metric(golden) for golden in goldens]

    def one(metric):
        if metric.error:
            return {"failed": True}
        base.correct_streamed_response_metrics(metric, tokenizer)
        found = base.compute_request_latency_metrics(metric)
        rows = {
            "ttft": found["time_to_first_token"],
            "tpot": found["time_per_output_token"],
            "e2e": found["request_latency"],
            "ntpot": found["normalized_time_per_output_token"],
        }
        rows = {name: [] if value is None else [value] for name, value in rows.items()}
        return {
            **rows,
            "itl": found["inter_token_latency_deltas"],
            "tokens": metric.info.response_metrics.output_tokens,
        }

    known = [(g, m) for g, m in zip(goldens, made, strict=False) if g["status"] and g["name"] != "crlf"]
    whole = base.summarize_requests(
        [m for _, m in known],
        [50, 90, 95, 99],
        tokenizer=tokenizer,
        goodput_config=GoodputConfig(constraints={"ttft": 0.15, "tpot": 0.12, "request_latency": 0.4}),
    )
    said = whole.successes
    names = (
        ("ttft", "time_to_first_token"),
        ("tpot", "time_per_output_token"),
        ("itl", "inter_token_latency"),
        ("e2e", "request_latency"),
        ("ntpot", "normalized_time_per_output_token"),
    )
    run = {
        "goldens": [g["name"] for g, _ in known],
        "requests/s": said["throughput"]["requests_per_sec"],
        "tokens/s": said["throughput"]["output_tokens_per_sec"],
        "goodput share": said["goodput_metrics"]["goodput_percentage"] / 100,
        "goodput/s": said["goodput_metrics"]["request_goodput"],
        "failed": whole.failures["count"],
        **{
            f"{row} {'p50' if key == 'median' else key}": said["latency"][name][key]
            for row, name in names
            for key in ("mean", "median", "p90", "p95", "p99")
        },
    }
    return {golden["name"]: one(metric) for golden, metric in zip(goldens, made, strict=False)}, run
