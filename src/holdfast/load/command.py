"""The command line that starts Locust with one profile; all is said, so no stray config file changes the load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.spec.profile import OPTIONS
from holdfast.units import show_duration

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
    """Arguments for one headless Locust process with one user, to be started in the repository root.

    `length` is the schedule's in seconds, `epoch` its time zero in seconds of CLOCK_MONOTONIC (None: soon after start).
    The API key is not among them: it travels in the environment, as HOLDFAST_API_KEY.
    """
    face = ["--headless", "--only-summary", "--loglevel", "WARNING", "--users", "1", "--spawn-rate", "1"]
    run = ["--seed", str(seed), "--length", _seconds(length), "--records", str(records)]
    return [
        *(python, "-m", "locust", "--locustfile", str(locustfile), "--host", host, "--profile", profile.name),
        *face,
        *_profile_options(profile),
        *run,
        *(["--epoch", repr(epoch)] if epoch is not None else []),
    ]


def _profile_options(profile: LoadProfile) -> list[str]:
    words: list[str] = []
    for option in OPTIONS:
        value = getattr(profile, option.field) if option.field else None
        if value is not None:
            text = _seconds(value) if option.field in {"timeout", "trace_start"} else str(value)
            words += [f"--{option.key}", text]
    return words


def _seconds(value: float) -> str:
    """Text that reads back as exactly this many seconds, never rounded for the eye."""
    shown = f"{value:.9f}".rstrip("0").rstrip(".")
    return f"{shown}s" if float(shown) == value else show_duration(value)
