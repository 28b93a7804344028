"""Which answers a fault touches: by model, tenant, after how many, and by chance that a seed decides."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

from refplatform.engine.faults.fault import parameter

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    from refplatform.engine.wire.ask import Answer

TENANT: Final = b"x-tenant"
"""The header in which the gateway says whose request it is."""
REQUEST: Final = b"x-request-id"


class Pick(BaseModel):
    """A choice of requests. The same seed and the same order of matching requests pick the same ones."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    percent: float = parameter(100.0, "of the requests that match", unit="%", least=0, most=100)
    model: str | None = parameter(None, "name of the model or adapter; none: any", unit="name")
    tenant: str | None = parameter(None, "the gateway's header x-tenant, or without it `user`; none: any", unit="name")
    after: int = parameter(0, "let the first so many requests that match pass", unit="requests", least=0, most=10**9)
    first: int | None = parameter(
        None, "touch only the first so many after those; none: all", unit="requests", least=0, most=10**9
    )
    seed: int = parameter(0, "decides the chance", unit="number")

    def matches(self, answer: Answer, tenant: str | None) -> bool:
        """Whether the request is one of those among which is chosen."""
        return self.model in (None, answer.model, answer.lora) and self.tenant in (None, tenant)

    def strikes(self, number: int, dice: random.Random) -> bool:
        """Whether the request of this number (from 1) is touched; throws the dice in any case."""
        thrown = dice.random() * 100
        last = math.inf if self.first is None else self.after + self.first
        return self.after < number <= last and thrown < self.percent


def header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    """The value of a header, None without it."""
    return next((value.decode("latin-1") for key, value in headers if key == name), None)
