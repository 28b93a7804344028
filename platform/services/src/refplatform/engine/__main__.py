"""Starts one engine: `python -m refplatform.engine --help`."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from refplatform import process
from refplatform.engine.api import EngineApp
from refplatform.engine.calibration import Calibration, read_calibration
from refplatform.engine.live import LiveEngine
from refplatform.engine.metrics import EngineMetrics

if TYPE_CHECKING:
    import argparse

PROG: Final = "refplatform.engine"
DRAIN_SECONDS: Final = 5.0


def main() -> None:
    """Read the arguments, bind, serve."""
    args = _arguments()
    calibration = _calibration(args.calibration)
    sock = process.bind(PROG, args.host, args.port)
    _load_weights(args.load_seconds)
    metrics = EngineMetrics(args.model)
    engine = LiveEngine(calibration, metrics, clock=time.monotonic)
    app = EngineApp(
        engine,
        calibration,
        metrics,
        model=args.model,
        seed=args.seed,
        wall=time.time,
    )
    process.serve(
        process.Service(
            listeners=(process.Listener(app=app, sock=sock),), background=(engine.run,), drain_seconds=DRAIN_SECONDS
        )
    )


def _load_weights(seconds: float) -> None:
    """Hold the port but do not listen yet, as vLLM does while it loads; SIGTERM ends the wait and the process."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    time.sleep(seconds)


def _arguments() -> argparse.Namespace:
    parser = process.parser(
        prog=PROG,
        about="A live OpenAI-compatible engine that batches, queues and reports as vLLM does, without a model.",
        example="python -m refplatform.engine --port 8001 --model chat --calibration laptop.json --seed 1",
    )
    parser.add_argument("--port", type=int, required=True, help="TCP port to answer on")
    parser.add_argument("--host", default="127.0.0.1", help="address to answer on (default %(default)s)")
    parser.add_argument("--model", required=True, help="model name to serve; others get 404")
    parser.add_argument("--calibration", type=Path, required=True, help="JSON file with limits and step times")
    parser.add_argument(
        "--load-seconds", type=float, default=0.0, help="refuse connections for so long after the start (default 0)"
    )
    parser.add_argument("--seed", type=int, default=0, help="decides the text of the answers (default 0)")
    return parser.parse_args()


def _calibration(path: Path) -> Calibration:
    try:
        return read_calibration(path)
    except (OSError, ValueError) as error:
        process.fail(PROG, f"cannot use the calibration {path}: {error}")


if __name__ == "__main__":
    main()
