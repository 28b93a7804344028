"""`certificate`: whoever connects from now on is shown a certificate that is not to be believed."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from holdfast.proxy.toxics.base import Toxic


class Certificate(Toxic):
    """Of a way that ends TLS; connections that are there stay as they are, as they do when a certificate expires."""

    passive: ClassVar[bool] = True
    shown: Literal["expired", "other_ca", "other_name"] = Field("expired", description="which")


TOXIC = Certificate
