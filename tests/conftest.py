"""Shared by all tests: golden files, and the switch that writes them anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files from what the code makes now")


@pytest.fixture
def golden(request: pytest.FixtureRequest):
    """`golden(path, text)` compares text with a committed file; a missing file fails, unless it is being updated."""

    def compare(path: Path, text: str) -> None:
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.is_file(), f"{path} is missing; write it with --update-golden and read it before you commit"
        assert text == path.read_text(encoding="utf-8")

    return compare
