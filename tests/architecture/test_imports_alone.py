"""Every module can be the first one imported: no hidden order, no warning, no socket, no thread."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "holdfast"

# One interpreter with nothing of ours forks a child per module: each child is as fresh as a new one, without its start.
NURSERY = """
import importlib, json, os, sys
import pandas, pydantic, yaml

def look():
    import threading
    links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    open_files = [os.readlink(link) for link in links if os.path.islink(link)]
    return [file for file in open_files if file.startswith("socket:")], [one.name for one in threading.enumerate()]

def child(name):
    try:
        before = look()
        importlib.import_module(name)
        after = look()
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return "" if before == after else f"opened {after}"

told = {}
for name in json.load(sys.stdin):
    read, write = os.pipe()
    if os.fork() == 0:
        os.write(write, child(name).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        told[name] = answer.read()
    os.wait()
print(json.dumps(told))
"""

THIRD_PARTY = {
    "ignore::DeprecationWarning:supervisor": "supervisor looks for its plugins with pkg_resources",
}
"""Warnings that other people's modules give when they are imported -> why they cannot be avoided."""

HEAVY = ("pandas", "numpy", "scipy", "matplotlib", "locust", "chaoslib", "pydantic", "pyarrow", "gevent")


def modules() -> list[str]:
    names = [".".join(("holdfast", *path.relative_to(SOURCE).with_suffix("").parts)) for path in SOURCE.rglob("*.py")]
    return sorted(name.removesuffix(".__init__") for name in names if not name.endswith("__main__"))


def python(*words: str, text: str = "") -> str:
    done = subprocess.run(
        [sys.executable, *words], input=text, capture_output=True, text=True, check=False, timeout=120, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_each_module_imports_alone_without_warning_socket_or_thread():
    ignored = [word for warning in THIRD_PARTY for word in ("-W", warning)]
    told = json.loads(python("-W", "error", *ignored, "-c", NURSERY, text=json.dumps(modules())))
    assert len(told) > 50
    assert {name: trouble for name, trouble in told.items() if trouble} == {}


HELP = """
import atexit, sys
from holdfast.cli import main
atexit.register(lambda: print(*sys.modules))
sys.argv[1:] = {words}
main()
"""


@pytest.mark.parametrize("words", [["--help"], ["slo", "--help"], ["slo", "generate", "--help"]])
def test_the_command_line_starts_without_heavy_libraries(words: list[str]):
    loaded = {name.split(".")[0] for name in python("-c", HELP.format(words=words)).splitlines()[-1].split()}
    assert [name for name in HEAVY if name in loaded] == []


def test_a_command_is_not_kept_waiting_for_the_files_of_the_others():
    loaded = python("-c", HELP.format(words=["slo", "generate", "--help"])).splitlines()[-1].split()
    ours = sorted(name for name in loaded if name.startswith("holdfast.cli."))
    assert ours == [
        "holdfast.cli.groups",
        "holdfast.cli.objectives",
        "holdfast.cli.objectives.generate",
        "holdfast.cli.options",
    ]


@pytest.mark.parametrize("module", ["holdfast.plan", "holdfast.gate", "holdfast.units", "holdfast.chaos.ledger"])
def test_small_modules_stay_small(module):
    loaded = python("-c", f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})").split()
    assert [name for name in HEAVY if name in loaded] == []
