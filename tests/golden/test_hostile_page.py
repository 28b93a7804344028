"""The page of hostile inputs is true: promtool plays them again to both sets of rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.errors import InfrastructureError
from hostile_page import measured, page, right

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "hostile-rules.md"


@pytest.fixture(scope="module")
def rows():
    try:
        return measured()
    except InfrastructureError as error:
        pytest.skip(str(error))


@pytest.mark.slow
def test_the_page_says_what_promtool_computes(rows, golden):
    golden(PAGE, page(rows))


@pytest.mark.slow
def test_our_rules_answer_every_question_truly(rows):
    assert [row for row in rows if not right(row.question, row.ours)] == []
