"""What the engine tells about itself while it works, to whoever counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from refplatform.engine.scheduler import Evicted, Sequence, Step
    from refplatform.engine.stream import Stream


class Watcher(Protocol):
    """What the engine tells about itself; in a step `preempted` and `prefix` first, `stepped` last.

    Times are seconds of the engine's clock.
    """

    def watch(self, *, running: Callable[[], float], waiting: Callable[[], float], kv: Callable[[], float]) -> None:
        """Functions that read the gauges; `kv` is a share of one."""

    def stepped(self, step: Step, gained: list[Sequence], /) -> None:
        """A step ended, and these gained a token."""

    def prefix(self, queries_tokens: int, hit_tokens: int, /) -> None:
        """A request was admitted for the first time: tokens looked up in the prefix cache, and found."""

    def first_token(self, stream: Stream, now: float, /) -> None:
        """The first token of a stream."""

    def next_tokens(self, gap: float, count: int, /) -> None:
        """So many later tokens came so long after the one before."""

    def ended(self, stream: Stream, now: float, reason: str, /) -> None:
        """A request ended, with vLLM's `finished_reason`."""

    def refused(self, reason: str, /) -> None:
        """A request was not taken; which limit was reached."""

    def preempted(self, count: int, /) -> None:
        """So many requests lost their blocks."""

    def lora(self, adapters: Collection[str], /) -> None:
        """In each step the adapters of requests that have a token and are to have more."""

    def evicted(self, blocks: Collection[Evicted], /) -> None:
        """These blocks of the KV cache were given to somebody else."""

    def sleep(self, level: int, /) -> None:
        """The engine sleeps at this level; 0 is awake."""
