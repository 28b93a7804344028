"""Starts the fault proxy: `python -m holdfast.proxy --help`."""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import signal
import sys
import time
from random import Random

from holdfast.errors import HoldfastError
from holdfast.proxy import door
from holdfast.proxy.api import Api
from holdfast.proxy.lane import World
from holdfast.proxy.proxies import NoListenerError, Proxy, address


async def serve(host: str, port: int, routes: tuple[tuple[str, str, str], ...], seed: int) -> None:
    """Until SIGTERM or SIGINT. Raises OSError or NoListenerError when a port cannot be had."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    world = World(loop, time.monotonic, Random(seed))
    api = Api(world)
    for name, listen, upstream in routes:
        api.proxies[name] = Proxy(name, listen, upstream, world)
        await api.proxies[name].start()
    server = await door.listen(api, host, port)
    print(f"listening {':'.join(map(str, server.sockets[0].getsockname()[:2]))}", flush=True)
    await over.wait()
    server.close()
    for proxy in api.proxies.values():
        await proxy.end()


def routes(text: str) -> tuple[tuple[str, str, str], ...]:
    """NAME=LISTEN=UPSTREAM, comma-separated."""
    found = tuple(tuple(one.split("=")) for one in text.split(",") if one)
    if any(len(one) != 3 or not all(one) for one in found):  # noqa: PLR2004 - the three parts of a route
        raise argparse.ArgumentTypeError("expected NAME=HOST:PORT=HOST:PORT,…")
    try:
        return tuple(
            (name, listen, upstream) for name, listen, upstream in found if address(listen) and address(upstream)
        )
    except NoListenerError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def main() -> int:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m holdfast.proxy", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="where the API answers (default %(default)s)")
    parser.add_argument("--port", type=int, default=8474, help="port of the API; 0 chooses one (default %(default)s)")
    parser.add_argument("--routes", type=routes, default=(), help="proxies to begin with: NAME=LISTEN=UPSTREAM,…")
    parser.add_argument("--seed", type=int, default=0, help="of jitter, slices and toxicity (default %(default)s)")
    given = parser.parse_args()
    try:
        _run(serve(given.host, given.port, given.routes, given.seed))
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
