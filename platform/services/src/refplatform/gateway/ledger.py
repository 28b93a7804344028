"""What each tenant has used, carried to Redis beside the data plane: late when Redis is away, never lost to a retry.

The queue is one pair of sums for each tenant, so an outage of any length holds no more memory than there are keys.
When requests ended is kept in heaps (freshness.py), as many at most whatever happens.
A batch is written by a script that remembers the batch's name: a write whose answer was lost is not counted twice.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from refplatform.gateway.freshness import Heap, Waiting, late

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis

    from refplatform.gateway.metrics import GatewayMetrics

KEY: Final = "usage:{tenant}"
"""A Redis hash for each tenant with the fields `requests` and `tokens`."""

FLUSH_SECONDS: Final = 0.2
RETRY_SECONDS: Final = 1.0
TIMEOUT_SECONDS: Final = 1.0
LAST_FLUSH_SECONDS: Final = 2.0
REMEMBER_SECONDS: Final = 86400

# What could fail is looked at first: a script that fails half-way has still done the half before.
SCRIPT: Final = """
for i = 2, #KEYS do
  local kind = redis.call('TYPE', KEYS[i]).ok
  if kind ~= 'hash' and kind ~= 'none' then return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' is a ' .. kind) end
end
if redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[1]) then
  for i = 2, #KEYS do
    redis.call('HINCRBY', KEYS[i], 'requests', ARGV[2 * i - 2])
    redis.call('HINCRBY', KEYS[i], 'tokens', ARGV[2 * i - 1])
  end
end
return 1
"""


class LedgerAwayError(Exception):
    """Redis did not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Sums that go to Redis together, under a name that makes a second write harmless; and when they came to be."""

    name: str
    sums: tuple[tuple[str, int, int], ...]
    heaps: tuple[Heap, ...]

    @property
    def requests(self) -> int:
        """Requests in the batch, over all tenants."""
        return sum(requests for _, requests, _ in self.sums)


class Ledger:
    """`add` never waits and never fails; `run` writes for ever, and a last time when it is cancelled.

    `clock` is steady seconds.
    """

    def __init__(self, url: str, metrics: GatewayMetrics, *, clock: Callable[[], float]) -> None:
        self._url = url
        self._metrics = metrics
        self._clock = clock
        self._redis: Redis | None = None
        self._sums: dict[str, tuple[int, int]] = {}
        self._waiting = Waiting()
        self._batch: Batch | None = None
        metrics.watch_ledger(lambda: self.pending, lambda: self.late)

    @property
    def pending(self) -> int:
        """Requests that Redis has not confirmed."""
        waiting = sum(requests for requests, _ in self._sums.values())
        return waiting + (self._batch.requests if self._batch else 0)

    @property
    def late(self) -> int:
        """Those of them that have waited for longer than promised."""
        now = self._clock()
        return self._waiting.late(now) + (late(self._batch.heaps, now) if self._batch else 0)

    def add(self, tenant: str, *, tokens: int, ended: float) -> None:
        """A request of the tenant has ended, with so many tokens."""
        requests, total = self._sums.get(tenant, (0, 0))
        self._sums[tenant] = (requests + 1, total + tokens)
        self._waiting.add(ended)

    async def used(self, tenant: str) -> tuple[int, int]:
        """Requests and tokens of a tenant that Redis has confirmed. Raises LedgerAwayError."""
        if self._redis is None:
            raise LedgerAwayError
        from redis.exceptions import RedisError  # noqa: PLC0415 - see _connect

        try:
            requests, tokens = await _read(self._redis, tenant)
        except (RedisError, OSError, TimeoutError) as error:
            raise LedgerAwayError from error
        return requests, tokens

    async def run(self) -> None:
        """Write what has come every FLUSH_SECONDS; after a failure the same batch again."""
        # Shielded: a stop that comes before the client is there must not lose what has been counted.
        connecting = asyncio.ensure_future(_connect(self._url))
        try:
            redis = self._redis = await asyncio.shield(connecting)
            while True:
                written = await self._flush(redis)
                await asyncio.sleep(FLUSH_SECONDS if written else RETRY_SECONDS)
        finally:
            redis = await connecting
            await self._last_flush(redis)
            await redis.aclose()

    async def _last_flush(self, redis: Redis) -> None:
        try:
            async with asyncio.timeout(LAST_FLUSH_SECONDS):
                while self.pending and await self._flush(redis):
                    pass
        except TimeoutError:
            self._metrics.ledger_errors.inc()

    async def _flush(self, redis: Redis) -> bool:
        from redis.exceptions import RedisError  # noqa: PLC0415 - see _connect

        self._batch = self._batch or self._take()
        if self._batch is None:
            return True
        try:
            await _write(redis, self._batch)
        except (RedisError, OSError, TimeoutError):
            self._metrics.ledger_errors.inc()
            return False
        self._metrics.ledger_written.inc(self._batch.requests)
        now = self._clock()
        for ended, count in self._batch.heaps:
            self._metrics.usage_delay.observe(now - ended, count)
        self._batch = None
        return True

    def _take(self) -> Batch | None:
        if not self._sums:
            return None
        sums = tuple((tenant, requests, tokens) for tenant, (requests, tokens) in self._sums.items())
        self._sums = {}
        return Batch(name=f"usage-batch:{uuid4().hex}", sums=sums, heaps=self._waiting.take())


async def _connect(url: str) -> Redis:
    # The library takes 0.3 s to import; in a thread, so that the data plane answers before that.
    await asyncio.to_thread(import_module, "redis.asyncio")
    from redis.asyncio import Redis  # noqa: PLC0415 - imported above

    return Redis.from_url(url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS)


async def _write(redis: Redis, batch: Batch) -> None:
    keys = [batch.name, *(KEY.format(tenant=tenant) for tenant, _, _ in batch.sums)]
    counts = [count for _, requests, tokens in batch.sums for count in (requests, tokens)]
    await redis.eval(SCRIPT, len(keys), *keys, REMEMBER_SECONDS, *counts)


async def _read(redis: Redis, tenant: str) -> tuple[int, int]:
    found = await redis.hmget(KEY.format(tenant=tenant), ["requests", "tokens"])
    requests, tokens = (int(value or 0) for value in found)
    return requests, tokens
