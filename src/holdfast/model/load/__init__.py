"""What load is offered, and exactly when: a profile, and the schedule that a seed makes of it."""

from holdfast.model.load.arrival import Arrival, Part, TraceRow
from holdfast.model.load.lengths import LengthPoint
from holdfast.model.load.profile import ARRIVALS, LoadProfile, ProfileError, describe, mean_rate, pace
from holdfast.model.load.schedule import Schedule, schedule, shard

__all__ = [
    "ARRIVALS",
    "Arrival",
    "LengthPoint",
    "LoadProfile",
    "Part",
    "ProfileError",
    "Schedule",
    "TraceRow",
    "describe",
    "mean_rate",
    "pace",
    "schedule",
    "shard",
]
