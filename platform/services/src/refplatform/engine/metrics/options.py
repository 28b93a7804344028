"""What of /metrics is chosen on the command line, with vLLM's name where vLLM has one."""

from __future__ import annotations

import math
import random
import time
from typing import TYPE_CHECKING

import orjson

from refplatform import process
from refplatform.engine.metrics.catalogue import read_catalogue
from refplatform.engine.metrics.recorder import EngineMetrics
from refplatform.engine.metrics.stale import Staleness
from refplatform.engine.scheduler import BLOCK_TOKENS, Residency

if TYPE_CHECKING:
    import argparse

    from refplatform.engine.calibration import Calibration


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the parser these options."""
    parser.add_argument(
        "--custom-histogram-buckets",
        type=buckets,
        default={},
        metavar="JSON",
        help="bucket edges by vLLM's name of a family of histograms, such as "
        '\'{"time_to_first_token": [0.1, 0.3, 1], "request_latency": [0.01, 0.3, 5]}\'',
    )
    parser.add_argument(
        "--frozen-gauges-seconds",
        type=process.seconds,
        default=0.0,
        metavar="S",
        help="the queue gauges stay 0 for so long after the start, as seen in vLLM #49538: 18 (default 0)",
    )
    parser.add_argument(
        "--late-gauges-seconds",
        type=process.seconds,
        default=0.0,
        metavar="S",
        help="afterwards they are late by so much, as seen there: 3 to 6 (default 0)",
    )
    parser.add_argument(
        "--enable-lora",
        action="store_true",
        help="show vllm:lora_requests_info also before the first adapter",
    )
    parser.add_argument(
        "--kv-cache-metrics", action="store_true", help="show how long blocks of the KV cache live and are idle"
    )
    parser.add_argument(
        "--kv-cache-metrics-sample",
        type=process.share,
        default=0.01,
        metavar="SHARE",
        help="of how many blocks (default %(default)s)",
    )
    parser.add_argument(
        "--max-loras",
        type=process.count,
        default=1,
        metavar="N",
        help="shown in vllm:lora_requests_info (default 1)",
    )


def engine_metrics(args: argparse.Namespace, calibration: Calibration) -> EngineMetrics:
    """The metrics of the engine that these arguments describe. Raises ValueError for negative seconds."""
    return EngineMetrics(
        args.model,
        max_model_len=calibration.max_model_len,
        custom_buckets=args.custom_histogram_buckets,
        cache_config=cache_config(calibration),
        features=features(args),
        max_loras=args.max_loras,
        staleness=Staleness(frozen=args.frozen_gauges_seconds, lag=args.late_gauges_seconds),
    )


def features(args: argparse.Namespace) -> set[str]:
    """What makes more families."""
    chosen = {"lora": bool(args.enable_lora or args.lora_modules), "kv_cache_metrics": args.kv_cache_metrics}
    return {name for name, wanted in chosen.items() if wanted}


def residency(args: argparse.Namespace) -> Residency | None:
    """Who follows blocks of the KV cache. Raises ValueError for a share that is none."""
    if not args.kv_cache_metrics:
        return None
    return Residency(args.kv_cache_metrics_sample, clock=time.monotonic, source=random.Random(args.seed))


def cache_config(calibration: Calibration) -> dict[str, object]:
    """The labels of `vllm:cache_config_info` that differ from vLLM's defaults."""
    tokens = calibration.kv_blocks * BLOCK_TOKENS
    return {
        "block_size": BLOCK_TOKENS,
        "effective_attention_block_size": BLOCK_TOKENS,
        "_block_size_resolved": True,
        "num_gpu_blocks": calibration.kv_blocks,
        "kv_cache_size_tokens": tokens,
        "kv_cache_max_concurrency": tokens / calibration.max_model_len,
        "gpu_memory_utilization": calibration.gpu_memory_utilization,
    }


def buckets(text: str) -> dict[str, tuple[float, ...]]:
    """The value of --custom-histogram-buckets. Raises ValueError for what vLLM would not take."""
    raw = orjson.loads(text)
    families = {*read_catalogue().buckets, "request_tokens"}
    if not isinstance(raw, dict) or not raw.keys() <= families:
        raise ValueError(f"expected an object with keys out of {sorted(families)}")
    for name, edges in raw.items():
        if not isinstance(edges, list) or not edges or not all(type(edge) in {int, float} for edge in edges):
            raise ValueError(f"{name} needs a list of numbers")
        if edges != sorted(set(edges)) or edges[0] <= 0 or not math.isfinite(edges[-1]):
            raise ValueError(f"{name} needs positive, increasing, finite numbers")
    return {name: tuple(edges) for name, edges in raw.items()}
