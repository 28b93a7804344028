"""How every service of this platform starts, says that it cannot, and stops: one copy for the three of them."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import math
import signal
import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

import prometheus_client
import uvicorn
import uvloop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

EXIT_USAGE: Final = 2
EXIT_TEMPORARY: Final = 75
"""EX_TEMPFAIL of sysexits.h: a port is taken, trying again may help."""

KEEP_ALIVE_SECONDS: Final = 75
"""Longer than the gateway's client keeps a connection, so that an idle one is never closed under a request."""

LAST_REQUESTS_SECONDS: Final = 0.2
"""Time for connections accepted just before a stop to bring their request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """An ASGI application and the bound socket that it answers on."""

    app: Any
    sock: socket.socket


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What runs in one process: the first listener carries the traffic and drains first, the others end after it."""

    listeners: tuple[Listener, ...]
    background: tuple[Callable[[], Awaitable[None]], ...] = ()
    on_stop: Callable[[], None] = lambda: None
    drain_seconds: float = 10.0


class _Server(uvicorn.Server):
    """Uvicorn without its signal handling, which would end the process by the signal instead of with 0.

    And with a pause after the last accept: uvicorn closes connections that have not yet brought their request.
    """

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listener in (*self.servers, *(sockets or ())):
            listener.close()
        await asyncio.sleep(LAST_REQUESTS_SECONDS)
        await super().shutdown(sockets)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong without all options before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"{self.prog}: {message}; see --help\n")


def parser(*, prog: str, about: str, example: str) -> argparse.ArgumentParser:
    """An argument parser whose help ends with an example that can be pasted."""
    return _Parser(
        prog=f"python -m {prog}",
        description=about,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def seconds(text: str) -> float:
    """An option's time: finite, not negative. Raises argparse.ArgumentTypeError."""
    return _number(text, lambda value: 0 <= value < math.inf, "seconds, 0 or more")


def factor(text: str) -> float:
    """An option's factor: finite, more than nothing. Raises argparse.ArgumentTypeError."""
    return _number(text, lambda value: 0 < value < math.inf, "a number above 0")


def share(text: str) -> float:
    """An option's share of something: more than nothing, at most all. Raises argparse.ArgumentTypeError."""
    return _number(text, lambda value: 0 < value <= 1, "a share, above 0 and at most 1")


def count(text: str) -> int:
    """An option's number of things, 1 or more. Raises argparse.ArgumentTypeError."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of at least 1, got {text!r}")
    return int(text)


def name(text: str) -> str:
    """An option's name, which is not empty. Raises argparse.ArgumentTypeError."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f"expected a name, got {text!r}")
    return text


def _number(text: str, right: Callable[[float], bool], wanted: str) -> float:
    with contextlib.suppress(ValueError):
        if right(value := float(text)):
            return value
    raise argparse.ArgumentTypeError(f"expected {wanted}, got {text!r}")


def fail(prog: str, message: str, *, code: int = EXIT_USAGE) -> NoReturn:
    """End the process with one line on standard error."""
    sys.stderr.write(f"{prog}: {message}\n")
    raise SystemExit(code)


def bind(prog: str, host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A bound socket, not listening yet, or exit 75 with one line; `shared` lets replicas bind one address."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        fail(prog, f"cannot listen on {host}:{port}: {error.strerror or error}", code=EXIT_TEMPORARY)
    except OverflowError:
        sock.close()
        fail(prog, f"cannot listen on {host}:{port}: a port is 0 to 65535")
    return sock


def _is_news(record: logging.LogRecord) -> bool:
    """Not the traceback of a request that is cut off at the end of the drain: uvicorn says how many there are."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def serve(service: Service) -> None:
    """Run until SIGTERM or SIGINT, drain, return; a background coroutine that ends or raises ends the process."""
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
    gc.collect()
    gc.freeze()  # what start-up made lives for ever: no collector pause should walk it
    uvloop.run(_serve(service))


async def _serve(service: Service) -> None:
    servers = [_server(listener, service.drain_seconds) for listener in service.listeners]
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _stop, servers[0], service.on_stop)
    front, *rest = [
        asyncio.create_task(server.serve(sockets=[listener.sock]))
        for server, listener in zip(servers, service.listeners, strict=True)
    ]
    background = [asyncio.ensure_future(work()) for work in service.background]
    await asyncio.wait([front, *background], return_when=asyncio.FIRST_COMPLETED)
    died = [task for task in background if task.done()]
    for server in servers[1:]:
        server.should_exit = True
    for task in background:
        task.cancel()
    await asyncio.gather(*rest, *background, return_exceptions=True)
    for task in died:  # silence here would leave a server that answers but does not work
        raise RuntimeError("a background task ended before the service did") from task.exception()
    await front


def _stop(server: uvicorn.Server, on_stop: Callable[[], None]) -> None:
    on_stop()
    server.should_exit = True


def _server(listener: Listener, drain_seconds: float) -> _Server:
    return _Server(
        uvicorn.Config(
            listener.app,
            interface="asgi3",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, round(drain_seconds)),
        )
    )
