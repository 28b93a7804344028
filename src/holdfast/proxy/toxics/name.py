"""`name`: who asks for the address of this way is told that there is none, that it cannot be told, or nothing."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from holdfast.proxy.toxics.base import Toxic


class Name(Toxic):
    """Of the names of the proxy itself (RFC 1035); connections that are there, or come by address, notice nothing."""

    passive: ClassVar[bool] = True
    answer: Literal["nxdomain", "servfail", "silence"] = Field("silence", description="what is said")


TOXIC = Name
