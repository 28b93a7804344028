"""Result files of other tools, one reader a file: which tool wrote this, and what it says in our rows."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from holdfast.errors import Location, Problem, SpecError

if TYPE_CHECKING:
    from holdfast.definitions.foreign.document import Document, Imported, Reader

_HELP = ("document",)


def names() -> tuple[str, ...]:
    """Every tool whose files can be read, sorted."""
    return tuple(sorted(module.name for module in iter_modules(__path__) if module.name not in _HELP))


def read(document: Document) -> tuple[Imported, ...]:
    """What the file says, run by run. Raises SpecError with all its problems at once, or when no tool knows it."""
    for name in names():
        reader: Reader = import_module(f"{__name__}.{name}").READER
        if not reader.knows(document):
            continue
        found = reader.read(document)
        if document.problems:
            raise SpecError(tuple(document.problems))
        return found
    told = ", ".join(names()).replace("_", "-")
    raise SpecError(
        (
            Problem(
                where=Location(file=document.file),
                what="no tool that is known here writes such a file",
                hint=f"result files of {told}; docs/reference/load-metrics.md says which",
                code="unknown-format",
            ),
        )
    )
