"""The command line that starts Locust with one profile; all is said, so no stray config file changes the load."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from holdfast.spec.options import OPTIONS, show_seconds

if TYPE_CHECKING:
    from pathlib import Path

    from holdfast.model.load import LoadProfile


def command(
    profile: LoadProfile,
    *,
    locustfile: Path,
    host: str,
    records: Path,
    seed: int,
    length: float,
    epoch: float | None,
    python: str,
) -> list[str]:
    """Arguments for a headless Locust, which forks the profile's workers if there are several; start it in the root.

    `length` is the schedule's in seconds, `epoch` its time zero in seconds of CLOCK_MONOTONIC (None: soon after start).
    The API key is not among them: it travels in the environment, as HOLDFAST_API_KEY.
    """
    face = ["--headless", "--only-summary", "--loglevel", "WARNING", "--spawn-rate", "1"]
    run = ["--seed", str(seed), "--length", show_seconds(length), "--records", str(records)]
    return [
        *(python, "-m", "locust", "--locustfile", str(locustfile), "--host", host, "--profile", profile.name),
        *face,
        *(_meeting_place() if profile.workers > 1 else []),
        *_profile_options(profile),
        *run,
        *(["--epoch", repr(epoch)] if epoch is not None else []),
    ]


def _meeting_place() -> list[str]:
    """Where workers find their master: on this machine only, and not where another run's do."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    return ["--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--master-port", port]


def _profile_options(profile: LoadProfile) -> list[str]:
    words: list[str] = []
    for option in OPTIONS:
        value = getattr(profile, option.field) if option.field else None
        if value is not None:
            words += [f"--{option.key}", option.show(value)]
    return words
