"""What passed through each proxy, as Prometheus reads it; names and labels are Toxiproxy's where it has any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from holdfast.proxy.proxies import Proxy

_LABELS = ("direction", "proxy", "listener", "upstream")


class _Bytes:
    """A collector over the proxies as they are now."""

    def __init__(self, proxies: Iterable[Proxy]) -> None:
        self._proxies = tuple(proxies)

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Bytes in and out, and answers struck."""
        for what in ("received", "sent"):
            family = CounterMetricFamily(f"toxiproxy_proxy_{what}_bytes", f"Bytes {what}.", labels=_LABELS)
            for proxy in self._proxies:
                for stream, tally in proxy.tallies.items():
                    family.add_metric((stream, proxy.name, proxy.listen, proxy.upstream), getattr(tally, what))
            yield family
        answers = CounterMetricFamily(
            "holdfast_proxy_answers_struck", "Answers that toxics had something done to.", labels=("proxy", "toxic")
        )
        for proxy in self._proxies:
            for kind, count in sorted(proxy.struck().items()):
                answers.add_metric((proxy.name, kind), count)
        yield answers


def text(proxies: Iterable[Proxy]) -> str:
    """The exposition."""
    registry = CollectorRegistry()
    registry.register(_Bytes(proxies))
    return generate_latest(registry).decode()
