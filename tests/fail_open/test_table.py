"""The document of all guarded defects is what the tests say, and no case is lost."""

from __future__ import annotations

from pathlib import Path

from guards import guarded_in, page

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "reference" / "fail-open.md"
FILES = {
    "Gates and delivery controllers": HERE / "test_gates.py",
    "SLO rules": HERE / "test_slos.py",
    "Chaos Toolkit": HERE / "test_chaos.py",
    "pytest": HERE / "test_sessions.py",
    "Records": HERE / "test_ours.py",
}


def test_the_document_is_what_the_tests_say(golden):
    golden(PAGE, page(FILES))


def test_every_test_file_of_this_folder_is_in_the_document():
    assert {path.name for path in HERE.glob("test_*.py")} == {path.name for path in FILES.values()} | {
        Path(__file__).name
    }


def test_no_two_rows_are_the_same():
    rows = [(one.tool, one.defect) for path in FILES.values() for one in guarded_in(path)]
    assert len(rows) == len(set(rows))
