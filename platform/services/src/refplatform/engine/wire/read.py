"""A request body read into a shape: what is wrong with it is said with the parameter's place, as vLLM names it."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from refplatform.engine.wire.errors import BadAskError

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_PROBLEMS = 10


class Body(BaseModel):
    """A JSON object of OpenAI's API; what we do not know is let pass, as vLLM does."""

    model_config = ConfigDict(frozen=True, extra="ignore")


B = TypeVar("B", bound=Body)


def read(shape: type[B], body: bytes) -> B:
    """The body in its shape. Raises BadAskError that names what is wrong, and the place of the first problem."""
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        raise BadAskError(
            f"{len(problems)} validation errors: " + "; ".join(map(_said, problems[:MOST_PROBLEMS])),
            kind="Bad Request",
            param=_place(problems[0]["loc"]),
        ) from error


def _said(problem: Any) -> str:
    return f"{_place(problem['loc'])}: {problem['msg']}"


def _place(parts: Iterable[int | str]) -> str:
    """Field names and indexes up to where pydantic begins to speak of its own branches."""
    return ".".join(("body", *map(str, takewhile(lambda part: isinstance(part, int) or part.islower(), _named(parts)))))


def _named(parts: Iterable[int | str]) -> Iterable[int | str]:
    branches = {"str", "int", "float", "bool", "list", "dict"}
    return (part for part in parts if isinstance(part, int) or not (part in branches or "[" in part))
