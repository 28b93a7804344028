"""Whether an engine has an admin door for faults, as chosen on the command line, and all that stands behind it."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from prometheus_client import Counter

from refplatform import process
from refplatform.engine.faults import next_load
from refplatform.engine.faults.catalogue import known
from refplatform.engine.faults.door import Door
from refplatform.engine.faults.face import FaultFace
from refplatform.engine.faults.next_load import NextLoad, StaleError
from refplatform.engine.faults.patient import Patient
from refplatform.engine.faults.register import Register

if TYPE_CHECKING:
    import argparse
    import socket
    from collections.abc import Callable, Mapping

    from prometheus_client import CollectorRegistry

    from refplatform import asgi
    from refplatform.engine.gpu.device import Device
    from refplatform.engine.live import LiveEngine

PROG: Final = "refplatform.engine"
LOOPBACK: Final = "127.0.0.1"
TOKEN: Final = "REFPLATFORM_FAULT_TOKEN"  # noqa: S105 - the name of a variable
SHORTEST_TOKEN: Final = 16
EXIT_KEEPER: Final = 70
"""EX_SOFTWARE of sysexits.h: nobody keeps the leases any more, and a fault must not outlive its own."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the parser these options."""
    parser.add_argument("--fault-port", type=int, metavar="PORT", help="open the admin door for faults on 127.0.0.1")
    parser.add_argument(
        "--fault-token-file", type=Path, metavar="FILE", help=f"its bearer token, mode 600 (or in ${TOKEN})"
    )
    parser.add_argument(
        "--fault-state", type=Path, metavar="FILE", help="where a fault may leave word for the next start"
    )


class Faults:
    """The faults of one engine and the door to them; without `--fault-port` there is none of this."""

    def __init__(self, sock: socket.socket, token: str, next_file: Path | None) -> None:
        self._sock = sock
        self._token = token
        self._next_file = next_file

    def join(
        self, engine: LiveEngine, devices: tuple[Device, ...], *, blocks: int, registry: CollectorRegistry
    ) -> None:
        """Take charge of an engine and its devices; strikes are counted in `registry`."""
        kinds = known()
        strikes = Counter(
            "refplatform_engine_fault_strikes", "Answers and engines that a fault struck", ["fault"], registry=registry
        )
        for name in kinds:
            strikes.labels(fault=name)
        self.patient = Patient(engine.conditions, devices, blocks=blocks, next_file=self._next_file)
        self.register = Register(
            kinds,
            settle=self.patient.settle,
            count=lambda name: strikes.labels(fault=name).inc(),
            clock=time.monotonic,
            wall=time.time,
            forget=self.patient.forget_next,
            context={"gpus": len(devices), "next_load": self._next_file is not None},
        )

    def face(self, app: asgi.App) -> FaultFace:
        """Stand before the engine's application."""
        return FaultFace(app, self.patient)

    async def run(self) -> None:
        """Open the door, and keep the leases, until the engine ends."""
        keeper = threading.Thread(target=_guarded(self.register.run), name="leases", daemon=True)
        self.patient.live(asyncio.get_running_loop(), keeper)
        keeper.start()
        door = Door(self._sock, self.register, self._token)
        threading.Thread(target=door.serve_forever, name="door", daemon=True).start()
        await asyncio.Event().wait()


def open_faults(args: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> Faults | None:
    """Bind the door, if one is wanted; ends the process without a token that is worth the name."""
    if args.fault_port is None:
        return None
    token = _token(args.fault_token_file, environ)
    return Faults(process.bind(PROG, LOOPBACK, args.fault_port), token, args.fault_state)


def told_load(args: argparse.Namespace, now: float) -> NextLoad:
    """What a fault has left for this start; word that is too old is thrown away, and said to be."""
    if args.fault_state is None:
        return NextLoad()
    try:
        return next_load.read(args.fault_state, now)
    except StaleError as error:
        sys.stderr.write(f"{PROG}: not done: {error}\n")
        next_load.write(args.fault_state, None)
        return NextLoad()


def _token(file: Path | None, environ: Mapping[str, str]) -> str:
    token = environ.get(TOKEN, "")
    if file is not None:
        try:
            if stat.S_IMODE(file.stat().st_mode) & 0o077:
                process.fail(PROG, f"others can read {file}, the token of --fault-port: make it mode 600")
            token = file.read_text("ascii").strip()
        except (OSError, ValueError) as error:
            process.fail(PROG, f"cannot read the token of --fault-port in {file}: {error}")
    if len(token) < SHORTEST_TOKEN:
        process.fail(
            PROG,
            f"--fault-port needs a token of at least {SHORTEST_TOKEN} characters, in --fault-token-file or ${TOKEN}",
        )
    return token


def _guarded(keep: Callable[[], None]) -> Callable[[], NoReturn]:
    """A thread's work whose failure ends the process."""

    def work() -> NoReturn:
        try:
            keep()
        except BaseException:  # noqa: BLE001 - whatever it was, the faults that last would never end
            traceback.print_exc()
        os._exit(EXIT_KEEPER)

    return work
