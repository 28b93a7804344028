"""What aiperf's own code says of golden answers."""

from __future__ import annotations

import asyncio

from aiperf.common.exceptions import NoMetricValue
from aiperf.common.models import ErrorDetails, ParsedResponseRecord, RequestRecord, TextResponse
from aiperf.common.models.record_models import TokenCounts, find_last_non_empty_usage
from aiperf.endpoints.openai_chat import ChatEndpoint
from aiperf.endpoints.openai_completions import CompletionsEndpoint
from aiperf.endpoints.openai_embeddings import EmbeddingsEndpoint
from aiperf.metrics.metric_dicts import MetricRecordDict
from aiperf.metrics.types.inter_chunk_latency_metric import InterChunkLatencyMetric
from aiperf.metrics.types.inter_token_latency_metric import InterTokenLatencyMetric
from aiperf.metrics.types.output_sequence_length_metric import OutputSequenceLengthMetric
from aiperf.metrics.types.request_latency_metric import RequestLatencyMetric
from aiperf.metrics.types.time_to_first_output_token_metric import TimeToFirstOutputTokenMetric
from aiperf.metrics.types.ttft_metric import TTFTMetric
from aiperf.transports import sse_utils
from clock import CLOCK, Content, start


def says(goldens):

    sse_utils.time = CLOCK
    metrics = {
        "ttft": TTFTMetric,
        "ttft visible": TimeToFirstOutputTokenMetric,
        "inter-chunk": InterChunkLatencyMetric,
        "e2e": RequestLatencyMetric,
        "tokens": OutputSequenceLengthMetric,
        "itl": InterTokenLatencyMetric,
    }
    streaming = {"ttft", "ttft visible", "inter-chunk", "itl"}

    async def messages(golden):
        content = Content(golden)
        if golden["content_type"] == "text/event-stream":
            return await sse_utils.AsyncSSEStreamReader(content.iter_any()).read_complete_stream()
        body = b"".join([data async for data in content.iter_any()])
        return [TextResponse(perf_ns=CLOCK.perf_counter_ns(), content_type=golden["content_type"], text=body.decode())]

    def record(golden):
        kind = {"completions": CompletionsEndpoint, "embeddings": EmbeddingsEndpoint}.get(golden["name"], ChatEndpoint)
        endpoint = kind.__new__(kind)
        endpoint.debug = endpoint.warning = lambda *_: None
        start(golden)
        began = CLOCK.perf_counter_ns()
        made = RequestRecord(start_perf_ns=began, timestamp_ns=began)
        try:
            made.responses = asyncio.run(messages(golden))
        except Exception as error:  # noqa: BLE001 - as the tool's worker: a failed request
            made.error = ErrorDetails.from_exception(error)
        if golden["status"] != 200:
            made.error = ErrorDetails(code=golden["status"], message="")
        made.end_perf_ns = CLOCK.perf_counter_ns()
        made.create_error_from_invalid()
        parsed = [] if made.has_error else [one for one in map(endpoint.parse_response, made.responses) if one]
        usage = find_last_non_empty_usage(parsed)
        said = usage.completion_tokens if usage else None
        counted = sum(len(one.data.get_text()) for one in parsed if one.data)
        whole = ParsedResponseRecord(
            request=made, responses=parsed, token_counts=TokenCounts(output=said if said is not None else counted)
        )
        whole.create_error_from_invalid()
        return whole

    def one(golden):
        made = record(golden)
        if made.has_error:
            return {"failed": True}
        known, found = MetricRecordDict(), {}
        for name, metric in metrics.items():
            if name in streaming and golden["content_type"] != "text/event-stream":
                continue
            try:
                known[metric.tag] = metric()._parse_record(made, known)
            except NoMetricValue:
                continue
            value = known[metric.tag]
            found[name] = (
                value if name == "tokens" else [item / 1e9 for item in (value if isinstance(value, list) else [value])]
            )
        kept[golden["name"]] = (made, known)
        return found

    kept = {}
    each = {golden["name"]: one(golden) for golden in goldens}
    return each, aiperf_run([golden for golden in goldens if golden["status"]], each, kept, metrics)


def aiperf_run(goldens, each, kept, metrics):
    import numpy as np
    from aiperf.metrics import derived_latency
    from aiperf.metrics.metric_dicts import MetricResultsDict, metric_result_from_array
    from aiperf.metrics.types import good_request_count_metric as good
    from aiperf.metrics.types.benchmark_duration_metric import BenchmarkDurationMetric
    from aiperf.metrics.types.good_request_fraction_metric import GoodRequestFractionMetric
    from aiperf.metrics.types.goodput_metric import GoodputMetric
    from aiperf.metrics.types.max_response_metric import MaxResponseTimestampMetric
    from aiperf.metrics.types.output_token_throughput_metrics import OutputTokenThroughputMetric
    from aiperf.metrics.types.request_throughput_metric import RequestThroughputMetric

    there = [kept[golden["name"]] for golden in goldens if golden["name"] in kept]
    errors = len(goldens) - len(there)
    good.GoodRequestCountMetric.set_slos(
        {"time_to_first_token": 150, "inter_token_latency": 120, "request_latency": 400}
    )
    scalars = MetricResultsDict()
    scalars["request_count"], scalars["error_request_count"] = len(there), errors
    scalars["min_request_timestamp"] = min(made.timestamp_ns for made, _ in there)
    scalars["max_response_timestamp"] = max(
        MaxResponseTimestampMetric()._parse_record(made, known) for made, known in there
    )
    scalars["total_osl"] = sum(known.get("output_sequence_length", 0) for _, known in there)
    scalars["good_request_count"] = sum(
        good.GoodRequestCountMetric()._parse_record(made, known) for made, known in there
    )
    scalars["benchmark_duration"] = BenchmarkDurationMetric()._derive_value(scalars)
    arrays, results = {}, {}
    for name in ("ttft", "ttft visible", "itl", "inter-chunk", "e2e"):
        values = np.array([value for golden in goldens for value in each[golden["name"]].get(name, [])])
        results[name] = metric_result_from_array(name, name, "s", values, values.sum())
        arrays[name] = (np.sort(values), values.sum())
    derived_latency.inject_adjusted_latency_metrics(results, arrays, errors, {name: metrics[name] for name in arrays})
    rows = {
        name.removeprefix("adj_") + (" adjusted" if name.startswith("adj_") else ""): one
        for name, one in results.items()
    }
    return {
        "goldens": [golden["name"] for golden in goldens],
        "requests/s": RequestThroughputMetric()._derive_value(scalars),
        "tokens/s": OutputTokenThroughputMetric()._derive_value(scalars),
        "goodput/s": GoodputMetric()._derive_value(scalars),
        "goodput share": GoodRequestFractionMetric()._derive_value(scalars),
        "failed": errors,
        **{
            f"{row} {key}": getattr(one, said)
            for row, one in rows.items()
            for key, said in (("mean", "avg"), ("p50", "p50"), ("p90", "p90"), ("p95", "p95"), ("p99", "p99"))
        },
    }
