"""Which devices an engine has, as chosen on the command line."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING
from uuid import NAMESPACE_DNS, uuid5

from refplatform.engine.gpu.device import Device
from refplatform.engine.gpu.meter import Meter, Weights
from refplatform.engine.gpu.spec import SPECS, slices

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from refplatform.engine.calibration import Calibration


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the parser these options."""
    parser.add_argument(
        "--gpu", choices=sorted(SPECS), help="kind of the simulated GPU (default: the calibration's name, or h100)"
    )
    parser.add_argument("--gpu-index", type=int, default=0, help="number of the first GPU on its host (default 0)")
    parser.add_argument("--gpu-host", default=socket.gethostname(), help="label Hostname (default %(default)s)")
    parser.add_argument(
        "--tensor-parallel-size", type=int, default=1, metavar="N", help="GPUs that share the work (default 1)"
    )
    parser.add_argument(
        "--mig",
        type=_profiles,
        default=(),
        metavar="PROFILE,...",
        help="MIG instances of each GPU, such as 3g.40gb,3g.40gb",
    )


def gpu_meter(
    args: argparse.Namespace, calibration: Calibration, *, now: float, busy_seconds: Callable[[], float]
) -> Meter:
    """The devices of these arguments, from `now` on. Raises ValueError for MIG profiles that do not fit."""
    spec = SPECS[args.gpu or (calibration.name if calibration.name in SPECS else "h100")]
    if args.tensor_parallel_size < 1:
        raise ValueError("--tensor-parallel-size must be at least 1")
    devices = tuple(
        Device(
            spec=spec,
            index=index,
            uuid=f"GPU-{uuid5(NAMESPACE_DNS, f'{args.gpu_host}/{index}')}",
            slices=slices(args.mig, spec),
            now=now,
        )
        for index in range(args.gpu_index, args.gpu_index + args.tensor_parallel_size)
    )
    return Meter(devices, weights_of(calibration), busy_seconds)


def weights_of(calibration: Calibration) -> Weights:
    """What a calibration says of the memory, or an 8B model where it says nothing."""
    if not calibration.weight_bytes:
        return Weights(memory_share=calibration.gpu_memory_utilization)
    return Weights(
        weight_bytes=calibration.weight_bytes,
        kv_bytes_per_token=calibration.kv_bytes_per_token,
        memory_share=calibration.gpu_memory_utilization,
    )


def _profiles(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
