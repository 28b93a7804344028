"""How many tokens each event of a stream brought: as the server said, else one each, else its total spread evenly.

An event is not a token: speculative decoding, and servers that send only every few tokens, pack several into one. Which
tokens came in which event only the server knows. Spreading the total evenly keeps sums true and favours no event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from holdfast.load.sse import REASONING, TOKENS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.load.sse import Answer

Counted = Literal["events", "server", "spread", "apart"]


def spread(answer: Answer) -> tuple[list[int] | None, Counted]:
    """The tokens of every event, None for one of each that brought text; and who counted.

    `events`: the server gave no number. `server`: its numbers are those of the events. `spread`: it counted more than
    the events did, and the rest is spread over them, the last getting what is left over (a token that ends a text often
    has none). `apart`: it counted fewer; the events keep theirs. Tokens of reasoning that is not shown
    (`reasoning_tokens` without an event of it) belong to no event.
    """
    kinds, said, usage = answer.kinds, answer.said, answer.usage or {}
    total = usage.get("completion_tokens")
    events = sum(map(kinds.count, TOKENS))
    if not said and total in {None, events}:
        return None, "events" if total is None else "server"
    if events == 1 and total is not None:
        # All of them came at once.
        return [total if kind in TOKENS else 0 for kind in kinds], "server"
    counts = [said.get(index, 1) if kind in TOKENS else 0 for index, kind in enumerate(kinds)]
    if total is None:
        return counts, "server" if len(said) == events and answer.usage is not None else "events"
    hidden = 0 if REASONING in kinds else usage.get("reasoning_tokens", 0)
    return _filled(counts, total - hidden, split=usage.get("reasoning_tokens", 0), kinds=kinds)


def _filled(counts: list[int], total: int, *, split: int, kinds: str) -> tuple[list[int] | None, Counted]:
    rest = total - sum(counts)
    if rest < 0:
        return counts, "apart"
    if rest == 0 or not any(counts):
        return counts, "server"
    thought = [index for index, kind in enumerate(kinds) if kind == REASONING]
    spoken = [index for index, kind in enumerate(kinds) if kind in TOKENS and kind != REASONING]
    more = split - sum(counts[index] for index in thought)
    if not (thought and spoken and 0 <= more <= rest):
        thought, spoken, more = [], sorted(thought + spoken), 0
    for indexes, amount in ((thought, more), (spoken, rest - more)):
        for index, share in zip(indexes, shares(amount, len(indexes)), strict=True):
            counts[index] += share
    return counts, "spread"


def shares(total: int, parts: int) -> Sequence[int]:
    """A whole number in whole parts that differ by at most one and sum to it."""
    return [(part + 1) * total // parts - part * total // parts for part in range(parts)]
