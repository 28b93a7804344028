"""A retry budget: retries are a share of requests plus a small floor, so that an outage cannot double the load."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class RetryBudget:
    """A token bucket: each request puts `ratio` in, time puts `floor` in a second, each retry takes one out."""

    ratio: float = 0.2
    floor: float = 0.5
    capacity: float = 10.0
    tokens: float = 10.0
    refilled: float = 0.0

    def deposit(self) -> None:
        """A request has come."""
        self.tokens = min(self.capacity, self.tokens + self.ratio)

    def withdraw(self, now: float) -> bool:
        """Whether a retry may be made at `now` (seconds of any steady clock)."""
        self.tokens = min(self.capacity, self.tokens + max(0.0, now - self.refilled) * self.floor)
        self.refilled = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True
