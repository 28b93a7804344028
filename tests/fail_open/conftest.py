"""Shared by the fail-open tests: their mark, and everything heavy imported before pytester can forget it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.plugin import gate  # noqa: F401 - imported before pytester, which forgets what it imports

if TYPE_CHECKING:
    import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "guards(tool, defect): what passes elsewhere, and does not pass here")
