"""Questions with known answers: what to ask, and how to tell whether what came back is right."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from holdfast.errors import Location, Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["contains", "equals", "matches"]
_KINDS: Final = get_args(Kind)
_EXAMPLE: Final = '{"prompt": "What is 2 + 2?", "expect": {"contains": "4"}}'
RIGHT: Final = "right"
"""What a record says of an answer with nothing wrong in it."""
_SHOWN: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What a right answer is: it contains a text, equals it (but for space around), or matches a regular expression."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One thing to ask; without `expect` any answer will do."""

    prompt: str
    expect: Expect | None = None


def check(expect: Expect | None, text: str) -> str:
    """What is wrong with an answer, in words; empty when it is right."""
    if expect is None or _right(expect, text):
        return ""
    return f"expected an answer that {expect.kind} {expect.text!r}, got {_short(text)!r}"


def _right(expect: Expect, text: str) -> bool:
    if expect.kind == "contains":
        return expect.text in text
    if expect.kind == "equals":
        return expect.text.strip() == text.strip()
    return re.search(expect.text, text) is not None


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def read_questions(text: str, file: str) -> tuple[Question, ...]:
    """Questions of a file with one JSON object a line, `prompt` and perhaps `expect`.

    Raises SpecError with every problem; a file without questions is one.
    """
    problems: list[Problem] = []
    found = tuple(_questions(text, file, problems))
    if not found and not problems:
        problems.append(Problem(where=Location(file=file), what="there are no questions", hint=f"write {_EXAMPLE}"))
    if problems:
        raise SpecError(tuple(problems))
    return found


def _questions(text: str, file: str, problems: list[Problem]) -> Iterator[Question]:
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            yield _question(line)
        except (ValueError, RecursionError) as error:
            column = getattr(error, "colno", 1)
            what = "not JSON" if isinstance(error, json.JSONDecodeError | RecursionError) else str(error)
            where = Location(file=file, line=number, column=column)
            problems.append(Problem(where=where, what=what, source=line[:120], hint=f"write {_EXAMPLE}"))


def _question(line: str) -> Question:
    row = json.loads(line)
    if not isinstance(row, dict) or not isinstance(row.get("prompt"), str) or not row["prompt"].strip():
        raise ValueError("expected an object with a prompt")
    unknown = sorted(row.keys() - {"prompt", "expect"})
    if unknown:
        raise ValueError(f"unknown key {', '.join(unknown)}")
    return Question(prompt=row["prompt"], expect=_expect(row["expect"]) if "expect" in row else None)


def _expect(found: Any) -> Expect:
    if not isinstance(found, dict) or len(found) != 1:
        raise ValueError(f"expect must name one of {', '.join(_KINDS)}")
    ((kind, text),) = found.items()
    if kind not in _KINDS or not isinstance(text, str) or not text:
        raise ValueError(f"expect must name one of {', '.join(_KINDS)}, with a text")
    if kind == "matches":
        try:
            re.compile(text)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
    return Expect(kind=kind, text=text)
