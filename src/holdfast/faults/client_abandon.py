"""`client_abandon`: clients that leave in the middle of their answer."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from holdfast.faults.ways.crowd import CrowdFault, Often, saying


class Options(Often):
    """Who comes, how often, and when they leave."""

    after_tokens: int = Field(5, ge=0, le=1000, description="tokens after which they leave")
    answer_tokens: int = Field(500, ge=1, le=10_000, description="tokens that they had asked for")


class ClientAbandon(CrowdFault):
    """Seen to bite once one has left that had got tokens."""

    title: ClassVar = "left by its clients"
    Options: ClassVar[type[Often]] = Options
    manner: ClassVar = "abandon"
    proof: ClassVar = ("left",)
    words: ClassVar = saying(
        "start clients of {tenant}, {rate} a second, that leave after {after_tokens} of {answer_tokens} tokens",
        "some of them got tokens, and left",
    )


FAULT = ClientAbandon()
