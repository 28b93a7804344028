"""One table of defaults, read strictly."""

from __future__ import annotations

import pytest

from holdfast.errors import UsageError
from holdfast.settings import Settings, read


def settings(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    return read(tmp_path)


def test_without_a_file_or_a_table_the_defaults_hold(tmp_path):
    assert read(tmp_path) == Settings(state=".holdfast", runs="runs")
    assert settings(tmp_path, "[project]\nname = 'x'\n") == Settings()


def test_the_table_changes_them(tmp_path):
    assert settings(tmp_path, "[tool.holdfast]\nruns = 'evidence'\n") == Settings(runs="evidence")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[tool.holdfast]\nrun = 'x'\n", "unknown key 'run' in"),
        ("[tool.holdfast]\nruns = 5\n", "runs in .* must be text"),
        ("[tool]\nholdfast = 'x'\n", "must be a table"),
        ("[tool.holdfast\n", "pyproject.toml: "),
    ],
)
def test_what_is_wrong_is_told(tmp_path, text, what):
    with pytest.raises(UsageError, match=what):
        settings(tmp_path, text)


def test_a_typo_is_answered_with_the_nearest_key(tmp_path):
    with pytest.raises(UsageError) as caught:
        settings(tmp_path, "[tool.holdfast]\nrun = 'x'\n")
    assert caught.value.hint == "did you mean runs?"


def test_a_file_that_is_no_text_is_told(tmp_path):
    (tmp_path / "pyproject.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError):
        read(tmp_path)


def test_a_table_called_tool_that_is_none_is_nobodys_business_of_ours(tmp_path):
    assert settings(tmp_path, "tool = 5\n") == Settings()
