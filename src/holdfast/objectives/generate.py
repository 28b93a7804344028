"""Rule files of our own from SLO files."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from holdfast.errors import UsageError
from holdfast.model.slo import AlertPolicy
from holdfast.objectives.destinations import all_read
from holdfast.slo.files.read import read_slos
from holdfast.slo.rules import rule_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from holdfast.errors import Problem
    from holdfast.model.slo import Slo
    from holdfast.objectives.destinations import Place


def rule_files(root: Path) -> dict[str, str]:
    """Prometheus rule files by name, one per file in slos/. Raises SpecError."""
    from holdfast import project  # noqa: PLC0415 - imported where it is needed

    project.load_slos(root)
    today = datetime.now(UTC)
    files = sorted((root / "slos").glob("*.yaml"))
    slos = {file.name: read_slos(file.read_text(encoding="utf-8"), file.name)[0] for file in files}
    return {name: rule_file(found, today) for name, found in slos.items()}


def native_files(
    places: Sequence[Place], today: datetime, *, labels: Mapping[str, str], alerts: bool
) -> dict[Path | None, str]:
    """The rules of every file by where they go. Raises SpecError and UsageError; nothing is written here."""

    def read(text: str, file: str) -> tuple[str, list[Problem]]:
        slos, problems = read_slos(text, file)
        if not slos and not problems:
            raise UsageError(f"{file} has no SLO")
        return rule_file([_changed(slo, labels, alerts=alerts) for slo in slos], today), problems

    return all_read(places, read)


def _changed(slo: Slo, labels: Mapping[str, str], *, alerts: bool) -> Slo:
    changed = replace(slo, labels={**slo.labels, **labels})
    silent = AlertPolicy(disabled=True)
    return changed if alerts else replace(changed, page=silent, ticket=silent)
