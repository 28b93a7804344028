"""What a kind of GPU can do: the numbers of its data sheet, and the slices that MIG cuts it into."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MIG_COMPUTE_SLICES: Final = 7
_PROFILE: Final = re.compile(r"([1-7])g\.(\d+)gb(\+me|\.me)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Memory in MiB, bandwidth in bytes/s, peak in dense bfloat16 operations/s, power in W, clocks in MHz."""

    model: str
    memory: int
    reserved: int
    bandwidth: float
    peak: float
    power: float
    idle_power: float
    sm_clock: int
    idle_sm_clock: int
    memory_clock: int


SPECS: Final = {
    "h100": Spec(
        model="NVIDIA H100 80GB HBM3",
        memory=81559,
        reserved=551,
        bandwidth=3.35e12,
        peak=989e12,
        power=700,
        idle_power=70,
        sm_clock=1980,
        idle_sm_clock=345,
        memory_clock=2619,
    ),
    "a100": Spec(
        model="NVIDIA A100-SXM4-80GB",
        memory=81920,
        reserved=650,
        bandwidth=2.039e12,
        peak=312e12,
        power=400,
        idle_power=55,
        sm_clock=1410,
        idle_sm_clock=210,
        memory_clock=1593,
    ),
    "l40s": Spec(
        model="NVIDIA L40S",
        memory=46068,
        reserved=600,
        bandwidth=0.864e12,
        peak=362e12,
        power=350,
        idle_power=35,
        sm_clock=2520,
        idle_sm_clock=210,
        memory_clock=9001,
    ),
}
"""Bandwidth, peak and power are NVIDIA's data sheets'; reserved memory and idle values are what such cards show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One MIG instance: its number, its profile, its share of the multiprocessors, and its memory in MiB."""

    number: int
    profile: str
    compute: float
    memory: int


def slices(profiles: tuple[str, ...], spec: Spec) -> tuple[Slice, ...]:
    """The instances that a device is cut into. Raises ValueError for a profile that is none, or more than fits."""
    found = []
    for number, profile in enumerate(profiles, start=1):
        match = _PROFILE.fullmatch(profile)
        if match is None:
            raise ValueError(f"{profile!r} is no MIG profile; one looks like 3g.40gb")
        memory = int(match[2]) * 1024
        found.append(Slice(number=number, profile=profile, compute=int(match[1]) / MIG_COMPUTE_SLICES, memory=memory))
    if sum(one.compute for one in found) > 1 + 1e-9:
        raise ValueError(f"{', '.join(profiles)}: more than {MIG_COMPUTE_SLICES} slices")
    if sum(one.memory for one in found) > spec.memory * 1.05:  # a profile's name rounds its memory up
        raise ValueError(f"{', '.join(profiles)}: more memory than the {spec.memory} MiB of a {spec.model}")
    return tuple(found)
