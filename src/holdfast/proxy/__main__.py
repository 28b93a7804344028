"""Starts the fault proxy: `python -m holdfast.proxy --help`."""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import signal
import sys
import time
from pathlib import Path
from random import Random
from typing import NamedTuple

from holdfast.errors import HoldfastError
from holdfast.proxy import door, names, tls
from holdfast.proxy.api import Api
from holdfast.proxy.lane import World
from holdfast.proxy.proxies import NoListenerError, Proxy, address


class Route(NamedTuple):
    """A proxy to begin with; `secured` is "tls" where clients speak TLS to it."""

    name: str
    listen: str
    upstream: str
    secured: str = ""


async def serve(
    host: str, port: int, routes: tuple[Route, ...], seed: int, *, domain: str = "", certificates: Path = Path()
) -> None:
    """Until SIGTERM or SIGINT. Raises OSError or NoListenerError when a port, or a certificate, cannot be had."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    world = World(loop, time.monotonic, Random(seed), domain)
    api = Api(world)
    for one in routes:
        shown = tls.files(certificates, one.name) if one.secured else None
        made = Proxy(one.name, one.listen, one.upstream, world, certificates=shown)
        api.proxies[one.name] = made
        await made.start()
    server = await door.listen(api, host, port)
    where = server.sockets[0].getsockname()[:2]
    told = await names.listen(domain, api.proxies, *where) if domain else None
    print(f"listening {':'.join(map(str, where))}", flush=True)
    await over.wait()
    server.close()
    if told is not None:
        told.close()
    for proxy in api.proxies.values():
        await proxy.end()


def routes(text: str) -> tuple[Route, ...]:
    """NAME=LISTEN=UPSTREAM, or NAME=LISTEN=UPSTREAM=tls, comma-separated."""
    parts = [one.split("=") for one in text.split(",") if one]
    if any(len(one) not in (3, 4) or not all(one) or one[3:] not in ([], ["tls"]) for one in parts):
        raise argparse.ArgumentTypeError("expected NAME=HOST:PORT=HOST:PORT[=tls],…")
    try:
        return tuple(Route(*one) for one in parts if address(one[1]) and address(one[2]))
    except NoListenerError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def main() -> int:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m holdfast.proxy", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="where the API answers (default %(default)s)")
    parser.add_argument("--port", type=int, default=8474, help="port of the API; 0 chooses one (default %(default)s)")
    parser.add_argument("--routes", type=routes, default=(), help="proxies to begin with: NAME=LISTEN=UPSTREAM[=tls],…")
    parser.add_argument("--domain", default="", help="answer for NAME.DOMAIN of each, by UDP at the API's port")
    parser.add_argument("--certificates", type=Path, default=Path(), help="folder with NAME.KIND.pem, for TLS")
    parser.add_argument("--seed", type=int, default=0, help="of jitter, slices and toxicity (default %(default)s)")
    given = parser.parse_args()
    try:
        more = {"domain": given.domain, "certificates": given.certificates}
        _run(serve(given.host, given.port, given.routes, given.seed, **more))
    except (OSError, HoldfastError) as error:
        print(f"holdfast.proxy: {error}", file=sys.stderr)
        return 1
    return 0


def _run(serving: object) -> None:
    # Twice as fast where it is installed, and the platform's services bring it; nothing needs it.
    if importlib.util.find_spec("uvloop") is None:
        asyncio.run(serving)  # type: ignore[arg-type]
        return
    importlib.import_module("uvloop").run(serving)


if __name__ == "__main__":
    sys.exit(main())
