"""Watches the engines: a probe of each /health on a steady beat, and a look at who has stopped making progress."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import aiohttp

from refplatform.gateway.ways import distrust

if TYPE_CHECKING:
    from collections.abc import Callable

    from refplatform.gateway.pool import Engine, Pool
    from refplatform.gateway.ways import Ways

PROBE_SECONDS: Final = 0.5
PROBE_TIMEOUT: Final = aiohttp.ClientTimeout(total=1.0)
LOOK_SECONDS: Final = 0.25
OWN_PAUSE_SECONDS: Final = 1.0
"""A look that comes later than this means that the gateway was frozen or starved, not the engines."""


class Health:
    """Probes and looks for ever; `clock` is steady seconds."""

    def __init__(self, pool: Pool, ways: Ways, *, stall_seconds: float, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._ways = ways
        self._stall_seconds = stall_seconds
        self._clock = clock

    async def run(self) -> None:
        """One task an engine and one for the looks; without failover there is nothing to do."""
        if not self._pool.failover:
            await asyncio.Event().wait()
        session = aiohttp.ClientSession(connector=self._ways.connector(force_close=True), timeout=PROBE_TIMEOUT)
        async with session, asyncio.TaskGroup() as group:
            group.create_task(self._look())
            for engine in self._pool.engines:
                group.create_task(self._probe(session, engine))

    async def _probe(self, session: aiohttp.ClientSession, engine: Engine) -> None:
        while True:
            try:
                good, refused = await _ask(session, engine.url)
            except aiohttp.ClientConnectorCertificateError as error:
                self._pool.distrusted(engine, distrust(error))
            else:
                self._pool.probed(engine, self._clock(), good=good, refused=refused)
            await asyncio.sleep(PROBE_SECONDS)

    async def _look(self) -> None:
        looked = self._clock()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = self._clock()
            if now - looked > LOOK_SECONDS + OWN_PAUSE_SECONDS:
                self._pool.forgive(now)
            looked = now
            self._pool.end_stalled(now, self._stall_seconds)


async def _ask(session: aiohttp.ClientSession, url: str) -> tuple[bool, bool]:
    """Whether /health answered 200, and whether nobody is there: refused, or reset by what stands before the engine.

    Raises aiohttp.ClientConnectorCertificateError when whoever is there is not believed.
    """
    try:
        async with session.get(f"{url}/health") as response:
            return response.status == 200, False  # noqa: PLR2004
    except aiohttp.ClientConnectorCertificateError:
        raise
    except aiohttp.ClientOSError:
        return False, True
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False, False
