"""`slow_reader`: clients that read their answers byte by byte."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from holdfast.faults.ways import crowd


class Options(crowd.Options):
    """Who comes, how many, and how slowly they read."""

    clients_at_once: int = Field(50, ge=1, le=256, description="connections at a time")
    bytes_per_second: float = Field(1.0, gt=0, le=10_000, description="of each connection")
    answer_tokens: int = Field(2000, ge=1, le=10_000, description="tokens that they ask for")


class SlowReader(crowd.CrowdFault):
    """Seen to bite once a byte of an answer was read."""

    title: ClassVar = "read slowly"
    Options: ClassVar[type[crowd.Options]] = Options
    manner: ClassVar = "read_slowly"
    proof: ClassVar = ("bytes",)
    words: ClassVar = crowd.saying(
        "start {clients_at_once} clients of {tenant} that read {bytes_per_second} bytes a second",
        "some of them have read a byte of an answer",
    )


FAULT = SlowReader()
