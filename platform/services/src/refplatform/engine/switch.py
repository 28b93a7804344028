"""A running engine takes another version of its model, or keeps the one it has: there is nothing between the two.

What takes long, reading every byte and `--load-seconds`, happens beside the traffic. Then nobody new is taken (503 with
Retry-After), those under way end or are aborted, and after `--switch-seconds` the other version is served. The one
before stays in the host's memory, so that switching back reads nothing. Whatever goes wrong leaves the engine with what
it had.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Final, Literal

from prometheus_client import Counter, Gauge
from pydantic import Field

from refplatform.engine.calibration import read_calibration
from refplatform.engine.scheduler import BLOCK_TOKENS
from refplatform.engine.wire.errors import BadAskError
from refplatform.engine.wire.read import Body
from refplatform.store.reference import Reference, StoreError, read_reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

    from refplatform.engine.calibration import Calibration
    from refplatform.engine.live import LiveEngine
    from refplatform.engine.models import Models
    from refplatform.engine.weights import Weights
    from refplatform.store import Manifest

PATH: Final = "/admin/model"
CONFLICT: Final = 409
LONGEST_WAIT: Final = 3600.0


class SwitchBody(Body):
    """Which version, by what digest it must have, and what becomes of requests under way."""

    model: str
    digest: str | None = None
    in_flight: Literal["wait", "abort"] = "wait"
    wait_seconds: Annotated[float, Field(ge=0, le=LONGEST_WAIT)] = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds to bring weights into the host's memory, and to put those that are there in the place of others."""

    load: float = 0.0
    switch: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version that was read and found right, and how fast it is."""

    manifest: Manifest
    calibration: Calibration

    @property
    def name(self) -> str:
        """As one would ask for it."""
        return f"{self.manifest.name}@{self.manifest.version}"


class Shown:
    """What /metrics says of the version: which it is, how often it was changed, how long nobody was taken."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ["name", "version", "digest", "quantization"]
        self._info = Gauge(
            "refplatform_engine_model_info", "1 for the version that is served", labels, registry=registry
        )
        self._switches = Counter(
            "refplatform_engine_model_switches", "Switches to another version", ["result"], registry=registry
        )
        for result in ("switched", "refused"):
            self._switches.labels(result)
        self._pause = Gauge(
            "refplatform_engine_model_switch_seconds", "How long the last switch took nobody", registry=registry
        )

    def serve(self, manifest: Manifest) -> None:
        """This version and no other."""
        self._info.clear()
        self._info.labels(manifest.name, manifest.version, manifest.digest, manifest.profile.quantization).set(1)

    def ended(self, result: str, paused: float) -> None:
        """A switch is over."""
        self._switches.labels(result).inc()
        self._pause.set(paused)


class Switch:
    """Which version an engine serves, at first that of `weights`; `adopt` tells who else hangs on its speed."""

    def __init__(
        self,
        engine: LiveEngine,
        models: Models,
        weights: Weights,
        calibration: Calibration,
        *,
        pace: Pace,
        adopt: Callable[[Calibration], None],
        registry: CollectorRegistry,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.serving = Version(manifest=weights.manifest, calibration=calibration)
        self.previous: Version | None = None
        self._engine, self._models, self._weights = engine, models, weights
        self._started = calibration
        self._pace, self._adopt, self._clock = pace, adopt, clock
        self._shown = Shown(registry)
        self._busy = False
        self._serve(self.serving)

    async def to(self, ask: SwitchBody) -> dict[str, object]:
        """Serve the version that is asked for. Raises BadAskError; then the engine serves what it served before."""
        if self._busy:
            raise _refused("a switch to another version is under way")
        self._busy, began, paused = True, self._clock(), 0.0
        try:
            wanted = self._find(ask)
            if wanted.manifest.digest == self.serving.manifest.digest:
                return self.told(changed=False)
            wanted = await self._staged(wanted)
            before, closed = self.serving, self._clock()
            try:
                await self._exchange(wanted, ask)
            finally:
                self._engine.paused = None
                paused = self._clock() - closed
        except BadAskError:
            self._shown.ended("refused", paused)
            raise
        finally:
            self._busy = False
        self.previous = before
        self._shown.ended("switched", paused)
        return self.told(changed=True) | {"seconds": self._clock() - began, "paused_seconds": paused}

    def told(self, **more: object) -> dict[str, object]:
        """What is served, and what would be at once."""
        manifest = self.serving.manifest
        said = {"name": manifest.name, "version": manifest.version, "digest": manifest.digest}
        return {**said, "previous": self.previous.manifest.version if self.previous else None, **more}

    def _find(self, ask: SwitchBody) -> Version:
        """The version of the store that is meant, as it says itself. Raises BadAskError."""
        try:
            reference = read_reference(ask.model)
            self._same_model(reference)
            manifest = self._weights.store.find(reference)
        except StoreError as error:
            raise BadAskError(str(error), status=404, kind="NotFoundError", param="model") from error
        if ask.digest is not None and ask.digest != manifest.digest:
            raise _refused(f"{reference} has the digest {manifest.digest}, not {ask.digest}", param="digest")
        try:
            calibration = read_calibration(self._weights.calibration(manifest))
            return Version(manifest=manifest, calibration=fitted(self._started, calibration))
        except (OSError, ValueError, StoreError) as error:
            raise _refused(f"{reference}: {error}") from error

    def _same_model(self, reference: Reference) -> None:
        served = self.serving.manifest.name
        if reference.name != served:
            raise BadAskError(f"this engine serves versions of {served}, not {reference.name}", param="model")

    async def _staged(self, wanted: Version) -> Version:
        """The version in the host's memory, verified when it was brought there. Raises BadAskError."""
        if self.previous is not None and self.previous.manifest.digest == wanted.manifest.digest:
            return self.previous
        if flaws := await asyncio.to_thread(self._weights.store.verify, wanted.manifest):
            raise _refused(str(flaws[0]))
        await asyncio.sleep(self._pace.load)
        return wanted

    async def _exchange(self, wanted: Version, ask: SwitchBody) -> None:
        self._engine.paused = f"the engine switches to {wanted.name}"
        if ask.in_flight == "abort":
            self._engine.abort_all()
        if left := await self._engine.drained(ask.wait_seconds):
            raise _refused(f"{left} requests were under way after {ask.wait_seconds:g} s; {self.serving.name} goes on")
        await asyncio.sleep(self._pace.switch)
        self._serve(wanted)

    def _serve(self, version: Version) -> None:
        self.serving = version
        self._models.version = version.name
        self._engine.reset_prefix_cache()
        self._engine.adopt(version.calibration)
        self._adopt(version.calibration)
        self._shown.serve(version.manifest)


def fitted(started: Calibration, wanted: Calibration) -> Calibration:
    """The speed of one calibration in the memory and limits of the other, which an engine takes once, at its start.

    Raises ValueError when the weights are larger than the room that was left for them, or the model's context shorter.
    """
    if wanted.weight_bytes > started.weight_bytes:
        raise ValueError(
            f"its weights take {wanted.weight_bytes} bytes, and the engine left {started.weight_bytes} for them when "
            "it started; start it anew"
        )
    if wanted.max_model_len < started.max_model_len:
        raise ValueError(f"its context holds {wanted.max_model_len} tokens, the engine serves {started.max_model_len}")
    return replace(
        wanted,
        max_num_seqs=started.max_num_seqs,
        max_num_batched_tokens=started.max_num_batched_tokens,
        max_num_queued_reqs=started.max_num_queued_reqs,
        max_num_queued_tokens=started.max_num_queued_tokens,
        long_prefill_token_threshold=started.long_prefill_token_threshold,
        max_model_len=started.max_model_len,
        kv_cache_tokens=started.kv_blocks * BLOCK_TOKENS,
        gpu_memory_utilization=started.gpu_memory_utilization,
    )


def _refused(message: str, *, param: str | None = None) -> BadAskError:
    return BadAskError(message, status=CONFLICT, kind="ConflictError", param=param)
