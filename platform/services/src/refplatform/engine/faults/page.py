"""The page about the faults, made of the faults themselves."""

from __future__ import annotations

import inspect
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from refplatform.engine.faults.catalogue import known
from refplatform.engine.faults.fault import AnswerFault, Fault
from refplatform.engine.faults.pick import Pick

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

HEAD: Final = "page.md"
"""What stands before the faults, as text beside this file."""

TABLE: Final = "| parameter | default | limits | meaning |\n|---|---|---|---|\n"


def page() -> str:
    """The whole page, Markdown."""
    kinds = known()
    answers = {name: kind for name, kind in kinds.items() if issubclass(kind, AnswerFault)}
    engines = {name: kind for name, kind in kinds.items() if name not in answers}
    picks = (
        "They touch the answers that `pick` chooses. The same seed and the same order of matching requests choose the "
        "same ones.\n\n" + _parameters(Pick)
    )
    head = files("refplatform.engine.faults").joinpath(HEAD).read_text("utf-8")
    parts = (head, "## Faults of answers\n\n", picks, _faults(answers), "\n## Faults of the engine\n", _faults(engines))
    return "".join(parts)


def _faults(kinds: Mapping[str, type[Fault]]) -> str:
    return "".join(f"\n### `{name}`\n\n{_fault(kind)}" for name, kind in kinds.items())


def _fault(kind: type[Fault]) -> str:
    seen = (("A client sees", kind.client), ("Metrics", kind.metrics), ("End", kind.end))
    rows = "".join(f"| {what} | {_cell(text)} |\n" for what, text in seen)
    table = f"\n{_parameters(kind)}" if kind.model_fields else ""
    return f"{inspect.getdoc(kind)}\n\n| | |\n|---|---|\n{rows}{table}"


def _parameters(kind: type[BaseModel]) -> str:
    properties: dict[str, dict[str, Any]] = kind.model_json_schema()["properties"]
    return TABLE + "".join(_row(name, spec) for name, spec in properties.items())


def _row(name: str, spec: dict[str, Any]) -> str:
    default = "none" if spec["default"] is None else f"`{spec['default']}`"
    cells = (f"`{name}` ({spec['unit']})", default, _limits(spec), spec["description"])
    return f"| {' | '.join(map(_cell, cells))} |\n"


def _limits(spec: dict[str, Any]) -> str:
    if choices := spec.get("enum"):
        return ", ".join(map(str, choices))
    ends = next((one for one in spec.get("anyOf", (spec,)) if "minimum" in one), None)
    return "" if ends is None else f"{ends['minimum']:,} to {ends['maximum']:,}".replace(".0 ", " ").removesuffix(".0")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
