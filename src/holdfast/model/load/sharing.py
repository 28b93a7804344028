"""What requests have in common: tenants, models, sessions and prefixes, fixed by the seed and a request's number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.arrivals.warp import chance
from holdfast.model.load.arrival import BLOCK, Arrival, Part
from holdfast.model.load.mix import Mix, read_mix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.model.load.profile import LoadProfile
    from holdfast.model.load.schedule import Columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """Turns a number and two lengths into an arrival. `questions` are lengths in tokens."""

    seed: int
    replays: bool
    bust: bool
    prefix_tokens: int
    prefix_groups: int
    questions: tuple[int, ...]
    tenants: Mix
    models: Mix

    @classmethod
    def of(cls, profile: LoadProfile, seed: int, questions: tuple[int, ...]) -> Sharing:
        """What a profile says of it."""
        return cls(
            seed=seed,
            replays=profile.arrivals == "trace",
            bust=profile.cache == "bust",
            prefix_tokens=profile.prefix_tokens,
            prefix_groups=profile.prefix_groups,
            questions=questions,
            tenants=read_mix(profile.tenants) if profile.tenants else Mix(("",), (1.0,)),
            models=read_mix(profile.models) if profile.models else Mix((profile.model,), (1.0,)),
        )

    def arrival(self, columns: Columns, number: int) -> Arrival:
        """Request `number`, whole."""
        chain = _chain(columns, number)
        parts = tuple(self._parts(columns, chain))
        return Arrival(
            number=number,
            due=columns.due[number],
            prompt_tokens=sum(part.tokens for part in parts),
            answer_tokens=columns.answer[number],
            tenant=self.tenants.pick(chance(self.seed, "tenant", chain[0])),
            model=self.models.pick(chance(self.seed, "model", chain[0])),
            session=_session(columns, chain),
            turn=len(chain) - 1,
            parts=parts,
            question=self._question(number),
        )

    def _parts(self, columns: Columns, chain: list[int]) -> Iterator[Part]:
        number = chain[-1]
        own = str(number)
        for place, part in enumerate(self._pieces(columns, chain)):
            if self.bust and place == 0 and part.key != own:
                # One word of its own in front of everything: no prefix of two prompts is the same.
                yield Part(role=part.role, key=own, tokens=1)
            yield part

    def _pieces(self, columns: Columns, chain: list[int]) -> Iterator[Part]:
        number = chain[-1]
        left = columns.prompt[number]
        prefix = min(self.prefix_tokens, left - 1) if self.replays else self.prefix_tokens
        if prefix:
            group = int(chance(self.seed, "group", chain[0]) * self.prefix_groups)
            yield Part(role="system", key=f"g{group}", tokens=prefix)
        for earlier in chain[:-1]:
            yield self._asked(earlier, columns.prompt[earlier])
            yield Part(role="assistant", key=f"{earlier}a", tokens=columns.answer[earlier])
        if columns.shared:
            yield from _of_trace(columns.shared[number], number, left - prefix)
        else:
            yield self._asked(number, left - prefix if self.replays else left)

    def _asked(self, number: int, tokens: int) -> Part:
        question = self._question(number)
        if question is None:
            return Part(role="user", key=str(number), tokens=tokens)
        return Part(role="user", key=f"q{question}", tokens=self.questions[question])

    def _question(self, number: int) -> int | None:
        return int(chance(self.seed, "question", number) * len(self.questions)) if self.questions else None


def _chain(columns: Columns, number: int) -> list[int]:
    """The session's turns up to this one, first to last."""
    chain = [number]
    while columns.previous and (before := columns.previous[chain[-1]]) >= 0:
        chain.append(before)
    return chain[::-1]


def _session(columns: Columns, chain: list[int]) -> str:
    if columns.previous:
        return str(chain[0])
    shared = columns.shared[chain[0]] if columns.shared else ""
    return shared if isinstance(shared, str) else ""


def _of_trace(shared: str | tuple[int, ...], number: int, tokens: int) -> Iterator[Part]:
    """What a row shares with others of its session, or block by block; the rest is its own."""
    if isinstance(shared, str):
        yield Part(role="user", key=f"s{shared}" if shared else str(number), tokens=tokens)
        return
    for block in shared:
        if tokens > 0:
            yield Part(role="user", key=f"b{block}", tokens=min(BLOCK, tokens))
            tokens -= BLOCK
    if tokens > 0:
        yield Part(role="user", key=str(number), tokens=tokens)
