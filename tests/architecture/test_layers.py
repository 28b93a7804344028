"""The floors of `holdfast`: every import, also one inside a function, runs down; types may point sideways or down."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "holdfast"

DECIDING = {"judge", "trust", "plan", "undecidable", "gate", "trials", "recoveries", "attempts", "freeze"}
"""What makes answers: it may read no clock, no chance and no environment."""

FLOORS = (
    {"cli", "__main__", "plugin"},  # faces: words to calls
    {"watch", "signals", "gameday"},  # what a person sees of a run, and how they stop it
    {"app", "play"},  # composition root: the only place that knows every adapter; play calls it as often as asked
    # The one impure loop; what follows from SLO files; load, an engine, an experiment by itself.
    {"run", "objectives", "loadtest", "engines", "experiments"},
    {"load", "chaos", "faults", "proxy", "platforms", "sources", "subject"},  # adapters
    DECIDING | {"early", "halting", "report", "schema", "testing"},  # pure
    {"store"},  # text in and out
    {"project", "settings"},
    {"expect"},
    {"slo", "definitions", "capacity", "calibration"},
    {"spec"},
    {"model"},  # frozen nouns
    {"arrivals"},  # when requests come: processes and shapes
    {"errors", "units", "clock", "stats"},  # the ground
)
"""Top to bottom. A part is a module or a package directly under `holdfast`."""

UPWARD_TYPES: dict[tuple[str, str], str] = {}
"""(module, module above it that it imports for types alone) -> why. Empty: no type needs to point up."""


def name_of(path: Path) -> str:
    parts = ("holdfast", *path.relative_to(SOURCE).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in sorted(SOURCE.rglob("*.py"))}


def is_type_block(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports(node: ast.AST, *, types: bool = False):
    """(imported module, line, for types alone?) of every import below a node, also inside functions."""
    for child in ast.iter_child_nodes(node):
        only_types = types or is_type_block(child)
        if isinstance(child, ast.Import):
            yield from ((alias.name, child.lineno, only_types) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"line {child.lineno}: relative imports hide where they point"
            for alias in child.names:
                whole = f"{child.module}.{alias.name}"
                yield (whole if whole in MODULES else str(child.module)), child.lineno, only_types
        yield from imports(child, types=only_types)


def arrows(*, types: bool):
    """(importing module, imported module, line) inside holdfast, those for types or those at run time."""
    for module, path in MODULES.items():
        for target, line, only_types in imports(ast.parse(path.read_text(encoding="utf-8"))):
            if target.split(".")[0] == "holdfast" and only_types is types and target != "holdfast":
                yield module, target, line


def part(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def floor(module: str) -> int:
    """0 is the top; the package itself, which is empty, lies under everything."""
    return next((index for index, names in enumerate(FLOORS) if part(module) in names), len(FLOORS))


def test_every_module_stands_on_exactly_one_floor():
    parts = {part(module) for module in MODULES if part(module)}
    named = [name for names in FLOORS for name in names]
    assert sorted(named) == sorted(set(named))
    assert parts - set(named) == set()


def test_imports_run_down():
    upward = [
        f"{MODULES[module]}:{line}: {module} imports {target}, which stands above it"
        for module, target, line in arrows(types=False)
        if floor(target) < floor(module)
    ]
    assert upward == []


def test_types_point_down_as_well_unless_there_is_a_reason():
    upward = {(module, target) for module, target, _ in arrows(types=True) if floor(target) < floor(module)}
    assert upward == set(UPWARD_TYPES)


def test_parts_on_the_same_floor_import_in_one_direction():
    graph: dict[str, set[str]] = {}
    for module, target, _ in arrows(types=False):
        if floor(module) == floor(target) and part(module) != part(target):
            graph.setdefault(part(module), set()).add(part(target))
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {error.args[1]}")


def test_no_two_modules_import_each_other():
    both = {frozenset((module, target)) for module, target, _ in arrows(types=False) if module != target}
    straight = {(module, target) for module, target, _ in arrows(types=False)}
    circles = {pair for pair in both if len(pair) == 2 and {tuple(pair), tuple(pair)[::-1]} <= straight}
    assert circles == set()


def test_only_faces_the_root_and_the_finder_know_a_concrete_platform():
    knows = {module for module, target, _ in arrows(types=False) if target == "holdfast.platforms.embedded"}
    assert {part(module) for module in knows} <= {"platforms", "app", "cli", "plugin"}


def test_the_pure_floors_neither_start_processes_nor_open_the_network():
    impure = {
        "subprocess",
        "socket",
        "threading",
        "requests",
        "urllib",
        "http",
        "asyncio",
        "gevent",
        "locust",
        "psutil",
    }
    pure = FLOORS[5] | {"expect", "slo", "definitions", "capacity", "calibration", "spec", "model"}
    pure |= {"arrivals", "errors", "units", "stats"}
    found = [
        f"{module}:{line} imports {target}"
        for module, path in MODULES.items()
        if part(module) in pure
        for target, line, _ in imports(ast.parse(path.read_text(encoding="utf-8")))
        if target.split(".")[0] in impure
    ]
    assert found == []


def test_judging_reads_no_clock_no_chance_and_no_environment():
    world = {"time", "random", "os", "datetime", "uuid", "secrets"}
    found = [
        f"{module}:{line} imports {target}"
        for module, path in MODULES.items()
        if part(module) in DECIDING | {"expect", "stats"}
        for target, line, _ in imports(ast.parse(path.read_text(encoding="utf-8")))
        if target.split(".")[0] in world
    ]
    assert found == []
