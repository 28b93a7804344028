"""What guidellm's own code says of golden answers."""

from __future__ import annotations

import asyncio
import sys
import types

import httpx
from absent import Nothing
from clock import CLOCK, SHIFT, reads, start
from guidellm.backends.openai import http
from guidellm.backends.openai import request_handlers as handlers
from guidellm.schemas import GenerationRequest, GenerationResponse, RequestInfo


class Body(httpx.AsyncByteStream):
    def __init__(self, golden):
        self.golden = golden

    async def __aiter__(self):
        for data in reads(self.golden):
            yield data


class Transport(httpx.AsyncBaseTransport):
    def __init__(self, golden):
        self.golden = golden

    async def handle_async_request(self, request):
        # httpcore tells its hook when it begins to write the headers.
        start(self.golden, "written")
        await request.extensions["trace"]("http11.send_request_headers.started", {})
        if self.golden["status"] is None:
            list(reads(self.golden))
        kind = {"content-type": self.golden["content_type"]}
        return httpx.Response(self.golden["status"], headers=kind, stream=Body(self.golden))


def says(goldens):

    http.time = CLOCK

    async def ask(golden):
        backend = http.OpenAIHTTPBackend.__new__(http.OpenAIHTTPBackend)
        kinds = {"completions": handlers.TextCompletionsRequestHandler, "embeddings": handlers.EmbeddingsRequestHandler}
        handler = kinds.get(golden["name"], handlers.ChatCompletionsRequestHandler)()
        backend._async_client = httpx.AsyncClient(transport=Transport(golden))
        backend._check_tool_call_expectations = lambda *_: None
        request = GenerationRequest(columns={})
        info = RequestInfo(request_id=request.request_id)
        arguments = types.SimpleNamespace(model_dump_json=lambda: "{}", stream=True)
        start(golden)
        resolve = (
            backend._resolve_streaming
            if golden["content_type"] == "text/event-stream"
            else backend._resolve_non_streaming
        )
        response, info.status = None, "completed"
        info.timings.targeted_start = SHIFT + golden["due"] / 1000
        try:
            async for given, told in resolve(
                request, info, handler, arguments, {"method": "POST", "url": "http://localhost/"}
            ):
                response, info = given or response, told
        except Exception as error:  # noqa: BLE001 - as the tool's worker: a failed request
            info.status, info.error = "errored", str(error)
        info.timings.resolve_end = SHIFT + golden["ended"] / 1000
        return response, info, request

    def stats(golden):
        response, info, request = asyncio.run(ask(golden))
        response = response or GenerationResponse(request_id=request.request_id, request_args=None)
        return response.compile_stats(request=request, info=info, prefer_response=True)

    told = [stats(golden) for golden in goldens]

    def one(stat):
        if stat.info.status == "errored":
            return {"failed": True}
        rows = {
            "ttft": stat.time_to_first_token_ms,
            "ttft visible": stat.time_to_first_output_token_ms,
            "tpot": stat.time_per_output_token_ms,
            "itl": stat.inter_token_latency_ms,
        }
        rows = {name: [] if value is None else [value / 1000] for name, value in rows.items()}
        return {**rows, "e2e": [stat.request_latency], "tokens": stat.output_tokens or 0}

    return {golden["name"]: one(stat) for golden, stat in zip(goldens, told, strict=False)}, guidellm_run(goldens, told)


def guidellm_run(goldens, told):
    import guidellm

    # Its own `__init__` would import torch.
    for name in ("benchmark", "benchmark.schemas"):
        package = types.ModuleType(f"guidellm.{name}")
        package.__path__ = [f"{guidellm.__path__[0]}/{name.replace('.', '/')}"]
        package.__getattr__ = lambda name: Nothing
        sys.modules[package.__name__] = package
    from guidellm.benchmark.schemas.accumulator import GenerativeRequestsAccumulator
    from guidellm.benchmark.schemas.metrics import GenerativeMetrics
    from guidellm.schemas.benchmark import GoodputSLO

    known = [(g, s) for g, s in zip(goldens, told, strict=False) if g["status"]]
    first, last = SHIFT + min(g["due"] for g, _ in known) / 1000, max(s.request_end_time for _, s in known)
    by = {
        name: GenerativeRequestsAccumulator(requests_stats=[s for _, s in known if s.info.status == name])
        for name in ("completed", "errored")
    }
    accumulator = types.SimpleNamespace(
        timings=types.SimpleNamespace(finalized_measure_start=first, finalized_measure_end=last),
        incomplete=GenerativeRequestsAccumulator(),
        config=types.SimpleNamespace(
            confidence=None,
            slo=GoodputSLO(ttft_ms=150.0, tpot_ms=120.0, e2el_ms=400.0),
            strategy=types.SimpleNamespace(defines_arrival_schedule=False),
        ),
        **by,
    )
    found = GenerativeMetrics.compile(accumulator)
    rows = (
        ("ttft", found.time_to_first_token_ms, 1000),
        ("ttft visible", found.time_to_first_output_token_ms, 1000),
        ("tpot", found.time_per_output_token_ms, 1000),
        ("itl", found.inter_token_latency_ms, 1000),
        ("e2e", found.request_latency, 1),
    )
    return {
        "goldens": [g["name"] for g, _ in known],
        "requests/s": found.requests_per_second.successful.mean,
        "tokens/s": found.output_tokens_per_second.successful.mean,
        "goodput share": found.slo_attainment,
        "goodput/s": found.request_goodput.successful.mean,
        "failed": found.request_totals.errored,
        **{f"{row} mean": dist.successful.mean / unit for row, dist, unit in rows},
        **{
            f"{row} {p}": getattr(dist.successful.percentiles, p) / unit
            for row, dist, unit in rows
            for p in ("p50", "p90", "p95", "p99")
        },
    }
