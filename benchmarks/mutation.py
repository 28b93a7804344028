"""Changes the code that decides, one small thing at a time, and counts how many of the changes a test notices.

Without FILE every file is measured and docs/reference/mutation.md is written. Exit code 1 when less than 95 % are
noticed, or when a change that is not noticed has no reason in benchmarks/mutation.toml.

Example: .venv/bin/python benchmarks/mutation.py src/holdfast/stats/families.py
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mutants import LEAST, Mutant, line, page, read_mutants, read_reasons, totals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT: Final = Path(__file__).parents[1]
TOOL: Final = Path(sys.executable).with_name("mutmut")
PAGE: Final = ROOT / "docs" / "reference" / "mutation.md"
REASONS: Final = Path(__file__).with_name("mutation.toml")
SURVIVORS: Final = Path(tempfile.gettempdir()) / "holdfast-mutation-survivors.diff"

GROUPS: Final = (
    (
        ("src/holdfast/stats/*.py",),
        (
            "tests/unit/test_stats*.py",
            "tests/unit/test_steady.py",
            "tests/property/test_stats*.py",
            "tests/property/test_comparison_laws.py",
        ),
    ),
    (("src/holdfast/trust/*.py",), ("tests/unit/test_trust*.py", "tests/fail_open/test_ours.py")),
    (
        ("src/holdfast/judge.py",),
        ("tests/unit/test_judge*.py", "tests/property/test_judge_laws.py", "tests/fail_open/test_ours.py"),
    ),
)
"""Files that decide, and the tests that are asked about them."""

SETTINGS: Final = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = {files}
also_copy = ["conftest.py"]
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = ["-p", "no:cacheprovider", "-m", "not slow"]
timeout_constant = 2.0
timeout_multiplier = 5.0
"""
"""A mutant that takes five times as long as the program does, and ten seconds, never ends."""

PROFILE: Final = """

from hypothesis import Phase, settings
settings.register_profile(
    "mutation", max_examples=30, derandomize=True, deadline=None, database=None, phases=(Phase.explicit, Phase.generate)
)
settings.load_profile("mutation")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: ("property" in str(item.path), "golden" not in item.fixturenames))
"""
"""Few examples, the same for every mutant, none made smaller; and first the tests that find most in the least time."""


def main() -> None:
    """Measure, print a table, write down what was not noticed, and the page when all was measured."""
    if not TOOL.exists():
        sys.exit(f"no {TOOL}: .venv/bin/uv pip install --group mutation")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="FILE", help="measure these only, and write no page")
    parser.add_argument("--survivors", type=Path, default=SURVIVORS, help="file of diffs (default: %(default)s)")
    chosen = parser.parse_args()
    mutants = sorted(_measure({Path(one).resolve() for one in chosen.files}), key=lambda one: one.file)
    reasons = read_reasons(REASONS)
    survivors = [one for one in mutants if one.survived]
    unexplained = [one for one in survivors if one.key not in reasons]
    chosen.survivors.write_text("\n".join(one.diff for one in survivors), encoding="utf-8")
    told = ["file: mutants, killed, timeouts, survived, share", *map(line, totals(mutants))]
    told += [f"survived without a reason: {one.where}\n{one.change}" for one in unexplained]
    if not chosen.files:
        told += [f"no longer needed: {' | '.join(key)}" for key in reasons.keys() - {one.key for one in survivors}]
        PAGE.write_text(page(mutants, reasons), encoding="utf-8")
    print(*told, f"diffs of all survivors: {chosen.survivors}", sep="\n")
    sys.exit(1 if unexplained or not totals(mutants)[-1].share >= LEAST else 0)


def _measure(chosen: set[Path]) -> Iterator[Mutant]:
    known = {path for patterns, _ in GROUPS for path in _found(ROOT, patterns)}
    if not chosen <= known:
        sys.exit(f"not among the files that decide: {', '.join(map(str, chosen - known))}")
    wanted = chosen or known
    for patterns, tests in GROUPS:
        files = [path.relative_to(ROOT).as_posix() for path in _found(ROOT, patterns) if path in wanted]
        if files:
            with tempfile.TemporaryDirectory(prefix="holdfast-mutation-") as folder:
                yield from _mutated(Path(folder), files, tests)


def _found(root: Path, patterns: Sequence[str]) -> list[Path]:
    return sorted(path for pattern in patterns for path in root.glob(pattern))


def _mutated(copy: Path, files: Sequence[str], tests: Sequence[str]) -> list[Mutant]:
    """All mutants of some files, each run against the tests that reach its function."""
    for name in _listed():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    selected = [path.relative_to(copy).as_posix() for path in _found(copy, tests)]
    with (copy / "pyproject.toml").open("a", encoding="utf-8") as config:
        config.write(SETTINGS.format(files=files, tests=selected))
    with (copy / "conftest.py").open("a", encoding="utf-8") as conftest:
        conftest.write(PROFILE)
    _run(copy, files)
    with contextlib.chdir(copy):
        return read_mutants()


def _listed() -> list[str]:
    """Files that Git knows, or would if it were asked to add all."""
    found = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [name for name in found.stdout.split("\0") if name and (ROOT / name).is_file()]


def _run(copy: Path, files: Sequence[str]) -> None:
    """Run the tool, one mutant at a time, and tell every tenth of the way."""
    began, told, output = time.monotonic(), 0, ""
    # More threads than processors only make each test wait.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    print(f"{files[0]} and {len(files) - 1} more" if len(files) > 1 else files[0], flush=True)
    command = [TOOL, "run", "--max-children", "1"]
    with subprocess.Popen(
        command, cwd=copy, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        for text in process.stdout:
            output += text
            if (seen := re.match(r"\S+ (\d+)/(\d+) ", text)) and 10 * int(seen[1]) // int(seen[2]) > told:
                told = 10 * int(seen[1]) // int(seen[2])
                print(f"{time.monotonic() - began:6.1f} s  {seen[1]} of {seen[2]} mutants", flush=True)
    if process.returncode:
        sys.exit(f"{output[-4000:]}\nmutmut ended with {process.returncode}")


if __name__ == "__main__":
    main()
