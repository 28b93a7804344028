"""The engine's /metrics: vLLM's names, labels and bucket edges (vLLM 0.33, v1/metrics/loggers.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

if TYPE_CHECKING:
    from collections.abc import Callable

    from refplatform.engine.live import Stream

TTFT_BUCKETS: Final = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0),
)
TOKEN_BUCKETS: Final = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0),
)
REQUEST_BUCKETS: Final = (
    *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0),
    *(120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0),
)
SIZE_BUCKETS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
STEP_BUCKETS: Final = (1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
FINISHED_REASONS: Final = ("stop", "length", "abort", "error", "repetition")
LABELS: Final = ("model_name", "engine")


class EngineMetrics:
    """All series of one engine, in a registry of its own; gauges are read when they are scraped."""

    def __init__(self, model: str) -> None:
        self.registry = CollectorRegistry()
        self._labels = {"model_name": model, "engine": "0"}
        self.ttft = self._histogram("time_to_first_token_seconds", "Time to first token.", TTFT_BUCKETS)
        self.itl = self._histogram("inter_token_latency_seconds", "Gap between two tokens.", TOKEN_BUCKETS)
        self.tpot = self._histogram("request_time_per_output_token_seconds", "Mean gap of a request.", TOKEN_BUCKETS)
        self.e2e = self._histogram("e2e_request_latency_seconds", "Arrival to last token.", REQUEST_BUCKETS)
        self.queue = self._histogram("request_queue_time_seconds", "Time in WAITING.", REQUEST_BUCKETS)
        self.prefill = self._histogram("request_prefill_time_seconds", "Scheduled to first token.", REQUEST_BUCKETS)
        self.decode = self._histogram("request_decode_time_seconds", "First to last token.", REQUEST_BUCKETS)
        self.inference = self._histogram("request_inference_time_seconds", "Time in RUNNING.", REQUEST_BUCKETS)
        self.prompt_size = self._histogram("request_prompt_tokens", "Prompt tokens of a request.", SIZE_BUCKETS)
        self.answer_size = self._histogram("request_generation_tokens", "Tokens of an answer.", SIZE_BUCKETS)
        self.step_tokens = self._histogram("iteration_tokens_total", "Tokens of a step.", STEP_BUCKETS)
        self.prompt_tokens = self._counter("prompt_tokens", "Prompt tokens processed.")
        self.generation_tokens = self._counter("generation_tokens", "Tokens generated.")
        self._counter("num_preemptions", "Preemptions; none, for memory is not modelled.")
        self.success = self._finished()
        self.refused = Counter(
            "vllm:admission_rejections", "Requests refused.", ("model_name", "reason"), registry=self.registry
        ).labels(model_name=model, reason="max_num_queued_reqs")

    def watch(self, *, running: Callable[[], float], waiting: Callable[[], float], kv: Callable[[], float]) -> None:
        """Tie the gauges to the scheduler; `kv` is a share of one."""
        self._gauge("num_requests_running", "Requests in a step.", running)
        self._gauge("num_requests_waiting", "Requests in the queue.", waiting)
        self._gauge("kv_cache_usage_perc", "Share of the KV cache in use, 0 to 1.", kv)

    def ended(self, stream: Stream, now: float, reason: str) -> None:
        """Account for a request that ended at `now` with vLLM's `finished_reason`."""
        self.success[reason].inc()
        self.e2e.observe(now - stream.arrived)
        self.prompt_size.observe(stream.sequence.prompt)
        self.answer_size.observe(stream.sequence.emitted)
        if stream.scheduled is None or stream.first is None:
            return
        self.queue.observe(stream.scheduled - stream.arrived)
        self.prefill.observe(stream.first - stream.scheduled)
        self.decode.observe(stream.last - stream.first)
        self.inference.observe(stream.last - stream.scheduled)
        if stream.sequence.emitted > 1:
            self.tpot.observe((stream.last - stream.first) / (stream.sequence.emitted - 1))

    def _histogram(self, name: str, about: str, buckets: tuple[float, ...]) -> Histogram:
        metric = Histogram(f"vllm:{name}", about, LABELS, buckets=buckets, registry=self.registry)
        return metric.labels(**self._labels)

    def _counter(self, name: str, about: str) -> Counter:
        return Counter(f"vllm:{name}", about, LABELS, registry=self.registry).labels(**self._labels)

    def _gauge(self, name: str, about: str, read: Callable[[], float]) -> None:
        Gauge(f"vllm:{name}", about, LABELS, registry=self.registry).labels(**self._labels).set_function(read)

    def _finished(self) -> dict[str, Counter]:
        metric = Counter(
            "vllm:request_success", "Requests ended.", (*LABELS, "finished_reason"), registry=self.registry
        )
        return {reason: metric.labels(**self._labels, finished_reason=reason) for reason in FINISHED_REASONS}
