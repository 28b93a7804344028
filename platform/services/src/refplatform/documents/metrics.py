"""The document service's /metrics: what each client got, observed at the moment when its request ends."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

BUCKETS: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0)
"""Seconds. Every bound that an SLO promises is an edge: between two edges nothing can be counted."""

OUTCOMES: Final = ("stored", "unchanged", "rejected", "failed", "cancelled")
"""`stored` is the only good end of processing. `unchanged` was there already: nothing was processed, so it proves
nothing. `rejected` is the client's fault, `cancelled` a client that left."""
ANSWERS: Final = ("ok", "rejected", "failed", "cancelled")
OPERATIONS: Final = ("search", "read", "delete")
ATTEMPTS: Final = ("ok", "unavailable", "connection", "timeout", "refused", "malformed", "cancelled")


class DocumentsMetrics:
    """All series of the service, in a registry of its own; each exists as 0 from the start."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self._documents = Counter("documents", "Documents sent, by how it ended.", ("outcome",), registry=registry)
        self._seconds = Histogram(
            "documents_processing_seconds",
            "From a document's last byte to the end of its answer.",
            ("outcome",),
            buckets=BUCKETS,
            registry=registry,
        )
        self._chunks = Counter("documents_chunks", "Passages stored.", registry=registry)
        self._requests = Histogram(
            "documents_request_seconds",
            "Everything else that is asked.",
            ("operation", "outcome"),
            buckets=BUCKETS,
            registry=registry,
        )
        self._attempts = Counter("documents_embedding_attempts", "Tries to embed.", ("result",), registry=registry)
        self.in_progress = Gauge("documents_in_progress", "Requests begun and not ended.", registry=registry)
        self.config = Gauge(
            "documents_config_last_reload_successful", "0 while the keys of before hold.", registry=registry
        )
        self.config.set(1)
        self._begin_at_zero()

    def processed(self, outcome: str, seconds: float, chunks: int) -> None:
        """A document's request has ended: counter and histogram move together, so that they agree at any scrape."""
        self._documents.labels(outcome).inc()
        self._seconds.labels(outcome).observe(seconds)
        self._chunks.inc(chunks)

    def answered(self, operation: str, outcome: str, seconds: float) -> None:
        """Another request has ended."""
        self._requests.labels(operation, outcome).observe(seconds)

    def attempt(self, result: str) -> None:
        """A try to embed has ended."""
        self._attempts.labels(result).inc()

    def _begin_at_zero(self) -> None:
        for outcome in OUTCOMES:
            self._documents.labels(outcome)
            self._seconds.labels(outcome)
        for operation in OPERATIONS:
            for outcome in ANSWERS:
                self._requests.labels(operation, outcome)
        for result in ATTEMPTS:
            self._attempts.labels(result)
