"""Six ways to be a bad client; each goes on until its process ends, and asks for no more than it was told to."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from holdfast.load.rogue.client import Clients

_QUESTION: Final = "Tell me about the tides. "
_POISON: Final = ("a", "\N{COMBINING ACUTE ACCENT}", "\N{ZERO WIDTH JOINER}", "\N{GRINNING FACE}", "\t \n", "0")
"""What tokenizers find hard: no spaces, marks without letters, joiners, rare signs, white space alone."""


async def ask(clients: Clients, *, rate: float, prompt_tokens: int, answer_tokens: int, model: str) -> None:
    """`rate` ordinary questions a second."""
    prompt = _QUESTION * max(1, prompt_tokens // 6)

    async def one() -> None:
        await clients.ask(prompt, tokens=answer_tokens, model=model)

    await clients.every(rate, one)


async def abandon(clients: Clients, *, rate: float, after_tokens: int, answer_tokens: int, model: str) -> None:
    """`rate` clients a second that leave in the middle of their answer."""

    async def one() -> None:
        await clients.ask(_QUESTION, tokens=answer_tokens, model=model, leave_after=after_tokens)

    await clients.every(rate, one)


async def read_slowly(
    clients: Clients, *, clients_at_once: int, bytes_per_second: float, answer_tokens: int, model: str
) -> None:
    """So many connections, each read byte by byte; who is served comes again."""

    async def one() -> None:
        while True:
            await clients.ask(_QUESTION, tokens=answer_tokens, model=model, pace=bytes_per_second, small=True)
            await asyncio.sleep(1)

    for _ in range(clients_at_once):
        clients.come(one())
    await asyncio.Event().wait()


async def poison(clients: Clients, *, rate: float, kilobytes: int, model: str) -> None:
    """`rate` prompts a second of so many kilobytes each, each of another kind of hard text."""
    signs = itertools.cycle(_POISON)

    async def one() -> None:
        sign = next(signs)
        await clients.ask(sign * (kilobytes * 1024 // len(sign.encode())), tokens=1, model=model)

    await clients.every(rate, one)


async def retry(clients: Clients, *, rate: float, patience: float, tries: int, answer_tokens: int, model: str) -> None:
    """`rate` clients a second that wait `patience` seconds for the whole answer, then leave and ask again at once."""

    async def one() -> None:
        for number in range(tries):
            clients.counts["retried"] += number > 0
            try:
                async with asyncio.timeout(patience):
                    if await clients.ask(_QUESTION, tokens=answer_tokens, model=model):
                        return
            except TimeoutError:
                continue

    await clients.every(rate, one)
