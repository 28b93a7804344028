"""Rule files from SLO files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast import project
from holdfast.slo.rules import rule_file
from holdfast.slo.sloth import read_slos

if TYPE_CHECKING:
    from pathlib import Path


def rule_files(root: Path) -> dict[str, str]:
    """Prometheus rule files by name, one per file in slos/. Raises SpecError."""
    project.load_slos(root)
    files = sorted((root / "slos").glob("*.yaml"))
    return {file.name: rule_file(read_slos(file.read_text(encoding="utf-8"), file.name)[0]) for file in files}
