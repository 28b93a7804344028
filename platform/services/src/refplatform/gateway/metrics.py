"""The gateway's /metrics: what each client got, observed at the moment when its request ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

if TYPE_CHECKING:
    from collections.abc import Callable

    from refplatform.gateway.exchange import Exchange
    from refplatform.gateway.pool import Engine

BUCKETS: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0)
COMMON: Final = (
    *(("200", "ok"), ("200", "failed"), ("200", "cancelled"), ("499", "cancelled")),
    *(("400", "rejected"), ("401", "rejected"), ("404", "rejected"), ("413", "rejected")),
    *(("500", "failed"), ("502", "failed"), ("503", "failed"), ("504", "failed")),
)
"""Pairs of code and outcome that exist as 0 from the start, so that a first failure shows as an increase."""

ATTEMPTS: Final = ("ok", "connect", "reset", "stall", "torn", "unavailable", "cancelled", "error")
EJECTIONS: Final = ("connect", "reset", "stall", "probe")


class GatewayMetrics:
    """All series of one gateway replica, in a registry of its own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self._requests = Counter("gateway_requests", "Requests ended.", ("code", "outcome"), registry=registry)
        self._attempts = Counter("gateway_upstream_attempts", "Tries at engines.", ("result",), registry=registry)
        self._ejections = Counter("gateway_ejections", "Engines taken out.", ("engine", "reason"), registry=registry)
        self._ready = Gauge("gateway_engine_ready", "1 when traffic goes there.", ("engine",), registry=registry)
        self._in_flight = Gauge("gateway_in_flight", "Requests begun and not ended.", registry=registry)
        self._tokens = Counter("gateway_tokens", "Content deltas forwarded.", registry=registry)
        self._duration = Histogram(
            "gateway_request_duration_seconds", "Arrival to end.", buckets=BUCKETS, registry=registry
        )
        self._ttft = Histogram(
            "gateway_ttft_seconds", "Arrival to first token, counted at the end.", buckets=BUCKETS, registry=registry
        )
        self.ledger_written = Counter("gateway_ledger_requests", "Requests written to Redis.", registry=registry)
        self.ledger_errors = Counter("gateway_ledger_errors", "Writes that Redis did not take.", registry=registry)
        for code, outcome in COMMON:
            self._requests.labels(code, outcome)
        for result in ATTEMPTS:
            self._attempts.labels(result)

    def began(self) -> None:
        """A request has come in."""
        self._in_flight.inc()

    def attempt(self, result: str) -> None:
        """A try at an engine has ended."""
        self._attempts.labels(result).inc()

    def ended(self, exchange: Exchange, now: float) -> None:
        """A request has ended: counter and histograms move together, so that their counts agree at any scrape."""
        self._in_flight.dec()
        self._requests.labels(str(exchange.code), exchange.outcome).inc()
        self._duration.observe(now - exchange.began)
        if exchange.first_token is not None:
            self._ttft.observe(exchange.first_token - exchange.began)

    def token(self, count: int) -> None:
        """Content deltas were forwarded."""
        self._tokens.inc(count)

    def watch_ledger(self, pending: Callable[[], float]) -> None:
        """Show how many requests wait for Redis."""
        Gauge("gateway_ledger_pending", "Requests not yet in Redis.", registry=self.registry).set_function(pending)

    def ready(self, engine: Engine) -> None:
        """An engine's readiness changed (or it is new)."""
        self._ready.labels(engine.url).set(engine.ready)
        for reason in EJECTIONS:
            self._ejections.labels(engine.url, reason)

    def ejected(self, engine: Engine, reason: str) -> None:
        """An engine was taken out."""
        self._ejections.labels(engine.url, reason).inc()
