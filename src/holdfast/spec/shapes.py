"""What a tree must look like: strict pydantic models, and their complaints turned into problems with a place."""

from __future__ import annotations

from copy import deepcopy
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, WithJsonSchema

from holdfast import units
from holdfast.spec.source import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.errors import Problem
    from holdfast.spec.source import Path, Source


class FieldError(ValueError):
    """What a field's own reader raises when it can also say what to do, and which fragment of a text is meant."""

    def __init__(self, what: str, hint: str, *, code: str = "", fragment: str = "") -> None:
        super().__init__(what)
        self.hint = hint
        self.code = code
        self.fragment = fragment


class Strict(BaseModel):
    """Base of every shape: no coercion, no unknown keys, no change afterwards."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", defer_build=True)


Shape = TypeVar("Shape", bound=Strict)


def _text(reader: Callable[[str], float], example: str) -> BeforeValidator:
    def parse(value: object) -> float:
        if isinstance(value, str):
            return reader(value)
        raise ValueError(f"expected {example}, got {value!r} without a unit")

    return BeforeValidator(parse)


def _as_text(pattern: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": [example]})


Duration = Annotated[
    float, _text(units.duration, "a duration such as 40s"), _as_text(r"^(\d+(\.\d+)?(ms|s|m|h|d|w))+$", "40s")
]
Ratio = Annotated[float, _text(units.ratio, "a percentage such as 99.9%"), _as_text(r"^\d+(\.\d+)?\s*%$", "99.9%")]

_PLAIN: Final = {
    "missing": "required key {name!r} is missing",
    "extra_forbidden": "unknown key {name!r}",
    "string_type": "expected text, got {input}",
    "int_type": "expected a whole number, got {input}",
    "float_type": "expected a number, got {input}",
    "bool_type": "expected true or false, got {input}",
    "list_type": "expected a list, got {input}",
    "tuple_type": "expected a list, got {input}",
    "dict_type": "expected a mapping, got {input}",
    "model_type": "expected a mapping, got {input}",
    "literal_error": "expected {expected}, got {input}",
    "too_short": "expected at least one item",
}


_CODES: Final = {"missing": "missing-key", "extra_forbidden": "unknown-key", "value_error": "value"}


def shaped(
    shape: type[Shape], source: Source, path: Path = (), *, family: str = ""
) -> tuple[Shape | None, list[Problem]]:
    """Validate the subtree at `path`: the shape, and all problems with it.

    Unknown keys alone still give the shape, so that whatever else is wrong is found in the same pass. With a `family`
    every problem has a code in it: "slo" gives "slo/unknown-key".
    """
    found, details = _validated(shape, _below(source.tree, path))
    problems = [_problem(shape, source, path, detail, family) for detail in details]
    if not details or any(detail["type"] != "extra_forbidden" for detail in details):
        return found, problems
    pruned = deepcopy(_below(source.tree, path))
    for detail in details:
        del _below(pruned, detail["loc"][:-1])[detail["loc"][-1]]
    found, details = _validated(shape, pruned)
    return found, problems + [_problem(shape, source, path, detail, family) for detail in details]


def _validated(shape: type[Shape], tree: Any) -> tuple[Shape | None, list[Any]]:
    try:
        return shape.model_validate(tree), []
    except ValidationError as error:
        return None, error.errors(include_url=False)


def _below(tree: Any, path: Path) -> Any:
    return reduce(lambda found, step: found[step], path, tree)


def _problem(shape: type[Strict], source: Source, path: Path, detail: Any, family: str) -> Problem:
    loc = tuple(step for step in detail["loc"] if isinstance(step, str | int))
    kind, name = detail["type"], (loc[-1] if loc else "")
    text = _PLAIN.get(kind, "{message}")
    message = str(detail["msg"]).removeprefix("Value error, ")
    context = detail.get("ctx", {})
    expected = context.get("expected", "")
    what = text.format(name=name, input=_shown(detail["input"]), message=message, expected=expected)
    unknown = kind == "extra_forbidden"
    loc, is_key = (loc[:-1], True) if name == "[key]" else (loc, unknown)
    cause = context.get("error")
    hint = did_you_mean(str(name), _keys(shape, loc[:-1])) if unknown else getattr(cause, "hint", "")
    place = path + (loc[:-1] if kind == "missing" else loc)
    code = getattr(cause, "code", "") or _CODES.get(kind, "type")
    code = code if "/" in code else f"{family}/{code}" if family else ""
    return source.problem(place, what, hint=hint, key=is_key, code=code, fragment=getattr(cause, "fragment", ""))


def _keys(shape: type[Strict], loc: Path) -> list[str]:
    """The keys a shape knows at a place inside it."""
    current: Any = shape
    for step in loc:
        # A step that is no field is an index, or a key of dict[str, Model]: the model inside stays the same.
        if current and isinstance(step, str) and (inner := _field(current, step)) is not None:
            current = _model_in(inner)
    return [known.alias or name for name, known in current.model_fields.items()] if current else []


def _field(model: type[BaseModel], key: str) -> Any:
    for name, known in model.model_fields.items():
        if key in (name, known.alias):
            return known.annotation
    return None


def _model_in(annotation: Any) -> Any:
    """The model inside list[Model], dict[str, Model] or Model | None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = [_model_in(one) for one in getattr(annotation, "__args__", ())]
    return next((one for one in inner if one), None)


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else repr(value)
