"""What the engine tells, and what vLLM would have counted: the one class between the scheduler and /metrics.

The calls of a step: `preempted`, `prefix`; `first_token`, `next_tokens` and `ended` as they happen; `stepped` last.
Each number means what it means in vLLM 0.33 (v1/metrics/stats.py, v1/metrics/loggers.py).
"""

from __future__ import annotations

import time
from itertools import product
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from refplatform.engine.metrics.catalogue import read_catalogue
from refplatform.engine.metrics.instruments import Table, Tables
from refplatform.engine.metrics.stale import Late, Staleness

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from refplatform.engine.metrics.instruments import Counter, Gauge, Histogram, Instrument

ENGINE: Final = "0"
PER_ENGINE: Final = ("model_name", "engine")
MAX_MODEL_LEN: Final = 16384
LORA: Final = "vllm:lora_requests_info"
SLEEP_STATES: Final = ("awake", "weights_offloaded", "discard_all")
"""By sleep level: 0 is awake."""


class Counted(Protocol):
    """The tokens of one request; `cached` is how many tokens of the prompt came out of the prefix cache."""

    prompt: int
    asked: int
    emitted: int
    cached: int
    preemptions: int


class Asked(Protocol):
    """What is counted once for all answers to one prompt."""

    n: int
    max_tokens: int | None
    longest: int

    def end(self, tokens: int, /) -> bool:
        """One of them ended; whether it was the last."""


class Lived(Protocol):
    """One block of the KV cache from its allocation to its eviction, in seconds."""

    @property
    def lifetime(self) -> float:
        """All in all."""

    @property
    def idle(self) -> float:
        """Since it was last found."""

    @property
    def gaps(self) -> tuple[float, ...]:
        """Between the times when it was found."""


class Timed(Protocol):
    """One request as the engine times it, in seconds of the engine's clock; None is "not yet"."""

    arrived: float
    queued: float
    scheduled: float | None
    first: float | None
    last: float

    @property
    def sequence(self) -> Counted:
        """Its tokens."""

    @property
    def siblings(self) -> Asked:
        """It, and the other answers to its prompt."""


class EngineMetrics:
    """All series of one engine, in a registry of its own; gauges are read when they are scraped.

    `max_model_len` decides the edges of the token histograms, `custom_buckets` replaces edges (vLLM's
    `--custom-histogram-buckets`), `features` are conditions of the catalogue, `cache_config` fills labels of
    `vllm:cache_config_info`. `wall` gives unix seconds, `clock` seconds that never go back.
    """

    def __init__(
        self,
        model: str,
        *,
        max_model_len: int = MAX_MODEL_LEN,
        custom_buckets: Mapping[str, tuple[float, ...]] | None = None,
        cache_config: Mapping[str, object] | None = None,
        features: Collection[str] = (),
        max_loras: int = 1,
        staleness: Staleness | None = None,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        catalogue = read_catalogue()
        self._max_loras = str(max_loras)
        self._labels = {"model_name": model, "engine": ENGINE}
        self._wall, self._clock = wall, clock
        self._staleness = staleness or Staleness()
        self._late: Late | None = None
        custom = custom_buckets or {}
        self.tables = {
            family.name: Table(family, catalogue.edges(family, max_model_len=max_model_len, custom=custom), wall)
            for family in catalogue.present(features)
        }
        self._lora = self.tables.get(LORA)
        self._prefilled = self._gained = 0
        self._listeners: list[Callable[[Any], None]] = []
        self._at: dict[tuple[str, ...], Instrument] = {}
        self._start()
        self._gaps = cast("Histogram", self._at["inter_token_latency_seconds",])
        self.sleep(0)
        self._inform(cache_config or {})
        self.registry = CollectorRegistry()
        for collector in (GCCollector, PlatformCollector, ProcessCollector):
            collector(registry=self.registry)
        self.registry.register(cast("Any", Tables(self.tables.values())))

    def watch(
        self,
        *,
        running: Callable[[], float],
        waiting: Callable[[], float],
        kv: Callable[[], float],
        deferred: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Tie the gauges to the scheduler; `kv` is a share of one, `deferred` those of `waiting` whom no room helps."""
        self._late = late = Late(
            lambda: (running(), waiting(), kv(), deferred()), self._staleness, started=self._clock()
        )

        def value(index: int) -> Callable[[], float]:
            return lambda: late.values(self._clock())[index]

        self._gauge("num_requests_running").read = value(0)
        self._gauge("num_requests_waiting").read = value(1)
        self._gauge("kv_cache_usage_perc").read = value(2)
        by_reason = "num_requests_waiting_by_reason"
        self._gauge(by_reason, "deferred").read = value(3)
        self._gauge(by_reason, "capacity").read = lambda: value(1)() - value(3)()

    def first_token(self, stream: Timed, now: float) -> None:
        """The prompt is complete and its first token is there."""
        self._prompted(stream, now)
        self._gained += 1

    def next_tokens(self, gap: float, count: int) -> None:
        """So many streams each got another token, `gap` seconds after their last one."""
        self._gaps.observe(gap, count)
        self._gained += count

    def stepped(self, step: object = None, _gained: object = None) -> None:
        """The step is over. vLLM counts a prompt in the step that completes it, and no step that brought nothing."""
        if self._prefilled or self._gained:
            self._counter("generation_tokens").add(self._gained)
            self._observe("iteration_tokens_total", self._prefilled + self._gained)
        self._prefilled = self._gained = 0
        if self._late is not None:
            self._late.note(self._clock())
        for listener in self._listeners:
            listener(step)

    def ended(self, stream: Timed, now: float, reason: str) -> None:
        """Account for a request that ended at `now` with vLLM's `finished_reason`.

        An abort counts nowhere: vLLM forgets a request whose client has left before its statistics are taken. What
        ends without a token is an embedding, for which vLLM counts the prompt when it is complete. Of several answers
        to one prompt, the longest and their number are counted with the last.
        """
        if reason == "abort":
            return
        if stream.first is None:
            self._prompted(stream, now)
        sequence, last = stream.sequence, now if stream.first is None else stream.last
        scheduled = now if stream.scheduled is None else stream.scheduled
        first = now if stream.first is None else stream.first
        self._counter("request_success", reason).add()
        self._observe("e2e_request_latency_seconds", now - stream.arrived)
        self._observe("request_queue_time_seconds", scheduled - stream.queued)
        self._observe("request_prefill_time_seconds", first - scheduled)
        self._observe("request_decode_time_seconds", last - first)
        self._observe("request_inference_time_seconds", last - scheduled)
        self._observe("request_time_per_output_token_seconds", (last - first) / max(1, sequence.emitted - 1))
        self._observe("request_num_preemptions", sequence.preemptions)
        self._observe("request_prefill_kv_computed_tokens", sequence.prompt - sequence.cached)
        self._observe("request_prompt_tokens", sequence.prompt)
        self._observe("request_generation_tokens", sequence.emitted)
        if stream.siblings.end(sequence.emitted):
            self._observe("request_max_num_generation_tokens", stream.siblings.longest)
            self._observe("request_params_n", stream.siblings.n)
        if stream.siblings.max_tokens:
            self._observe("request_params_max_tokens", stream.siblings.max_tokens)

    def refused(self, reason: str) -> None:
        """A request was not admitted: `max_num_queued_reqs` or `max_num_queued_tokens`."""
        self._counter("admission_rejections", reason).add()

    def preempted(self, times: int = 1) -> None:
        """So many requests lost their blocks and start again."""
        self._counter("num_preemptions").add(times)

    def prefix(self, queries_tokens: int, hit_tokens: int) -> None:
        """So many tokens were looked up in the prefix cache when a request was admitted, so many were found."""
        self._counter("prefix_cache_queries").add(queries_tokens)
        self._counter("prefix_cache_hits").add(hit_tokens)
        self._counter("prompt_tokens_cached_by_source", "device").add(hit_tokens)

    def computed(self, *, flops: float, read: float, written: float) -> None:
        """Estimated operations and bytes of memory of a step; vLLM counts them under `--enable-mfu-metrics`."""
        self._counter("estimated_flops_per_gpu_total").add(flops)
        self._counter("estimated_read_bytes_per_gpu_total").add(read)
        self._counter("estimated_write_bytes_per_gpu_total").add(written)

    def lora(self, adapters: Collection[str]) -> None:
        """Adapters of requests that have a token and are to have more, shown with the feature `lora`.

        Each combination is a series of its own, whose value is the time of the last step in which it was so. vLLM hears
        of a request with its first token, and then writes its adapter into both labels, whether it runs or waits.
        """
        if self._lora is not None:
            names = ",".join(adapters)
            labels = {"running_lora_adapters": names, "waiting_lora_adapters": names}
            cast("Gauge", self._lora.series(max_lora=self._max_loras, **labels)).set(self._wall())

    def show_lora(self) -> None:
        """Have the feature `lora` from now on."""
        if self._lora is None:
            (family,) = (family for family in read_catalogue().families if family.name == LORA)
            self._lora = self.tables[LORA] = Table(family, (), self._wall)

    def evicted(self, blocks: Iterable[Lived]) -> None:
        """These sampled blocks of the KV cache were given to somebody else; needs the feature `kv_cache_metrics`."""
        for block in blocks:
            self._observe("kv_block_lifetime_seconds", block.lifetime)
            self._observe("kv_block_idle_before_evict_seconds", block.idle)
            for gap in block.gaps:
                self._observe("kv_block_reuse_gap_seconds", gap)

    def sleep(self, level: int) -> None:
        """0 awake, 1 weights offloaded, 2 all discarded."""
        for state, name in enumerate(SLEEP_STATES):
            self._gauge("engine_sleep_state", name).set(float(state == level))

    def tell(self, listener: Callable[[Any], None]) -> None:
        """Hand every step that ends on to somebody else."""
        self._listeners.append(listener)

    def _prompted(self, stream: Timed, now: float) -> None:
        sequence = stream.sequence
        computed = sequence.prompt - sequence.cached
        self._observe("time_to_first_token_seconds", now - stream.arrived)
        self._counter("prompt_tokens").add(sequence.prompt)
        self._counter("prompt_tokens_by_source", "local_compute").add(computed)
        self._counter("prompt_tokens_by_source", "local_cache_hit").add(sequence.cached)
        self._counter("prompt_tokens_cached").add(sequence.cached)
        self._prefilled += computed

    def _inform(self, known: Mapping[str, object]) -> None:
        table = self.tables["vllm:cache_config_info"]
        given = {name: str(value) for name, value in known.items()}
        if unknown := given.keys() - table.family.defaults:
            raise ValueError(f"vLLM's cache configuration has no {sorted(unknown)}")
        cast("Gauge", table.series(**{**table.family.defaults, **given}, engine=ENGINE)).set(1.0)

    def _start(self) -> None:
        """Make every series that exists from the start: one a label value, where vLLM knows the values beforehand."""
        for name, table in self.tables.items():
            short, rest = (
                name.removeprefix("vllm:"),
                [label for label in table.family.labels if label not in PER_ENGINE],
            )
            if rest and rest != list(table.family.values):
                continue  # its series appear when they are first counted
            for values in product(*table.family.values.values()):
                labels = dict(zip(rest, values, strict=True))
                self._at[(short, *values)] = table.series(**self._labels, **labels)

    def _counter(self, *key: str) -> Counter:
        return cast("Counter", self._at[key])

    def _gauge(self, *key: str) -> Gauge:
        return cast("Gauge", self._at[key])

    def _observe(self, name: str, value: float) -> None:
        cast("Histogram", self._at[name,]).observe(value)
