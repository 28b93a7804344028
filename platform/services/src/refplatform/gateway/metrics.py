"""The gateway's /metrics: what each client got, observed at the moment when its request ends."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from refplatform.gateway.exchange import ENDPOINTS, OTHER, outcome_of
from refplatform.gateway.freshness import Ages
from refplatform.gateway.names import LOOKUPS
from refplatform.gateway.pool import CERTIFICATE
from refplatform.gateway.ways import WHY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from refplatform.gateway.exchange import Exchange
    from refplatform.gateway.pool import Engine

BUCKETS: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0)
"""Seconds. Every bound that an SLO promises is an edge: between two edges nothing can be counted."""

COMMON: Final = (
    *(("200", "ok"), ("200", "failed"), ("200", "cancelled"), ("499", "cancelled")),
    *(("400", "rejected"), ("401", "rejected"), ("404", "rejected"), ("413", "rejected"), ("429", "rejected")),
    *(("500", "failed"), ("502", "failed"), ("503", "failed"), ("504", "failed")),
)
"""Pairs of code and outcome that exist as 0 from the start, so that a first failure shows as an increase."""

OUTCOMES: Final = tuple(dict.fromkeys(outcome for _, outcome in COMMON))
ENDINGS: Final = ("complete", "unfinished", "cut", "cancelled")
QUESTIONS: Final = ("engines", "usage")
MOST_TENANTS: Final = 20
"""Tenants that have series of their own; requests of further ones are counted together, as those of OTHER."""
ATTEMPTS: Final = (
    "ok",
    "connect",
    "reset",
    "stall",
    "silent",
    "torn",
    "malformed",
    "unavailable",
    "limited",
    "cancelled",
    "error",
    CERTIFICATE,
)
EJECTIONS: Final = ("connect", "reset", "stall", "probe", "circuit", CERTIFICATE)


class GatewayMetrics:
    """All series of one gateway replica, in a registry of its own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        labels = ("code", "outcome", "endpoint", "tenant")
        self._requests = Counter("gateway_requests", "Requests ended.", labels, registry=registry)
        self._attempts = Counter("gateway_upstream_attempts", "Tries at engines.", ("result",), registry=registry)
        self._ejections = Counter("gateway_ejections", "Engines taken out.", ("engine", "reason"), registry=registry)
        self._ready = Gauge("gateway_engine_ready", "1 when traffic goes there.", ("engine",), registry=registry)
        self._refused = Gauge(
            "gateway_engine_certificate_refused", "1 while it is not believed.", ("engine", "why"), registry=registry
        )
        self._lookups = Counter("gateway_name_lookups", "Questions for an address.", ("result",), registry=registry)
        self._resolved = Gauge(
            "gateway_name_resolved", "1 when the last question gave an address.", ("name",), registry=registry
        )
        self._stale = Gauge(
            "gateway_name_stale", "1 while an address is used that no longer holds.", ("name",), registry=registry
        )
        self._in_flight = Gauge("gateway_in_flight", "Requests begun and not ended.", registry=registry)
        self._tokens = Counter("gateway_tokens", "Content deltas forwarded.", registry=registry)
        self._duration = self._histogram("gateway_request_duration_seconds", "Arrival to end.", "outcome", "tenant")
        self._ttft = self._histogram("gateway_ttft_seconds", "Arrival to first token, counted at the end.", "tenant")
        self._gap = self._histogram(
            "gateway_largest_token_gap_seconds", "Longest wait for a token after the first.", "tenant"
        )
        self._streams = Counter("gateway_streams", "Streams begun and ended.", ("ending", "tenant"), registry=registry)
        self._managed = self._histogram(
            "gateway_management_duration_seconds", "Questions to the gateway itself.", "question", "outcome"
        )
        self.usage_delay = Ages("gateway_usage_delay_seconds", "End of a request until Redis has it.")
        registry.register(self.usage_delay)
        self.ledger_written = Counter("gateway_ledger_requests", "Requests written to Redis.", registry=registry)
        self.ledger_errors = Counter("gateway_ledger_errors", "Writes that Redis did not take.", registry=registry)
        self._config = Gauge(
            "gateway_config_last_reload_successful", "0 while the keys of before hold.", registry=registry
        )
        self._tenants: set[str] = set()
        self._begin_at_zero()
        self.configured((), good=True)

    def began(self) -> None:
        """A request has come in."""
        self._in_flight.inc()

    def attempt(self, result: str) -> None:
        """A try at an engine has ended."""
        self._attempts.labels(result).inc()

    def ended(self, exchange: Exchange, now: float) -> None:
        """A request has ended: counter and histograms move together, so that their counts agree at any scrape."""
        self._in_flight.dec()
        tenant = exchange.tenant if exchange.tenant in self._tenants else OTHER
        self._requests.labels(str(exchange.code), exchange.outcome, exchange.endpoint, tenant).inc()
        self._duration.labels(exchange.outcome, tenant).observe(now - exchange.began)
        if exchange.opened:
            self._streams.labels(exchange.ending, tenant).inc()
        if exchange.first_token is not None:
            self._ttft.labels(tenant).observe(exchange.first_token - exchange.began)
            self._gap.labels(tenant).observe(exchange.gap)

    def configured(self, tenants: Iterable[str], *, good: bool) -> None:
        """These tenants have keys from now on; `good` is whether that is what the newest file says."""
        self._config.set(good)
        for tenant in sorted({"", OTHER, *tenants} - self._tenants):
            if len(self._tenants) < MOST_TENANTS:
                self._tenants.add(tenant)
                self._begin_with(tenant)

    def managed(self, question: str, code: int, seconds: float) -> None:
        """A question to the gateway itself was answered."""
        self._managed.labels(question, outcome_of(code)).observe(seconds)

    def token(self, count: int) -> None:
        """Content deltas were forwarded."""
        self._tokens.inc(count)

    def watch_ledger(self, pending: Callable[[], float], late: Callable[[], int]) -> None:
        """Show how many requests wait for Redis, and count those of them that are late."""
        Gauge("gateway_ledger_pending", "Requests not yet in Redis.", registry=self.registry).set_function(pending)
        self.usage_delay.waiting = late

    def ready(self, engine: Engine) -> None:
        """An engine's readiness changed (or it is new)."""
        self._ready.labels(engine.url).set(engine.ready)
        for reason in EJECTIONS:
            self._ejections.labels(engine.url, reason)
        if engine.url.startswith("https:"):
            self.distrusted(engine)

    def ejected(self, engine: Engine, reason: str) -> None:
        """An engine was taken out."""
        self._ejections.labels(engine.url, reason).inc()

    def distrusted(self, engine: Engine) -> None:
        """Whether an engine's certificate is believed changed."""
        for why in WHY:
            self._refused.labels(engine.url, why).set(engine.distrust == why)

    def named(self, name: str, result: str, stale: bool) -> None:
        """A question for the address of an engine has ended."""
        self._lookups.labels(result).inc()
        self._resolved.labels(name).set(result == "answered")
        self._stale.labels(name).set(stale)

    def _histogram(self, name: str, about: str, *labels: str) -> Histogram:
        return Histogram(name, about, labels, buckets=BUCKETS, registry=self.registry)

    def _begin_with(self, tenant: str) -> None:
        for (code, outcome), endpoint in product(COMMON, (*ENDPOINTS.values(), OTHER)):
            self._requests.labels(code, outcome, endpoint, tenant)
        for outcome in OUTCOMES:
            self._duration.labels(outcome, tenant)
        for ending in ENDINGS:
            self._streams.labels(ending, tenant)
        self._ttft.labels(tenant)
        self._gap.labels(tenant)

    def _begin_at_zero(self) -> None:
        for question, outcome in product(QUESTIONS, ("ok", "rejected", "failed")):
            self._managed.labels(question, outcome)
        for result in ATTEMPTS:
            self._attempts.labels(result)
        for result in LOOKUPS:
            self._lookups.labels(result)
