"""Parts of documents that are made from the code: compared, or written anew with --update-golden."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def part(request: pytest.FixtureRequest):
    """`part(path, start, end, text)`: what stands between two marks in a document is exactly `text`."""

    def compare(path: Path, start: str, end: str, text: str) -> None:
        whole = path.read_text(encoding="utf-8")
        before, mark, rest = whole.partition(start)
        inside, close, after = rest.partition(end)
        assert mark, f"{path.name} has no {start!r}"
        assert close, f"{path.name} has no {end!r} after {start!r}"
        if request.config.getoption("--update-golden"):
            path.write_text(before + mark + text + close + after, encoding="utf-8")
            return
        assert inside == text, f"{path.name} is behind the code; write it with --update-golden and read it"

    return compare
