"""Starts one gateway replica: `python -m refplatform.gateway --help`."""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path
from random import SystemRandom
from typing import Final
from urllib.parse import urlsplit
from zlib import crc32

import orjson
import structlog

from refplatform import process
from refplatform.gateway import management
from refplatform.gateway.admin import Admin
from refplatform.gateway.budget import RetryBudget
from refplatform.gateway.fairness import Shares
from refplatform.gateway.health import Health
from refplatform.gateway.keys import Keys, WatchedKeys
from refplatform.gateway.ledger import Ledger
from refplatform.gateway.management import Management
from refplatform.gateway.metrics import GatewayMetrics
from refplatform.gateway.names import Names
from refplatform.gateway.pool import Pool
from refplatform.gateway.proxy import Proxy
from refplatform.gateway.upstream import Upstream, open_session
from refplatform.gateway.ways import Ways, trusting

PROG: Final = "refplatform.gateway"
DRAIN_SECONDS: Final = 10.0


def main() -> None:
    """Read the arguments, bind, serve."""
    args = _arguments()
    log, metrics = _logger(args.name), GatewayMetrics()
    keys = _keys(args.keys, log, metrics)
    shared = process.bind(PROG, args.host, args.port, shared=True)
    private = process.bind(PROG, args.host, args.admin_port)
    gateway = Gateway(args, keys, log, metrics)
    process.serve(
        process.Service(
            listeners=(
                process.Listener(app=gateway.proxy, sock=shared),
                process.Listener(app=gateway.admin, sock=private),
            ),
            background=(gateway.health.run, gateway.ledger.run, gateway.keep_client, keys.run),
            on_stop=gateway.stop,
            drain_seconds=DRAIN_SECONDS,
        )
    )


class Gateway:
    """One replica put together; the client towards engines is made inside the running loop."""

    def __init__(
        self,
        args: argparse.Namespace,
        keys: WatchedKeys,
        log: structlog.typing.FilteringBoundLogger,
        metrics: GatewayMetrics,
    ) -> None:
        self._stopping = False
        self._upstream: Upstream | None = None
        self._metrics = metrics
        self._pool = Pool(
            args.engines,
            failover=args.failover == "on",
            watcher=metrics,
            offset=crc32(args.name.encode()),  # replicas do not all begin with the first engine
        )
        self.ledger = Ledger(args.redis, metrics, clock=time.monotonic)
        self._ways = _ways(args, metrics)
        self.health = Health(self._pool, self._ways, stall_seconds=args.stall_seconds, clock=time.monotonic)
        self.admin = Management(
            {management.ENGINES: management.engines(self._pool)},
            metrics=metrics,
            clock=time.monotonic,
            rest=Admin(name=args.name, ready=self._ready, metrics=metrics),
        )
        self.proxy = Proxy(
            pool=self._pool,
            upstream=self._client,
            keys=keys,
            shares=Shares(args.fair_above),
            budget=RetryBudget(refilled=time.monotonic()),
            metrics=metrics,
            ledger=self.ledger,
            log=lambda fields: log.info("request", **fields),
            clock=time.monotonic,
            rest=Management(
                {management.USAGE: management.usage(self.ledger, keys)},
                metrics=metrics,
                clock=time.monotonic,
                rest=Admin(name=args.name, ready=self._ready),
            ),
        )

    def stop(self) -> None:
        """Say "not ready" from now on."""
        self._stopping = True

    async def keep_client(self) -> None:
        """Hold the client towards engines until the replica ends, then close it."""
        session, fresh = open_session(self._ways), open_session(self._ways, keep=False)
        async with session, fresh:
            self._upstream = Upstream(session, fresh, self._pool, self._metrics, clock=time.monotonic)
            await asyncio.Event().wait()

    def _ready(self) -> bool:
        return not self._stopping and any(engine.ready for engine in self._pool.engines)

    def _client(self) -> Upstream:
        if self._upstream is None:
            raise RuntimeError("a request came before the event loop had started the client")
        return self._upstream


def _logger(name: str) -> structlog.typing.FilteringBoundLogger:
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        logger_factory=structlog.BytesLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger().bind(gateway=name)
    return logger


def _arguments() -> argparse.Namespace:
    parser = process.parser(
        prog=PROG,
        about="One gateway replica; start several with the same --port to share the address.",
        example="python -m refplatform.gateway --port 8000 --admin-port 8100 --engines http://127.0.0.1:8001,"
        "http://127.0.0.1:8002 --keys keys.json --redis redis://127.0.0.1:6379/0 --failover on",
    )
    parser.add_argument("--port", type=int, required=True, help="TCP port of the shared address (SO_REUSEPORT)")
    parser.add_argument(
        "--admin-port", type=int, required=True, help="this replica's own port: /metrics, /engines, /ready"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to answer on (default %(default)s)")
    parser.add_argument("--engines", type=_urls, required=True, help="engine addresses, comma-separated")
    parser.add_argument("--keys", type=Path, required=True, help='JSON file {"key": "tenant"}')
    parser.add_argument("--redis", required=True, help="redis://HOST:PORT/DB of the usage ledger")
    parser.add_argument("--failover", choices=("on", "off"), default="on", help="off: no probe, ejection or retry")
    parser.add_argument(
        "--stall-seconds", type=float, default=5.0, help="silence of an engine that ejects it (default %(default)s)"
    )
    parser.add_argument(
        "--fair-above",
        type=int,
        default=24,
        help="requests in flight above which no tenant gets more than its share (default %(default)s)",
    )
    parser.add_argument(
        "--resolver", type=_server, default=None, help="name server of the engines, HOST:PORT (default: the system's)"
    )
    parser.add_argument(
        "--upstream-ca", default="", help="PEM file of whom alone to believe who an engine is (default: the system's)"
    )
    parser.add_argument("--name", default="gateway-1", help="this replica's name (default %(default)s)")
    return parser.parse_args()


def _urls(text: str) -> tuple[str, ...]:
    urls = tuple(dict.fromkeys(url.strip().rstrip("/") for url in text.split(",") if url.strip()))
    if not urls or not all(urlsplit(url).scheme in ("http", "https") and urlsplit(url).netloc for url in urls):
        raise argparse.ArgumentTypeError("expected comma-separated http:// addresses")
    return urls


def _server(text: str) -> tuple[str, int] | None:
    host, _, port = text.rpartition(":")
    if text and not (host and port.isdigit()):
        raise argparse.ArgumentTypeError("expected HOST:PORT")
    return (host, int(port)) if text else None


def _ways(args: argparse.Namespace, metrics: GatewayMetrics) -> Ways:
    try:
        trust = trusting(Path(args.upstream_ca)) if args.upstream_ca else None
    except OSError as error:
        process.fail(PROG, f"cannot use the authority {args.upstream_ca}: {error}")
    if args.resolver is None:
        return Ways(trust=trust)
    return Ways(Names(args.resolver, metrics.named, clock=time.monotonic, random=SystemRandom()), trust)


def _keys(path: Path, log: structlog.typing.FilteringBoundLogger, metrics: GatewayMetrics) -> WatchedKeys:
    def told(keys: Keys, why: str) -> None:
        metrics.configured(keys.tenants, good=not why)
        log.warning("keys refused", reason=why) if why else log.info("keys taken", tenants=len(keys.tenants))

    try:
        keys = WatchedKeys(path, told)
    except orjson.JSONDecodeError as error:
        process.fail(PROG, f"cannot use the keys {path}: not JSON at line {error.lineno}")
    except (OSError, ValueError) as error:
        process.fail(PROG, f"cannot use the keys {path}: {error}")
    metrics.configured(keys.tenants, good=True)
    return keys


if __name__ == "__main__":
    main()
