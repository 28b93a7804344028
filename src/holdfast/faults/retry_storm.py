"""`retry_storm`: clients that do not wait: they leave after a moment and ask again at once, and again."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from holdfast.faults.ways.crowd import CrowdFault, Often, saying


class Options(Often):
    """Who comes, how often, how long they wait, how often they try."""

    patience: float = Field(0.2, gt=0, le=60, description="seconds that they wait for the whole answer")
    tries: int = Field(5, ge=2, le=100, description="times that each asks at most")
    answer_tokens: int = Field(50, ge=1, le=10_000, description="tokens an answer")


class RetryStorm(CrowdFault):
    """Seen to bite once one was let in and left without its answer, or was told 429: then it asks again."""

    title: ClassVar = "in a storm of retries"
    Options: ClassVar[type[Often]] = Options
    manner: ClassVar = "retry"
    proof: ClassVar = ("left", "refused")
    words: ClassVar = saying(
        "start clients of {tenant}, {rate} a second, that ask up to {tries} times, {patience} s apart",
        "some of them were told 429, or had no whole answer in time",
    )


FAULT = RetryStorm()
