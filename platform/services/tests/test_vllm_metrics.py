"""/metrics is vLLM's: families, types, help, labels and edges as its wheel says and as a real engine printed them."""

import asyncio
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refplatform.engine.metrics import EngineMetrics
from refplatform.engine.metrics.catalogue import Family, one_two_five, read_catalogue
from refplatform.engine.metrics.http import HttpMetrics
from refplatform.engine.metrics.instruments import Histogram, Table
from refplatform.engine.metrics.options import buckets
from refplatform.engine.metrics.stale import Late, Staleness
from refplatform.engine.scheduler import Evicted
from refplatform.engine.siblings import Siblings

REAL = Path(__file__).with_name("golden") / "vllm-0.32.0-families.json"
CHAT = "/v1/chat/completions"


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self):
        return self.now


@dataclass
class Stream:
    """One request as the engine times it: came at 10, queued 10.5, scheduled 11, first token at 13, last at 17."""

    sequence: SimpleNamespace
    arrived: float = 10.0
    queued: float = 10.5
    scheduled: float | None = 11.0
    first: float | None = 13.0
    last: float = 17.0
    siblings: Siblings = field(default_factory=Siblings)


def stream(prompt=20, emitted=5, cached=0, preemptions=0, **more):
    tokens = SimpleNamespace(prompt=prompt, emitted=emitted, cached=cached, preemptions=preemptions)
    return Stream(tokens, **more)


@dataclass
class Served:
    """An engine's metrics, and one request to it over HTTP."""

    metrics: EngineMetrics = field(default_factory=lambda: EngineMetrics("tiny", max_model_len=1024))
    clock: Clock = field(default_factory=Clock)

    def request(self, path=CHAT, *, method="POST", status=200, headers=(), answer=(), seconds=0.0):
        async def app(scope, receive, send):
            self.clock.now += seconds
            await send({"type": "http.response.start", "status": status, "headers": list(answer)})
            await send({"type": "http.response.body", "body": b"{}"})

        async def send(message):
            pass

        scope = {"type": "http", "method": method, "path": path, "headers": list(headers)}
        asyncio.run(HttpMetrics(app, self.metrics, clock=self.clock)(scope, None, send))
        return self

    @property
    def text(self):
        return prometheus_client.generate_latest(self.metrics.registry).decode()


def families(text):
    """Each family's type, help, label names (without those of its buckets) and bucket edges."""
    from prometheus_client.parser import text_string_to_metric_families

    found = {}
    for family in text_string_to_metric_families(text):
        labels = sorted({label for sample in family.samples for label in sample.labels if label != "le"})
        edges = list(dict.fromkeys(sample.labels["le"] for sample in family.samples if "le" in sample.labels))
        found[family.name] = {"type": family.type, "help": family.documentation, "labels": labels, "edges": edges}
    return found


def series(text):
    """Every line's name and labels, without the values that depend on the machine and the configuration."""
    lines = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    return {line for line in lines if not line.startswith(("python_info", "vllm:cache_config_info"))}


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(f"vllm:{name}", {"model_name": "tiny", "engine": "0"} | labels)


# The catalogue, the simulator, and a real engine.


def test_what_is_exported_is_the_catalogue_and_nothing_else():
    shown = families(Served().request().text)
    for family in read_catalogue().present(()):
        found = shown.pop(family.name.removesuffix("_total") if family.type == "counter" else family.name)
        expected = (family.type, family.help.strip(), sorted(family.labels))
        assert (found["type"], found["help"], found["labels"]) == expected
        if family.type == "histogram":
            edges = read_catalogue().edges(family, max_model_len=1024, custom={})
            assert found["edges"] == [str(float(edge)) for edge in edges] + ["+Inf"]
    created = {name for name in shown if name.endswith("_created")}
    libraries = {name for name in shown if name.startswith(("python_", "process_"))}
    assert shown.keys() - created - libraries == set()


def test_every_family_of_a_real_engine_is_exported_alike():
    real, ours = json.loads(REAL.read_text()), families(Served().request().text)
    assert ours.keys() == real.keys()
    # vLLM 0.33 has one field more in its cache configuration than the 0.32 that printed the golden file
    real["vllm:cache_config_info"]["labels"] = sorted(
        [*real["vllm:cache_config_info"]["labels"], "simple_cpu_offload_num_blocks"]
    )
    assert {name: found for name, found in ours.items() if found != real[name]} == {}


def test_a_running_engine_shows_them_too(engine, web):
    url = engine().url
    assert web.ask(url, 3).status == 200
    reply = web.fetch(url, "/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=")
    shown, real = families(reply.body.decode()), json.loads(REAL.read_text())
    assert shown.keys() == real.keys()
    assert shown["http_requests"]["labels"] == ["handler", "method", "status"]


def test_the_golden_families_are_those_of_a_whole_answer_of_a_real_engine():
    path = os.environ.get("HOLDFAST_VLLM_METRICS")
    if not path:
        pytest.skip("HOLDFAST_VLLM_METRICS names no file with the /metrics of a vLLM 0.32 with max_model_len 1024")
    text = Path(path).read_text()
    assert json.loads(REAL.read_text()) == families(text)
    assert series(Served().request().text) == series(text)  # the file is that of an engine named tiny after chats alone


# What is counted.


def test_a_step_is_counted_as_vllm_counts_it():
    metrics = EngineMetrics("tiny")
    metrics.prefix(20, 16)
    metrics.first_token(stream(prompt=20, cached=16), 13.0)
    metrics.next_tokens(0.02, 3)
    metrics.next_tokens(0.5, 1)
    metrics.stepped()
    metrics.stepped()  # brought nothing, so it is no iteration
    assert value(metrics, "prompt_tokens_total") == 20
    assert value(metrics, "prompt_tokens_by_source_total", source="local_compute") == 4  # 20 - 16
    assert value(metrics, "prompt_tokens_by_source_total", source="local_cache_hit") == 16
    assert value(metrics, "prompt_tokens_cached_total") == 16
    assert value(metrics, "prompt_tokens_cached_by_source_total", source="device") == 16
    assert value(metrics, "prefix_cache_queries_total") == 20
    assert value(metrics, "prefix_cache_hits_total") == 16
    assert value(metrics, "generation_tokens_total") == 5  # 1 first, 3 and 1 later
    assert value(metrics, "inter_token_latency_seconds_count") == 4
    assert value(metrics, "inter_token_latency_seconds_bucket", le="0.025") == 3
    assert value(metrics, "inter_token_latency_seconds_sum") == pytest.approx(0.56)  # 3 * 0.02 + 0.5
    assert value(metrics, "iteration_tokens_total_count") == 1
    assert value(metrics, "iteration_tokens_total_sum") == 9  # 4 computed, 5 generated
    assert value(metrics, "time_to_first_token_seconds_sum") == 3  # 13 - 10


def test_a_finished_request_is_counted_as_vllm_counts_it():
    metrics = EngineMetrics("tiny")
    one = stream(prompt=20, emitted=5, cached=16, preemptions=2, siblings=Siblings(max_tokens=8))
    metrics.ended(one, 18.0, "stop")
    seconds = {
        "e2e_request_latency": 8,  # 18 - 10
        "request_queue_time": 0.5,  # 11 - 10.5: reading it is no queue
        "request_prefill_time": 2,  # 13 - 11
        "request_decode_time": 4,  # 17 - 13
        "request_inference_time": 6,  # 17 - 11
        "request_time_per_output_token": 1,  # 4 / (5 - 1)
    }
    for name, expected in seconds.items():
        assert value(metrics, f"{name}_seconds_sum") == expected
        assert value(metrics, f"{name}_seconds_count") == 1
    sizes = {
        "request_prompt_tokens": 20,
        "request_generation_tokens": 5,
        "request_max_num_generation_tokens": 5,
        "request_params_max_tokens": 8,
        "request_params_n": 1,
        "request_num_preemptions": 2,
        "request_prefill_kv_computed_tokens": 4,  # 20 - 16
    }
    for name, expected in sizes.items():
        assert value(metrics, f"{name}_sum") == expected
    assert value(metrics, "request_success_total", finished_reason="stop") == 1


def test_of_several_answers_to_a_prompt_the_longest_and_their_number_are_counted_with_the_last():
    metrics, siblings = EngineMetrics("tiny"), Siblings(n=3, max_tokens=50)
    for emitted in (4, 9):
        metrics.ended(stream(emitted=emitted, siblings=siblings), 18.0, "stop")
    assert value(metrics, "request_params_n_count") == 0
    metrics.ended(stream(emitted=7, siblings=siblings), 18.0, "stop")
    assert (value(metrics, "request_params_n_count"), value(metrics, "request_params_n_sum")) == (1, 3)
    assert value(metrics, "request_max_num_generation_tokens_sum") == 9
    assert value(metrics, "request_generation_tokens_count") == 3
    assert value(metrics, "request_params_max_tokens_sum") == 150  # 3 * 50: once for each answer


def test_an_aborted_answer_leaves_its_siblings_uncounted():
    metrics, siblings = EngineMetrics("tiny"), Siblings(n=2, max_tokens=50)
    metrics.ended(stream(siblings=siblings), 18.0, "abort")
    metrics.ended(stream(siblings=siblings), 18.0, "stop")
    assert value(metrics, "request_params_n_count") == 0
    assert value(metrics, "request_params_max_tokens_count") == 1


def test_a_single_token_has_no_time_per_token_and_is_counted_as_zero():
    metrics = EngineMetrics("tiny")
    metrics.ended(stream(emitted=1, last=13.0), 13.0, "length")
    assert value(metrics, "request_time_per_output_token_seconds_count") == 1
    assert value(metrics, "request_time_per_output_token_seconds_sum") == 0


def test_a_client_that_left_is_counted_nowhere():
    metrics = EngineMetrics("tiny")
    metrics.ended(stream(), 18.0, "abort")
    assert value(metrics, "request_success_total", finished_reason="abort") == 0
    assert value(metrics, "e2e_request_latency_seconds_count") == 0


def test_an_embedding_ends_with_its_prompt():
    metrics = EngineMetrics("tiny")
    metrics.ended(stream(prompt=20, emitted=0, first=None, last=10.0), 12.0, "stop")
    metrics.stepped()
    assert value(metrics, "prompt_tokens_total") == 20
    assert value(metrics, "generation_tokens_total") == 0
    assert value(metrics, "time_to_first_token_seconds_sum") == 2  # 12 - 10
    assert value(metrics, "request_decode_time_seconds_sum") == 0
    assert value(metrics, "iteration_tokens_total_sum") == 20
    assert value(metrics, "request_params_max_tokens_count") == 0  # it has no such parameter
    assert value(metrics, "request_params_n_sum") == 1


def test_refusals_and_preemptions_are_counted_and_an_unknown_reason_is_a_bug():
    metrics = EngineMetrics("tiny")
    metrics.refused("max_num_queued_tokens")
    metrics.preempted(3)
    sample = {"model_name": "tiny", "reason": "max_num_queued_tokens"}
    assert metrics.registry.get_sample_value("vllm:admission_rejections_total", sample) == 1
    assert value(metrics, "num_preemptions_total") == 3
    with pytest.raises(KeyError):
        metrics.refused("full moon")


def test_sleep_is_shown_by_its_level():
    metrics = EngineMetrics("tiny")

    def states():
        names = ("awake", "weights_offloaded", "discard_all")
        return [value(metrics, "engine_sleep_state", sleep_state=name) for name in names]

    assert states() == [1, 0, 0]
    metrics.sleep(2)
    assert states() == [0, 0, 1]


def test_adapters_are_shown_with_the_feature_alone():
    metrics = EngineMetrics("tiny", features={"lora"}, max_loras=4, wall=lambda: 1000.0)
    metrics.lora(["a", "b"])
    labels = {"max_lora": "4", "running_lora_adapters": "a,b", "waiting_lora_adapters": "a,b"}
    assert metrics.registry.get_sample_value("vllm:lora_requests_info", labels) == 1000
    without = EngineMetrics("tiny")
    without.lora(["a"])
    assert "vllm:lora_requests_info" not in without.tables
    without.show_lora()
    without.lora([])
    assert "vllm:lora_requests_info" in families(prometheus_client.generate_latest(without.registry).decode())
    with pytest.raises(ValueError, match="unknown features"):
        EngineMetrics("tiny", features={"telepathy"})


def test_blocks_that_were_evicted_are_shown_with_the_feature():
    metrics = EngineMetrics("tiny", features={"kv_cache_metrics"})
    metrics.evicted([Evicted(lifetime=3.0, idle=1.0, gaps=(0.5, 0.25)), Evicted(lifetime=1.0, idle=1.0, gaps=())])
    sums = {"kv_block_lifetime_seconds": 4, "kv_block_idle_before_evict_seconds": 2, "kv_block_reuse_gap_seconds": 0.75}
    assert {name: value(metrics, f"{name}_sum") for name in sums} == sums
    assert value(metrics, "kv_block_reuse_gap_seconds_count") == 2
    assert {name for name in metrics.tables if "kv_block" in name} == {f"vllm:{name}" for name in sums}


def test_steps_are_handed_on():
    metrics, seen = EngineMetrics("tiny"), []
    metrics.tell(seen.append)
    metrics.stepped("step", [])
    assert seen == ["step"]


def test_the_cache_configuration_is_shown_over_vllms_defaults():
    metrics = EngineMetrics("tiny", cache_config={"num_gpu_blocks": 100})
    (sample,) = metrics.tables["vllm:cache_config_info"].collect().samples
    assert (sample.labels["num_gpu_blocks"], sample.labels["gpu_memory_utilization"], sample.value) == (
        "100",
        "0.92",
        1,
    )
    with pytest.raises(ValueError, match="no \\['colour'\\]"):
        EngineMetrics("tiny", cache_config={"colour": "green"})


def test_creation_times_are_shown_although_the_services_hide_theirs():
    prometheus_client.disable_created_metrics()
    try:
        assert (
            'vllm:num_preemptions_created{engine="0",model_name="tiny"} 7.0'
            in Served(EngineMetrics("tiny", wall=lambda: 7.0)).text
        )
    finally:
        prometheus_client.enable_created_metrics()


# Histograms.


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.01, 0.0100001, 0.3, 80.0, 1e9]), st.integers(1, 5))),
)
def test_many_equal_observations_are_that_many_single_ones(observations):
    edges = read_catalogue().buckets["inter_token_latency"]
    registry = prometheus_client.CollectorRegistry()
    reference = prometheus_client.Histogram("h", "H.", buckets=edges, registry=registry)
    ours = Table(Family(name="h", type="histogram", help="H.", labels=(), when="always"), edges, lambda: 0.0)
    series = ours.series()
    assert isinstance(series, Histogram)
    for observed, times in observations:
        series.observe(observed, times)
        for _ in range(times):
            reference.observe(observed)
    expected = {(s.name, s.labels.get("le")): s.value for s in next(iter(registry.collect())).samples}
    found = {(s.name, s.labels.get("le")): s.value for s in ours.collect().samples}
    del expected["h_created", None], found["h_created", None]
    assert found.keys() == expected.keys()
    assert all(found[key] == pytest.approx(expected[key]) for key in found)


def test_token_edges_follow_the_longest_context():
    assert one_two_five(1024) == [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    assert one_two_five(1) == [1]


def test_edges_can_be_chosen_by_vllms_names():
    custom = buckets('{"time_to_first_token": [0.1, 0.3], "request_tokens": [7]}')
    metrics = EngineMetrics("tiny", custom_buckets=custom)
    metrics.first_token(stream(), 10.25)
    assert value(metrics, "time_to_first_token_seconds_bucket", le="0.3") == 1
    assert value(metrics, "request_prompt_tokens_bucket", le="7.0") == 0


@pytest.mark.parametrize(
    "wrong",
    [
        "[1]",
        '{"ttft": [1]}',
        '{"request_latency": []}',
        '{"request_latency": [2, 1]}',
        '{"request_latency": [1, 1]}',
        '{"request_latency": [0]}',
        '{"request_latency": [true]}',
        '{"request_latency": [1e999]}',
        '{"request_latency": "x"}',
        "no JSON",
    ],
)
def test_edges_that_vllm_would_refuse_are_refused(wrong):
    with pytest.raises(ValueError):  # noqa: PT011 - argparse prints it
        buckets(wrong)


# HTTP.


def http(served, name, **labels):
    return served.metrics.registry.get_sample_value(name, labels)


def test_a_request_is_counted_by_handler_method_and_class_of_its_status():
    served = Served().request(headers=[(b"Content-Length", b"120")], answer=[(b"content-length", b"40")], seconds=0.3)
    served.request(status=503, seconds=2.0)
    assert http(served, "http_requests_total", handler=CHAT, method="POST", status="2xx") == 1
    assert http(served, "http_requests_total", handler=CHAT, method="POST", status="5xx") == 1
    assert http(served, "http_request_size_bytes_sum", handler=CHAT) == 120
    assert http(served, "http_response_size_bytes_sum", handler=CHAT) == 40
    assert http(served, "http_response_size_bytes_count", handler=CHAT) == 2
    assert http(served, "http_request_duration_seconds_bucket", handler=CHAT, method="POST", le="0.5") == 1
    assert http(served, "http_request_duration_highr_seconds_sum") == pytest.approx(2.3)  # 0.3 + 2


@pytest.mark.parametrize(
    ("path", "handler"),
    [
        ("/v1/models", "/v1/models"),
        ("/v1/responses/abc", "/v1/responses/{response_id}"),
        ("/nowhere", "none"),
        ("/v1/responses/a/b", "none"),
    ],
)
def test_a_path_with_a_name_in_it_is_one_handler_and_an_unknown_path_is_none(path, handler):
    served = Served().request(path, method="GET", status=404)
    assert http(served, "http_requests_total", handler=handler, method="GET", status="4xx") == 1


@pytest.mark.parametrize("path", ["/health", "/metrics", "/ping", "/load", "/v1/load_lora_adapter", "/version"])
def test_what_vllm_excludes_is_not_counted(path):
    served = Served().request(path)
    assert http(served, "http_request_duration_highr_seconds_count") == 0


def test_an_answer_that_never_began_is_a_5xx():
    served = Served()

    async def broken(scope, receive, send):
        raise RuntimeError("no answer")

    scope = {"type": "http", "method": "POST", "path": CHAT, "headers": []}
    with pytest.raises(RuntimeError):
        asyncio.run(HttpMetrics(broken, served.metrics, clock=served.clock)(scope, None, None))
    assert http(served, "http_requests_total", handler=CHAT, method="POST", status="5xx") == 1


# Gauges that are late.


def test_gauges_are_read_when_they_are_scraped():
    metrics, waiting = EngineMetrics("tiny"), [0]
    metrics.watch(running=lambda: 2, waiting=lambda: waiting[0], kv=lambda: 0.5, deferred=lambda: 1)
    waiting[0] = 3
    assert value(metrics, "num_requests_running") == 2
    assert value(metrics, "num_requests_waiting") == 3
    assert value(metrics, "num_requests_waiting_by_reason", reason="deferred") == 1
    assert value(metrics, "num_requests_waiting_by_reason", reason="capacity") == 2  # 3 - 1
    assert value(metrics, "kv_cache_usage_perc") == 0.5


def test_frozen_gauges_say_nothing_until_they_thaw():
    late = Late(lambda: (7.0,), Staleness(frozen=18.0), started=100.0)
    assert late.values(117.9) == (0.0,)
    assert late.values(118.0) == (7.0,)


def test_late_gauges_show_what_was_true_so_many_seconds_ago():
    now = Clock(0.0)
    late = Late(lambda: (now(),), Staleness(lag=4.0), started=0.0)
    seen = []
    for tick in range(20):  # a step each second; the value is the time
        now.now = float(tick)
        late.note(now())
        seen.append(late.values(now())[0])
    assert seen[:5] == [0, 0, 0, 0, 0]
    assert seen[10] == 6  # 10 - 4
    assert seen[19] == 15


def test_late_gauges_are_late_also_when_nobody_steps():
    now = Clock(0.0)
    late = Late(lambda: (5.0,), Staleness(lag=4.0), started=0.0)
    assert late.values(1.0) == (0.0,)  # first seen at 1
    assert late.values(4.9) == (0.0,)
    assert late.values(5.0) == (5.0,)
    assert now() == 0.0


@pytest.mark.parametrize("wrong", [{"frozen": -1.0}, {"lag": -0.1}, {"lag": float("nan")}])
def test_the_future_cannot_be_shown(wrong):
    with pytest.raises(ValueError, match="negative"):
        Staleness(**wrong)
