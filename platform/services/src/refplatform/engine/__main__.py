"""Starts one engine: `python -m refplatform.engine --help`."""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from refplatform import process
from refplatform.alarm import Alarm
from refplatform.engine import weights as weights_options
from refplatform.engine.api import EngineApp
from refplatform.engine.calibration import Calibration, read_calibration
from refplatform.engine.faults import options as fault_options
from refplatform.engine.gpu import options as gpu_options
from refplatform.engine.gpu.face import GpuFace
from refplatform.engine.known import read_known
from refplatform.engine.live import LiveEngine
from refplatform.engine.metrics import options as metrics_options
from refplatform.engine.metrics.http import HttpMetrics
from refplatform.engine.models import Models
from refplatform.engine.reading import Reading, desk
from refplatform.engine.switch import Pace, Switch
from refplatform.engine.weights import LazyFace
from refplatform.engine.wire.ask import Mind
from refplatform.engine.wire.errors import BadAskError
from refplatform.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from refplatform.engine.gpu.meter import Meter
    from refplatform.engine.metrics import EngineMetrics
    from refplatform.engine.scheduler import Residency
    from refplatform.engine.weights import Weights

PROG: Final = "refplatform.engine"
DRAIN_SECONDS: Final = 5.0
EXIT_DAMAGED: Final = 1
"""The weights are not what was stored."""
LIMITS: Final = (
    "max_num_seqs",
    "max_num_batched_tokens",
    "max_num_queued_reqs",
    "max_num_queued_tokens",
    "long_prefill_token_threshold",
    "max_model_len",
    "kv_cache_tokens",
)
"""Numbers of the calibration that may be given on the command line."""


def main() -> None:
    """Read the arguments, bind, serve."""
    args, weights = _weights(_arguments())
    calibration = _calibration(args)
    sock = process.bind(PROG, args.host, args.port)
    faults = fault_options.open_faults(args)
    args.load_seconds += _told_load(args)
    if not args.lazy:
        _load(weights, args.load_seconds)
    metrics, residency = _metrics(args, calibration)
    engine = _live(args, calibration, metrics, residency)
    meter = _meter(args, calibration, engine)
    if faults is not None:
        faults.join(engine, meter.devices, blocks=calibration.kv_blocks, registry=metrics.registry)
    models = _models(args, calibration)
    reading = Reading(desk(calibration, scale=args.time_scale), clock=time.monotonic)
    switch = None
    if weights is not None:
        switch = Switch(
            engine,
            models,
            weights,
            calibration,
            pace=Pace(load=args.load_seconds, switch=args.switch_seconds),
            adopt=_adopting(reading, meter, args.time_scale),
            registry=metrics.registry,
        )
    app = EngineApp(
        engine,
        metrics,
        models,
        mind=Mind(seed=args.seed, known=_known(args.questions)),
        wall=time.time,
        tell_cached=args.enable_prompt_tokens_details,
        faults=faults.register if faults else None,
        reading=reading,
        switch=switch,
    )
    loaded = LazyFace(app, weights, load_seconds=args.load_seconds) if args.lazy else app
    counted = HttpMetrics(faults.face(loaded) if faults else loaded, metrics, clock=time.monotonic)
    metrics.tell(meter.stepped)
    face = GpuFace(counted, meter, host=args.gpu_host, clock=lambda: time.monotonic() * args.time_scale)
    process.serve(
        process.Service(
            listeners=(process.Listener(app=face, sock=sock),),
            background=(engine.run, faults.run) if faults else (engine.run,),
            drain_seconds=DRAIN_SECONDS,
        )
    )


def _weights(args: argparse.Namespace) -> tuple[argparse.Namespace, Weights | None]:
    try:
        return weights_options.find(args)
    except StoreError as error:
        process.fail(PROG, str(error))


def _told_load(args: argparse.Namespace) -> float:
    """Seconds that a fault adds to this load, unless it makes it fail."""
    told = fault_options.told_load(args, time.time())
    if told.fails:
        process.fail(PROG, "the weights could not be loaded, as a fault asks", code=EXIT_DAMAGED)
    return told.seconds


def _live(
    args: argparse.Namespace, calibration: Calibration, metrics: EngineMetrics, residency: Residency | None
) -> LiveEngine:
    return LiveEngine(
        calibration,
        metrics,
        clock=time.monotonic,
        scale=args.time_scale,
        policy=args.scheduling_policy,
        noise=random.Random(args.seed),
        until=Alarm(time.monotonic).until,
        residency=residency,
    )


def _load(weights: Weights | None, seconds: float) -> None:
    """Hold the port but do not listen yet, as vLLM does while it loads; SIGTERM ends the wait and the process."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        if weights is not None:
            weights.verify()
    except StoreError as error:
        process.fail(PROG, str(error), code=EXIT_DAMAGED)
    time.sleep(seconds)


def _arguments() -> argparse.Namespace:
    parser = process.parser(
        prog=PROG,
        about="A live OpenAI-compatible engine that batches, queues and reports as vLLM does, without a model.",
        example="python -m refplatform.engine --port 8001 --model chat --calibration laptop.json --seed 1",
    )
    parser.add_argument("--port", type=int, required=True, help="TCP port to answer on")
    parser.add_argument("--host", default="127.0.0.1", help="address to answer on (default %(default)s)")
    parser.add_argument("--model", type=process.name, required=True, help="model name to serve; others get 404")
    parser.add_argument("--calibration", type=Path, required=True, help="JSON file with limits and step times")
    parser.add_argument(
        "--load-seconds",
        type=process.seconds,
        default=0.0,
        help="refuse connections for so long at first (default 0)",
    )
    parser.add_argument("--seed", type=int, default=0, help="decides the text of the answers (default 0)")
    _add_server(parser)
    metrics_options.add_arguments(parser)
    gpu_options.add_arguments(parser)
    weights_options.add_arguments(parser)
    fault_options.add_arguments(parser)
    return parser.parse_args()


def _add_server(parser: argparse.ArgumentParser) -> None:
    """What vLLM has as well, by vLLM's names, and what only a simulator can have."""
    for name in LIMITS:
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=int, metavar="N", help="instead of the calibration's")
    parser.add_argument("--scheduling-policy", choices=("fcfs", "priority"), default="fcfs", help="who waits least")
    parser.add_argument(
        "--lora-modules", type=_adapter, nargs="+", default=[], metavar="NAME=PATH", help="adapters beside the model"
    )
    parser.add_argument(
        "--enable-prompt-tokens-details", action="store_true", help="say in usage what the prefix cache had"
    )
    parser.add_argument(
        "--questions", type=Path, help="a load profile's file of questions, to be answered as it expects"
    )
    parser.add_argument(
        "--time-scale",
        type=process.factor,
        default=1.0,
        metavar="X",
        help="so many times as fast (default %(default)s)",
    )


def _metrics(args: argparse.Namespace, calibration: Calibration) -> tuple[EngineMetrics, Residency | None]:
    try:
        return metrics_options.engine_metrics(args, calibration), metrics_options.residency(args)
    except ValueError as error:
        process.fail(PROG, str(error))


def _meter(args: argparse.Namespace, calibration: Calibration, engine: LiveEngine) -> Meter:
    """The devices live in the calibration's seconds, of which `--time-scale` pass in one."""
    now = time.monotonic() * args.time_scale
    try:
        return gpu_options.gpu_meter(
            args, calibration, now=now, busy_seconds=lambda: engine.busy_seconds * args.time_scale
        )
    except ValueError as error:
        process.fail(PROG, str(error))


def _adopting(reading: Reading, meter: Meter, scale: float) -> Callable[[Calibration], None]:
    """Tells everybody beside the engine's own steps of another version's speed."""

    def adopt(calibration: Calibration) -> None:
        reading.desk = desk(calibration, scale=scale)
        meter.hold(gpu_options.weights_of(calibration))

    return adopt


def _calibration(args: argparse.Namespace) -> Calibration:
    chosen = {name: value for name in LIMITS if (value := getattr(args, name)) is not None}
    try:
        calibration = read_calibration(args.calibration)
    except OSError as error:
        process.fail(PROG, f"cannot read the calibration {args.calibration}: {error.strerror}")
    except ValueError as error:
        process.fail(PROG, f"cannot use the calibration\n{error}")
    try:
        return replace(calibration, **chosen)
    except ValueError as error:
        process.fail(PROG, f"these options and {args.calibration} do not go together: {error}")


def _models(args: argparse.Namespace, calibration: Calibration) -> Models:
    models = Models(base=args.model, max_model_len=calibration.max_model_len, since=int(time.time()))
    try:
        for name, path in args.lora_modules:
            models.load(name, path)
    except BadAskError as error:
        process.fail(PROG, f"--lora-modules: {error}")
    return models


def _known(path: Path | None) -> dict[str, tuple[str, bool]]:
    try:
        return read_known(path) if path else {}
    except (OSError, ValueError) as error:
        process.fail(PROG, f"cannot use the questions {path}: {error}")


def _adapter(text: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    if not name or not equals or not path:
        raise argparse.ArgumentTypeError(f"expected NAME=PATH, got {text!r}")
    return name, path


if __name__ == "__main__":
    main()
