"""The one table of defaults: [tool.holdfast] in the project's pyproject.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from holdfast.errors import UsageError
from holdfast.spec.source import did_you_mean

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Folders, relative to the project."""

    state: str = ".holdfast"
    runs: str = "runs"


def read(root: Path) -> Settings:
    """The project's settings. Raises UsageError for an unknown key or a value that is not text."""
    path = root / "pyproject.toml"
    if not path.exists():
        return Settings()
    try:
        tools = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from error
    table = tools.get("holdfast", {}) if isinstance(tools, dict) else {}
    if not isinstance(table, dict):
        raise UsageError(f"{path}: [tool.holdfast] must be a table")
    known = {one.name for one in fields(Settings)}
    for key, value in table.items():
        if key not in known:
            raise UsageError(f"{path}: unknown key {key!r} in [tool.holdfast]", hint=did_you_mean(key, known))
        if not isinstance(value, str):
            raise UsageError(f"{path}: {key} in [tool.holdfast] must be text")
    return Settings(**table)
