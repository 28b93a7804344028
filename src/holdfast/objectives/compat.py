"""Rule files as Sloth makes them, from any files that Sloth reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from holdfast.errors import UsageError
from holdfast.objectives.destinations import all_read
from holdfast.slo.compat.read import Options, read_documents
from holdfast.slo.compat.write import written
from holdfast.slo.files.fields import Labels
from holdfast.slo.files.windows import DEFAULTS, catalogue, prometheus_duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from holdfast.errors import Problem
    from holdfast.model.slo import Tier
    from holdfast.objectives.destinations import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the command line says; `windows` is a folder of catalogues that replaces Sloth's own two."""

    labels: Mapping[str, str]
    period: str
    windows: Path | None
    version: str
    alerts: bool
    recordings: bool


def sloth_files(places: Sequence[Place], choice: Choice) -> dict[Path | None, str]:
    """The rules of every file by where they go. Raises SpecError and UsageError; nothing is written here."""
    options = _options(choice)

    def read(text: str, file: str) -> tuple[str, list[Problem]]:
        documents, problems = read_documents(text, file, options)
        if problems:
            return "", problems
        return written(documents, choice.version, alerts=choice.alerts, recordings=choice.recordings), []

    return all_read(places, read)


def _options(choice: Choice) -> Options:
    tiers = _tiers(choice.windows)
    try:
        period = prometheus_duration(choice.period)
        labels = TypeAdapter(Labels).validate_python(dict(choice.labels), strict=True)
    except ValidationError as error:
        raise UsageError(f"--labels: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error
    except ValueError as error:
        raise UsageError(f"--period: {error}") from error
    if period not in tiers:
        raise UsageError(f"no alert windows for a period of {choice.period}", hint="--windows names a folder of them")
    return Options(tiers=tiers, period=period, labels=labels, version=choice.version)


def _tiers(folder: Path | None) -> dict[float, tuple[Tier, ...]]:
    if folder is None:
        return {one.period: one.tiers for one in DEFAULTS}
    if not folder.is_dir():
        raise UsageError(f"no such folder: {folder}")
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".yaml", ".yml") and path.is_file())
    return catalogue((path.read_text(encoding="utf-8"), str(path)) for path in files)
