"""Platforms for end-to-end tests: one of a test's own, or one that the tests of a file share and leave whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench import Bench, make_bench, until

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bench(tmp_path: Path):
    """A project without a platform; whatever is up at the end is taken down."""
    made = make_bench(tmp_path)
    yield made
    made.do("down")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory):
    """A project with a platform that the tests of one file share; they leave it as they found it."""
    made = make_bench(tmp_path_factory.mktemp("shared"))
    code, text = made.do("up", "--set", "load-seconds=2")
    assert code == 0, text
    yield made
    made.do("down")


@pytest.fixture
def up(shared: Bench):
    """The shared platform, whole before and after the test."""
    until(lambda: shared.engines_ready() == 3, 30, "three ready engines before the test")
    yield shared
    until(lambda: shared.engines_ready() == 3, 30, "three ready engines after the test")
