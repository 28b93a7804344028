"""`poison_prompt`: prompts that are hard to take in: huge, and of text that tokenizers do not like."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from holdfast.faults.ways.crowd import CrowdFault, Often, saying


class Options(Often):
    """Who comes, how often, with how much."""

    rate: float = Field(5.0, gt=0, le=100, description="new clients a second")
    kilobytes: int = Field(64, ge=1, le=16_384, description="KiB a prompt; 8192 are refused unread")


class PoisonPrompt(CrowdFault):
    """Seen to bite once one was answered, whatever the answer; one that was told 401 was not let in."""

    title: ClassVar = "given poisonous prompts"
    Options: ClassVar[type[Often]] = Options
    manner: ClassVar = "poison"
    proof: ClassVar = ("answered", "rejected", "refused")
    words: ClassVar = saying(
        "start clients of {tenant} that send {rate} prompts a second of {kilobytes} KiB of hard text",
        "the platform answered some of them, with 200 or 4xx, but not 401",
    )


FAULT = PoisonPrompt()
