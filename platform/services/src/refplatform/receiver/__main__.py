"""Starts the receiver: `python -m refplatform.receiver --help`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from refplatform import process
from refplatform.receiver.app import receiver

if TYPE_CHECKING:
    import argparse

PROG: Final = "refplatform.receiver"


def main() -> None:
    """Read the arguments, bind, serve."""
    args = _arguments()
    sock = process.bind(PROG, args.host, args.port)
    try:
        out = args.out.open("ab")
    except OSError as error:
        process.fail(PROG, f"cannot append to {args.out}: {error.strerror}")
    with out:
        app = receiver(out, wall=time.time)
        process.serve(process.Service(listeners=(process.Listener(app=app, sock=sock),), drain_seconds=2.0))


def _arguments() -> argparse.Namespace:
    parser = process.parser(
        prog=PROG,
        about="Receives Alertmanager's webhook and appends one line of NDJSON for each alert.",
        example="python -m refplatform.receiver --port 9095 --out alerts.ndjson",
    )
    parser.add_argument("--port", type=int, required=True, help="TCP port to answer on")
    parser.add_argument("--host", default="127.0.0.1", help="address to answer on (default %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="file to append to")
    return parser.parse_args()


if __name__ == "__main__":
    main()
