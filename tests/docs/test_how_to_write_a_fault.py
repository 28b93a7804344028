"""The fault that the how-to page writes is one: found by its file, checked like the others, and its own test passes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "write-a-fault.md"
SUPPORT = ROOT / "tests" / "support"

_FILE = re.compile(r"^<!-- file: (?P<name>\S+) -->\n```\w*\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)

# As if the file lay beside the others: a package is as long as its path.
CONFTEST = (
    "import holdfast.faults, pathlib\nholdfast.faults.__path__.append(str(pathlib.Path(__file__).parent / 'faults'))\n"
)


def test_the_example_passes_its_own_test(tmp_path):
    files = {Path(found["name"]): found["body"] for found in _FILE.finditer(PAGE.read_text(encoding="utf-8"))}
    assert [str(name) for name in files] == ["src/holdfast/faults/idle.py", "tests/faults/test_idle.py"]
    for name, body in files.items():
        place = tmp_path / ("faults" if name.parts[0] == "src" else "") / name.name
        place.parent.mkdir(exist_ok=True)
        place.write_text(body, encoding="utf-8")
    (tmp_path / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, "test_idle.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SUPPORT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout


def test_the_example_keeps_the_style_of_the_house():
    for found in _FILE.finditer(PAGE.read_text(encoding="utf-8")):
        for words in (["check", "-q"], ["format", "--diff", "-q"]):
            done = subprocess.run(
                [sys.executable, "-m", "ruff", *words, "--stdin-filename", str(ROOT / found["name"]), "-"],
                input=found["body"],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
