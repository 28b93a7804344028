"""What a visitor may rely on without reading: folders that hide nothing, files of one idea and a readable length."""

from __future__ import annotations

import ast
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = (ROOT / "src", ROOT / "platform" / "services" / "src")
DATA = ("scenarios", "slos", "loadtests", "chaos", "reports", "platform")
FILES = sorted(path for folder in OURS for path in folder.rglob("*.py"))
TEXTS = sorted(
    path
    for folder in (*OURS, *(ROOT / name for name in DATA), ROOT / "tests", ROOT / "docs", ROOT / "bin")
    for path in folder.rglob("*")
    if path.is_file() and path.suffix in {".py", ".yaml", ".yml", ".toml", ".conf", ".md", ".json", ".sh", ""}
)
LONGEST_FILE, LONGEST_FUNCTION = 450, 60
# Written in two pieces, so that this file does not find itself.
MACHINE = re.compile("|".join(("/wo" + "rk/[a-z]+/", "/ro" + "ot/", "/ho" + "me/[a-z]+")))
REGISTRY = re.compile("|".join(("pypi" + r"\.org/simple", "--index" + "-url", "files.python" + "hosted")))


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("folder", DATA)
def test_data_folders_are_no_packages(folder):
    code = (ROOT / "platform" / "services" / "src", ROOT / "platform" / "services" / "tests")
    packages = [path for path in (ROOT / folder).rglob("__init__.py") if not path.is_relative_to(code[0])]
    assert [shown(path) for path in packages if not path.is_relative_to(code[1])] == []


def test_our_folder_platform_does_not_hide_pythons_module():
    done = subprocess.run(
        [sys.executable, "-c", "import platform; print(platform.python_implementation())"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.stdout.strip() == "CPython", done.stderr
    assert platform.python_implementation() == "CPython"


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_line_one_says_the_files_one_idea(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "no docstring"
    assert tree.body[0].lineno == 1
    assert path.read_text(encoding="utf-8").splitlines()[0].strip('"') != ""


def test_no_file_is_longer_than_a_sitting():
    lengths = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_no_function_is_longer_than_a_screen():
    long = [
        f"{shown(path)}:{node.lineno} {node.name}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION
    ]
    assert long == []


def test_nothing_is_called_utils():
    names = {part.lower() for path in FILES for part in (*path.parts, path.stem)}
    assert names & {"utils", "util", "helpers", "misc", "common"} == set()


def test_no_file_knows_the_machine_it_was_written_on():
    texts = [path for path in TEXTS if not path.is_relative_to(ROOT / "tests" / "setup")]  # made-up homes stand there
    found = {shown(path): MACHINE.findall(path.read_text(encoding="utf-8", errors="replace")) for path in texts}
    assert {name: where for name, where in found.items() if where} == {}


def test_no_file_names_a_registry():
    found = {shown(path): REGISTRY.findall(path.read_text(encoding="utf-8", errors="replace")) for path in TEXTS}
    assert {name: where for name, where in found.items() if where} == {}


def test_nothing_swallows_every_exception_in_silence():
    bare = [
        f"{shown(path)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}))
        and all(isinstance(step, ast.Pass | ast.Continue) for step in node.body)
    ]
    assert bare == []
