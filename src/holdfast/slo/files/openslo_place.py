"""A place in a file of OpenSLO objects: what is wrong there, and which other object of the file a name there means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from holdfast.slo.files.openslo_shapes import KINDS
from holdfast.spec.shapes import FieldError, shaped
from holdfast.spec.source import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from holdfast.errors import Problem
    from holdfast.spec.source import Path, Source

    Kinds: TypeAlias = Mapping[tuple[str, str], Source]

_Value = TypeVar("_Value")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands, and the list that takes what is wrong with it."""

    source: Source
    path: Path
    kinds: Kinds
    problems: list[Problem]

    def below(self, *steps: str | int) -> Place:
        """A place further down."""
        return replace(self, path=(*self.path, *steps))

    def tell(self, what: str, hint: str = "", *, code: str, fragment: str = "") -> None:
        """A problem here."""
        self.problems.append(self.source.problem(self.path, what, hint=hint, code=code, fragment=fragment))

    def check(self, reader: Callable[[_Value], _Result], value: _Value) -> _Result | None:
        """What a reader of fields makes of a value; None and a problem where it refuses."""
        try:
            return reader(value)
        except FieldError as error:
            self.tell(str(error), error.hint, code=error.code, fragment=error.fragment)
            return None

    def refer(self, kind: str, name: str) -> tuple[Any, Place] | None:
        """The `spec` of another object of the file, and its place; None and a problem where there is none.

        What is wrong inside the other object is told when that is read, and not again.
        """
        source = self.kinds.get((kind, name))
        if source is None:
            known = [known for of, known in self.kinds if of == kind]
            hint = did_you_mean(name, known) or f"write an object of kind {kind} in the same file"
            self.tell(f"no {kind} is named {name!r} in this file", hint, code="slo/reference")
            return None
        found, _ = shaped(KINDS[kind], source)
        if found is None:
            return None
        return found.spec, Place(source, ("spec",), self.kinds, [])
