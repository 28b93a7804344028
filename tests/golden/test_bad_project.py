"""One look at a scenario with everything wrong tells all of it, at its place, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.errors import SpecError
from holdfast.project import load_scenario

HERE = Path(__file__).parent / "bad-project"


@pytest.fixture(scope="module")
def refused():
    with pytest.raises(SpecError) as caught:
        load_scenario(HERE / "scenarios" / "horrible.yaml", HERE)
    return caught.value


def test_the_whole_answer_is_the_committed_one(refused, golden):
    golden(HERE / "problems.txt", f"{refused}\n")


def test_every_problem_stands_in_a_file_of_the_project_with_its_line(refused):
    for problem in refused.problems:
        lines = (HERE / problem.where.file).read_text(encoding="utf-8").splitlines()
        assert problem.source == lines[problem.where.line - 1]


def test_no_problem_is_told_twice(refused):
    assert len(set(refused.problems)) == len(refused.problems)
