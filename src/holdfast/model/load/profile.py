"""A load profile: how requests arrive, how long they are, and what they share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from holdfast.arrivals import processes, shapes
from holdfast.model.load.mix import read_mix

if TYPE_CHECKING:
    from collections.abc import Iterator

Cache = Literal["share", "bust"]
OTHERS: Final = ("trace", "closed")
"""Arrivals that are no process: the times are the trace's own, or follow from the answers."""
ARRIVALS: Final = (*processes.names(), *OTHERS)


class ProfileError(ValueError):
    """Settings that do not go together: the field to look at, and what to do."""

    def __init__(self, field: str, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.field, self.hint = field, hint


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadProfile:
    """How requests arrive and how long they are; a schedule needs a seed and a length besides.

    `arrivals` is a process with its settings (`holdfast.arrivals.processes`) or "trace"; `rate` is requests per second
    (a trace brings its own), and `shape` what that is multiplied with over time (`holdfast.arrivals.shapes`). `spread`
    is the sigma of the lognormal around both median lengths, `lengths` names a file of measured ones. `speed` divides
    the trace's times, `trace_start` skips that many seconds of it, `trace_bin` is how many seconds one stamp stands for
    (None: as the trace shows). `prompts` names a file of questions. `think` is seconds between the turns of a session,
    `timeout` seconds per request, of which `connect_timeout`, `first_byte_timeout` (None: all) and, between two reads,
    `gap_timeout` (None: all) may pass. `reuse` keeps connections; `ca_file` or `insecure` says whose certificates are
    believed. `endpoint` is what is asked: "chat", "completions", "embeddings", "documents", or a path that gets the
    file `body`; `stream` whether text is to come as it is made. With arrivals "closed", `users` ask again `think`
    seconds after each answer: then nothing is due by a schedule, and rate and shape mean nothing. `workers` processes
    share the load, and the in-flight cap with it. Raises ProfileError, or another ValueError, when no schedule could
    follow from it.
    """

    name: str
    arrivals: str
    rate: float
    prompt_tokens: int
    answer_tokens: int
    spread: float
    trace: str | None
    speed: float
    max_in_flight: int
    timeout: float
    model: str
    trace_start: float = 0.0
    trace_bin: float | None = None
    shape: str = "flat"
    lengths: str | None = None
    prompts: str | None = None
    prefix_tokens: int = 0
    prefix_groups: int = 1
    turns: int = 1
    think: float = 0.0
    cache: Cache = "share"
    tenants: str | None = None
    models: str | None = None
    connect_timeout: float = 5.0
    first_byte_timeout: float | None = None
    gap_timeout: float | None = None
    reuse: bool = True
    ca_file: str | None = None
    insecure: bool = False
    endpoint: str = "chat"
    stream: bool = True
    body: str | None = None
    users: int = 1
    workers: int = 1

    def __post_init__(self) -> None:
        for field in ("rate", "prompt_tokens", "answer_tokens", "speed", "max_in_flight", "timeout", "connect_timeout"):
            _more_than_zero(field, getattr(self, field))
        for field in ("prefix_groups", "turns", "users", "workers"):
            _more_than_zero(field, getattr(self, field))
        for field in ("spread", "trace_start", "prefix_tokens", "think"):
            _not_negative(field, getattr(self, field))
        if self.trace_bin is not None:
            _not_negative("trace_bin", self.trace_bin)
        if self.cache not in get_args(Cache):
            raise ProfileError("cache", f"cache must be {' or '.join(get_args(Cache))}, got {self.cache!r}")
        _named(self)
        for problem in clashes(self):
            raise problem


def _named(profile: LoadProfile) -> None:
    """Raise for a process, shape or mix that cannot be read."""
    if profile.arrivals not in OTHERS:
        processes.read(profile.arrivals)
    shapes.read(profile.shape)
    for mix in (profile.tenants, profile.models):
        if mix is not None:
            read_mix(mix)


def clashes(profile: LoadProfile) -> Iterator[ProfileError]:
    """All settings that do not go together; each by itself may be right."""
    replays = profile.arrivals == "trace"
    if replays and not profile.trace:
        yield ProfileError("arrivals", "arrivals = trace needs a trace file", "add: trace = loadtests/traces/NAME.csv")
    if profile.trace and not replays:
        what = f"a trace is named, but arrivals are {profile.arrivals}"
        yield ProfileError("trace", what, "write arrivals = trace, or leave the trace away")
    if replays:
        brings = {"shape": profile.shape != "flat", "turns": profile.turns > 1}
        brings |= {"lengths": profile.lengths is not None, "prompts": profile.prompts is not None}
        for field in (field for field, is_set in brings.items() if is_set):
            yield ProfileError(field, f"{field} does not go with a trace, which brings its own times and lengths")
    if profile.prefix_groups > 1 and not profile.prefix_tokens:
        yield ProfileError("prefix_groups", "groups share nothing without prefix-tokens", "add: prefix-tokens = 500")
    yield from _wire_clashes(profile)


def _wire_clashes(profile: LoadProfile) -> Iterator[ProfileError]:
    if profile.arrivals == "closed":
        for field in ("shape",) * (profile.shape != "flat") + ("turns",) * (profile.turns > 1):
            what = f"{field} does not go with a closed loop, whose requests come when the answers do"
            yield ProfileError(field, what, "use open arrivals, such as poisson")
    if profile.workers > 1 and profile.arrivals == "closed":
        what = "workers share a schedule, and a closed loop has none"
        yield ProfileError("workers", what, "leave workers away, or use open arrivals, such as poisson")
    if profile.max_in_flight < profile.workers:
        yield ProfileError("workers", f"{profile.workers} workers cannot share max-in-flight {profile.max_in_flight}")
    if profile.insecure and profile.ca_file:
        yield ProfileError("insecure", "insecure believes every certificate, so that ca-file means nothing")
    if profile.body and not profile.endpoint.startswith("/"):
        what = f"a body is sent to a path, and endpoint is {profile.endpoint}"
        yield ProfileError("body", what, "write endpoint = /the/path")


def _more_than_zero(field: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ProfileError(field, f"{field} must be more than zero, got {value}")


def _not_negative(field: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ProfileError(field, f"{field} must not be negative, got {value}")


def mean_rate(profile: LoadProfile, length: float) -> float | None:
    """Requests per second over a run of `length` seconds, on average over all seeds; None for a trace."""
    if profile.arrivals in OTHERS:
        return None
    return profile.rate * shapes.read(profile.shape).area(length) / length


def pace(profile: LoadProfile) -> str:
    """How requests come, in a few words: "poisson, 12/s"."""
    if profile.arrivals == "closed":
        return f"closed loop of {profile.users} users who ask again {profile.think:g}s after each answer"
    if profile.arrivals == "trace":
        start = f" from its second {profile.trace_start:g}" if profile.trace_start else ""
        return f"replays {profile.trace}{start} at {profile.speed:g} times its speed"
    shaped = f" times {profile.shape}" if profile.shape != "flat" else ""
    return f"{profile.arrivals}, {profile.rate:g}/s{shaped}"


def describe(profile: LoadProfile) -> str:
    """The profile as one sentence."""
    told = [pace(profile), *_lengths(profile), *_sharing(profile)]
    models = f"models {profile.models}" if profile.models else f"model {profile.model}"
    return (
        f"{profile.name}: {', '.join(told)}, at most {profile.max_in_flight} in flight, "
        f"each given up after {profile.timeout:g}s, {models}."
    )


def _lengths(profile: LoadProfile) -> Iterator[str]:
    if profile.lengths:
        yield f"lengths as in {profile.lengths}"
    elif profile.arrivals != "trace":
        yield (
            f"prompts of about {profile.prompt_tokens} and answers of about {profile.answer_tokens} tokens "
            f"(lognormal, sigma {profile.spread:g})"
        )
    if profile.prompts:
        yield f"questions from {profile.prompts}"


def _sharing(profile: LoadProfile) -> Iterator[str]:
    if profile.prefix_tokens:
        yield f"{profile.prefix_groups} system prompts of {profile.prefix_tokens} tokens"
    if profile.turns > 1:
        yield f"sessions of {profile.turns} turns, {profile.think:g}s apart"
    if profile.cache == "bust":
        yield "no prefix shared"
    if profile.tenants:
        yield f"tenants {profile.tenants}"
