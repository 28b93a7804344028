"""`noisy_tenant`: one tenant asks twenty times as often as another, and for all that it is given."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from holdfast.faults.ways.crowd import MOST_A_SECOND, CrowdFault, Often, saying


class Options(Often):
    """Who comes, how often, for how much."""

    rate: float = Field(120.0, gt=0, le=MOST_A_SECOND, description="new clients a second")
    prompt_tokens: int = Field(100, ge=1, le=100_000, description="about as many tokens a prompt")
    answer_tokens: int = Field(50, ge=1, le=10_000, description="tokens an answer")


class NoisyTenant(CrowdFault):
    """Seen to bite once one was answered or told 429."""

    title: ClassVar = "beside a noisy tenant"
    Options: ClassVar[type[Often]] = Options
    manner: ClassVar = "ask"
    proof: ClassVar = ("answered", "refused")
    words: ClassVar = saying(
        "start clients of {tenant} that ask {rate} times a second",
        "the platform answered some of them, with 200 or 429",
    )


FAULT = NoisyTenant()
