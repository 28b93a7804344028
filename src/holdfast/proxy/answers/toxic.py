"""What a toxic of answers is: which requests it picks, and what becomes of each. Files of `toxics` beside the others.

A request that is picked is answered by the toxic itself, or kept from the upstream, or its answer has another shape.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from http import HTTPStatus
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from holdfast.proxy.toxics.base import Piece, Stage, Toxic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_PATHS: Final = (b"/v1/chat/completions", b"/v1/completions")
"""Where answers come from that tokens are made for."""
_TENANT: Final = b"x-tenant"


class Ask(NamedTuple):
    """One request. Names of headers are in small letters."""

    method: bytes
    path: bytes
    headers: Mapping[bytes, bytes]
    body: bytes

    @property
    def asked(self) -> dict[str, Any]:
        """The body, if it is a JSON object."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class Event(NamedTuple):
    """One server-sent event as it came, with the empty line that ends it. `token` says that it brings some text."""

    data: bytes
    token: bool = False

    @property
    def done(self) -> bool:
        """The end mark."""
        return self.data.strip() == b"data: [DONE]"


class Shape:
    """What becomes of one answer. This one changes nothing; `hit` is to be called when something is done to it."""

    def __init__(self, hit: Callable[[], None]) -> None:
        self.hit = hit

    def event(self, event: Event, now: float) -> Iterable[Piece]:
        """One event of a stream."""
        return (Piece(now, event.data),)

    def whole(self, body: bytes, now: float) -> Iterable[Piece]:
        """The body of an answer that is no stream."""
        return (Piece(now, body),)


class Pick(BaseModel):
    """Which requests are touched: by all of these at once."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    percent: float = Field(100.0, ge=0, le=100, description="of the requests that match")
    model: str | None = Field(None, description="that is asked for; none: any")
    tenant: str | None = Field(None, description="as the header x-tenant says; none: any")
    after: int = Field(0, ge=0, description="requests that match and pass first")
    first: int | None = Field(None, ge=0, description="touch only so many after those; none: all")
    seed: int = Field(0, description="decides the chance")

    def matches(self, ask: Ask) -> bool:
        """Whether this is a request among which is chosen."""
        if ask.method != b"POST" or ask.path.partition(b"?")[0] not in _PATHS:
            return False
        tenant = ask.headers.get(_TENANT, b"").decode("latin-1")
        return self.tenant in (None, tenant) and (self.model is None or self.model == ask.asked.get("model"))

    def takes(self, number: int, dice: Random) -> bool:
        """Whether the one of this number (from 1) is touched; throws the dice in any case."""
        thrown = dice.random() * 100
        last = math.inf if self.first is None else self.after + self.first
        return self.after < number <= last and thrown < self.percent


class AnswerToxic(Toxic):
    """Touches the answers that it picks."""

    pick: Pick = Pick.model_validate({})

    swallows: ClassVar[bool] = False
    """Whether a request that is picked never arrives."""

    def instead(self) -> bytes:
        """The whole answer that the upstream is not asked for; empty when it is."""
        return b""

    def shape(self, hit: Callable[[], None]) -> Shape:
        """What becomes of an answer that is picked."""
        return Shape(hit)

    def stage(self, random: Random) -> Stage:
        """A lane by itself is no conversation: `talk.Talk` has a stage for either."""
        raise NotImplementedError


@dataclass(slots=True)
class Picks:
    """What one toxic has met: `struck` counts picked requests to which something was done. As the engine's own door."""

    seed: int
    matched: int = 0
    picked: int = 0
    struck: int = 0
    dice: Random = field(init=False)

    def __post_init__(self) -> None:
        """The same seed and the same order of requests pick the same ones."""
        self.dice = Random(self.seed)

    def takes(self, pick: Pick) -> bool:
        """Whether the next request that matches is picked."""
        self.matched += 1
        taken = pick.takes(self.matched, self.dice)
        self.picked += taken
        return taken

    def told(self) -> dict[str, int]:
        """In numbers."""
        return {"matched": self.matched, "picked": self.picked, "struck": self.struck}


def whole_answer(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """An answer that needs no upstream."""
    told = {**({"content-type": "application/json"} if body else {}), "content-length": str(len(body))}
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in {**told, **(headers or {})}.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body
