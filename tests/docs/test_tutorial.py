"""The lessons are run as a newcomer would: every `console` block in order, in a copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench import too_busy
from holdfast.errors import ExitCode

ROOT = Path(__file__).parents[2]
LESSONS = sorted((ROOT / "docs" / "tutorial").glob("*.md"))
PROJECT = ("scenarios", "slos", "loadtests", "chaos", "platform/local", "pyproject.toml")
LIMIT = 240
"""Seconds for one command of a lesson."""

_BLOCK = re.compile(r"^```console\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^<!-- file: (?P<name>\S+) -->\n```\w*\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"\$ (?P<words>.*?)(?:\s+# exit (?P<codes>\d+(?: or \d+)*))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command of a lesson, the exit codes it may have, and the lines that its output must hold in this order."""

    command: str
    codes: tuple[int, ...]
    shown: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Save:
    """A file that a lesson has its reader save."""

    name: str
    text: str


def steps_of(text: str) -> tuple[Step | Save, ...]:
    """What a reader does, in order."""
    blocks = sorted([*_BLOCK.finditer(text), *_FILE.finditer(text)], key=lambda found: found.start())
    found: list[Step | Save] = []
    for block in blocks:
        if block.re is _FILE:
            found.append(Save(name=block["name"], text=block["body"]))
        else:
            found += _commands(block["body"])
    return tuple(found)


def _commands(body: str) -> list[Step]:
    found: list[Step] = []
    for line in filter(None, body.splitlines()):
        command = _COMMAND.fullmatch(line)
        if command:
            codes = tuple(map(int, (command["codes"] or "0").split(" or ")))
            found.append(Step(command=command["words"], codes=codes, shown=()))
        else:
            last = found.pop()
            found.append(Step(command=last.command, codes=last.codes, shown=(*last.shown, line)))
    return found


def pattern(line: str) -> str:
    """A shown line as an expression: any white space for white space, anything on one line for `…`."""
    words = [r"[^\n]*?".join(map(re.escape, word.split("…"))) for word in line.split()]
    return r"\s*".join(words)


def test_a_step_is_a_command_with_its_exit_code_and_what_it_prints():
    lesson = "text\n```console\n$ holdfast plan x  # exit 0 or 10\ncannot pass\n$ ls\n```\n```sh\n$ not this\n```\n"
    assert steps_of(lesson) == (
        Step(command="holdfast plan x", codes=(0, 10), shown=("cannot pass",)),
        Step(command="ls", codes=(0,), shown=()),
    )


def test_a_file_is_saved_where_the_lesson_says_so_and_not_before():
    lesson = "```console\n$ ls\n```\n<!-- file: a.yaml -->\n```yaml\na: 1\n```\n```console\n$ cat a.yaml\n```\n"
    assert steps_of(lesson) == (
        Step(command="ls", codes=(0,), shown=()),
        Save(name="a.yaml", text="a: 1\n"),
        Step(command="cat a.yaml", codes=(0,), shown=()),
    )


def test_dots_in_a_shown_line_stand_for_anything_on_that_line():
    assert re.search(pattern("PASS … first … proved"), "PASS  first  proved by the record")
    assert not re.search(pattern("PASS … first"), "PASS\nsecond")


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_every_lesson_has_steps(lesson: Path):
    assert steps_of(lesson.read_text(encoding="utf-8"))


@pytest.fixture
def newcomer(tmp_path: Path):
    """A copy of the project and the environment of somebody who has just set it up; whatever is up goes down."""
    place = tmp_path / "holdfast"
    for name in PROJECT:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / name, place / name)
    own = {name: value for name, value in os.environ.items() if name not in {"HOLDFAST_STATE", "HOLDFAST_RUNS"}}
    tools = Path(sys.executable).parent
    environment = {**own, "PATH": f"{tools}{os.pathsep}{own['PATH']}", "COLUMNS": "100"}
    yield place, environment
    subprocess.run(["holdfast", "down"], cwd=place, env=environment, check=True, timeout=LIMIT, capture_output=True)


@pytest.mark.e2e
@pytest.mark.timed
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_does_what_it_says(lesson: Path, newcomer: tuple[Path, dict[str, str]]):
    text = lesson.read_text(encoding="utf-8")
    place, environment = newcomer
    for step in steps_of(text):
        if isinstance(step, Save):
            (place / step.name).write_text(step.text, encoding="utf-8")
        else:
            _take(step, place, environment)


def _take(step: Step, place: Path, environment: dict[str, str], tries: int = 3) -> None:
    done, decided = _run(step, place, environment), step.codes != (ExitCode.UNKNOWN,)
    while decided and done.returncode == ExitCode.UNKNOWN and too_busy(done.stdout) and (tries := tries - 1):
        done = _run(step, place, environment)
    told = f"$ {step.command}\n{done.stdout}"
    assert done.returncode in step.codes, told
    at = 0
    for line in step.shown:
        found = re.compile(pattern(line)).search(done.stdout, at)
        assert found, f"not shown, or not in this order: {line!r}\n{told}"
        at = found.end()


def _run(step: Step, place: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", step.command],
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=LIMIT,
    )
