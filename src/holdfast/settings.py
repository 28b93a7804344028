"""The one table of defaults: [tool.holdfast] in the project's pyproject.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from holdfast.errors import UsageError
from holdfast.spec.source import did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

FREEZE: Final = "freeze"
"""The one table inside the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Folders, relative to the project, and the command vllm where it is not on PATH."""

    state: str = ".holdfast"
    runs: str = "runs"
    vllm: str = ""


def read(root: Path) -> Settings:
    """The project's settings. Raises UsageError for an unknown key or a value that is not text."""
    path, table = root / "pyproject.toml", _table(root)
    known = {one.name for one in fields(Settings)}
    for key, value in table.items():
        if key not in known | {FREEZE}:
            raise UsageError(f"{path}: unknown key {key!r} in [tool.holdfast]", hint=did_you_mean(key, known))
        if key != FREEZE and not isinstance(value, str):
            raise UsageError(f"{path}: {key} in [tool.holdfast] must be text")
    return Settings(**{key: value for key, value in table.items() if key != FREEZE})


def freeze_table(root: Path) -> dict[str, Any] | None:
    """The freeze policy as written, None without one; `holdfast.freeze` reads it. Raises UsageError as `read` does."""
    table = _table(root).get(FREEZE)
    if table is not None and not isinstance(table, dict):
        raise UsageError(f"{root / 'pyproject.toml'}: [tool.holdfast.freeze] must be a table")
    return table


def _table(root: Path) -> dict[str, Any]:
    path = root / "pyproject.toml"
    if not path.exists():
        return {}
    try:
        tools = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from error
    table = tools.get("holdfast", {}) if isinstance(tools, dict) else {}
    if not isinstance(table, dict):
        raise UsageError(f"{path}: [tool.holdfast] must be a table")
    return table
