"""`noisy_tenant`: one tenant asks twenty times as often as another, and for all that it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from holdfast.faults import spike
from holdfast.faults.ways.crowd import MOST_A_SECOND

if TYPE_CHECKING:
    from holdfast.faults.ways.crowd import Often


class Options(spike.Options):
    """Who comes, how often, for how much."""

    rate: float = Field(120.0, gt=0, le=MOST_A_SECOND, description="new clients a second")


class NoisyTenant(spike.Spike):
    """Seen to bite once one was answered or told 429; a spike, but six times as high."""

    title: ClassVar = "beside a noisy tenant"
    Options: ClassVar[type[Often]] = Options


FAULT = NoisyTenant()
