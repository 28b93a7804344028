"""What a test of tests/fail_open guards against: a tool, what passes there, what ours answers; and the table of all."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING

import pytest

from holdfast.errors import ExitCode
from holdfast.model.verdict import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Answer = State | ExitCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """One guarded defect: `answers` are what ours may say to it, or `instead` what our rules do."""

    tool: str
    defect: str
    test: str
    line: int
    answers: tuple[Answer, ...] = ()
    instead: str = ""


def guards(tool: str, defect: str, *answers: Answer) -> Callable[[Callable], Callable]:
    """The test builds the situation and returns what ours answered: one of `answers`, none of which is a pass."""
    assert answers
    assert not {code_of(one) for one in answers} & {ExitCode.PASS}

    def decorate(test: Callable) -> Callable:
        @functools.wraps(test)
        def guarded(*words: object, **named: object) -> None:
            answer = test(*words, **named)
            assert answer in answers, f"ours answered {answer!r}, not {' or '.join(map(shown, answers))}"

        return _marked(guarded, tool, defect, answers=answers)

    return decorate


def mends(tool: str, defect: str, instead: str) -> Callable[[Callable], Callable]:
    """The test asserts what ours does instead."""
    return lambda test: _marked(test, tool, defect, instead=instead)


def _marked(test: Callable, tool: str, defect: str, **more: object) -> Callable:
    line = test.__wrapped__.__code__.co_firstlineno if hasattr(test, "__wrapped__") else test.__code__.co_firstlineno
    test.guard = Guard(tool=tool, defect=defect, test=test.__name__, line=line, **more)
    return pytest.mark.guards(tool, defect)(test)


def code_of(answer: Answer) -> ExitCode:
    """What a pipeline reads of an answer."""
    return answer.exit_code if isinstance(answer, State) else ExitCode(answer)


def shown(answer: Answer) -> str:
    """UNKNOWN, exit code 10."""
    return f"{code_of(answer).name}, exit code {code_of(answer).value}"


def guarded_in(path: Path) -> list[Guard]:
    """Every guard of one test file, in its order."""
    spec = spec_from_file_location(f"table_of_{path.stem}", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found = (getattr(value, "guard", None) for value in vars(module).values())
    return sorted((one for one in found if isinstance(one, Guard)), key=lambda one: one.line)


HEAD = """\
# What passes elsewhere and does not pass here

Every gate in this field turns silence into green somewhere. Each row is one such place: a tool, what passes there, what
Holdfast answers in the same situation, and the test that shows it. The table is made from the tests, `pytest
tests/fail_open --update-golden` writes it. The tests are the specification; the words are theirs.

The tools' behaviour was read in their source or measured by running them, at the versions of autumn 2026; later
versions may differ.
"""


def page(files: dict[str, Path]) -> str:
    """The whole document; `files` by the title of their section."""
    return HEAD + "".join(_section(title, path) for title, path in files.items())


def _section(title: str, path: Path) -> str:
    rows = "".join(_rows(guarded_in(path)))
    link = f"[{path.name}](../../tests/fail_open/{path.name})"
    return f"\n## {title}\n\nTests: {link}.\n\n| tool | what passes there | here | test |\n|---|---|---|---|\n{rows}"


def _rows(found: list[Guard]) -> Iterator[str]:
    for one in found:
        said = "; ".join(map(shown, one.answers)) or one.instead
        words = one.test.removeprefix("test_").replace("_", " ")
        yield f"| {one.tool} | {one.defect} | {said} | {words} |\n"
