"""The files of set-up keep their promises: the lock satisfies both projects, and exit codes arrive."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?==(?P<version>[^ ;\\]+)", re.MULTILINE)


def required_by(project: Path) -> list[Requirement]:
    """Everything a pyproject.toml asks for: at run time, to develop, and to build."""
    read = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    texts = [*read["project"]["dependencies"], *read["build-system"]["requires"]]
    texts += read.get("dependency-groups", {}).get("dev", [])
    return [Requirement(text) for text in texts]


def locked() -> dict[str, list[Version]]:
    """Name -> versions; more than one where the version depends on the Python."""
    versions: dict[str, list[Version]] = {}
    for pin in PINNED.finditer(LOCK):
        versions.setdefault(canonicalize_name(pin["name"]), []).append(Version(pin["version"]))
    return versions


@pytest.mark.parametrize("project", [ROOT, ROOT / "platform/services"], ids=["holdfast", "refplatform"])
def test_the_lock_satisfies_the_project(project):
    versions = locked()
    unmet = [
        str(wanted)
        for wanted in required_by(project)
        if not versions.get(canonicalize_name(wanted.name))
        or not all(wanted.specifier.contains(version) for version in versions[canonicalize_name(wanted.name)])
    ]
    assert not unmet, f"run `make lock`: {unmet}"


def test_every_locked_package_has_a_hash():
    blocks = re.split(r"\n(?=[A-Za-z0-9])", LOCK.strip())
    assert len(blocks) == len(PINNED.findall(LOCK)) > 100
    assert all("--hash=sha256:" in block for block in blocks)


def test_the_lock_names_no_registry_and_no_folder():
    assert not re.search(r"https?://|file:|--(?:index|extra-index|find-links)|\s/\w", LOCK)


def test_set_up_installs_its_own_installer_from_the_lock():
    assert {"uv", "hatchling", "editables", "tox", "tox-uv"} <= locked().keys()


@pytest.fixture
def clone(tmp_path):
    """A clone whose set-up has nothing to do and whose `holdfast` is a script that the test writes."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "bin").mkdir()
    shutil.copy(ROOT / "bin/gate", tmp_path / "bin")
    write(tmp_path / "bin/setup", "#!/bin/sh\nexit 0\n")
    return tmp_path


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("code", [0, 1, 2, 10, 11, 70, 75])
def test_bin_gate_exits_with_the_verdicts_code_and_writes_it_down(clone, code):
    write(clone / ".venv/bin/holdfast", f'#!/bin/sh\necho "verdict of $*"\nexit {code}\n')
    gate = run("bin/gate", cwd=clone)
    assert gate.returncode == code
    assert gate.stdout == "verdict of gate quickstart --up\n"
    assert (clone / "runs/last-exit-code").read_text() == f"{code}\n"


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_make_gate_is_green_for_pass_only_and_prints_any_other_code_last(clone):
    # GNU make knows the exit codes 0 and 2 only (and 1 for --question)
    write(clone / ".venv/bin/holdfast", "#!/bin/sh\nexit 10\n")
    gate = run("make", "gate", cwd=clone)
    assert gate.returncode == 2
    assert gate.stderr.strip().splitlines()[-1].endswith("Error 10")
    assert (clone / "runs/last-exit-code").read_text() == "10\n"
    write(clone / ".venv/bin/holdfast", "#!/bin/sh\nexit 0\n")
    assert run("make", "gate", cwd=clone).returncode == 0


def test_a_failed_set_up_is_the_gates_exit_code_and_nothing_runs(clone):
    write(clone / "bin/setup", "#!/bin/sh\nexit 75\n")
    write(clone / ".venv/bin/holdfast", "#!/bin/sh\ntouch ran\n")
    assert run("bin/gate", cwd=clone).returncode == 75
    assert not (clone / "ran").exists()


@pytest.mark.parametrize(("sent", "handled"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_reaches_holdfast_which_ends_in_its_own_way(clone, sent, handled):
    # TERM goes to bin/gate alone, as `kill` sends it; INT to the whole group, as a terminal sends Ctrl-C
    write(
        clone / ".venv/bin/holdfast",
        f"#!{sys.executable}\n"
        "import signal, sys\n"
        f"signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        "print('up', flush=True)\n"
        "try:\n"
        "    signal.pause()\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(130)\n",
    )
    with subprocess.Popen(["bin/gate"], cwd=clone, stdout=subprocess.PIPE, text=True, process_group=0) as gate:
        assert gate.stdout is not None
        assert gate.stdout.readline() == "up\n"
        os.kill(gate.pid, sent) if sent == signal.SIGTERM else os.killpg(gate.pid, sent)
        assert gate.wait(timeout=30) == handled
    assert (clone / "runs/last-exit-code").read_text() == f"{handled}\n"


def set_up(tmp_path: Path, path: Path) -> subprocess.CompletedProcess[str]:
    """Run the real bin/setup in a bare clone with only `path` for programs; no Python there can be used."""
    shutil.copytree(ROOT / "bin", tmp_path / "clone/bin")
    environment = {"PATH": str(path), "HOME": str(tmp_path)}
    shell = shutil.which("sh") or "/bin/sh"
    return subprocess.run(
        [shell, "clone/bin/setup"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_without_a_usable_python_set_up_says_what_to_run_and_exits_2(tmp_path):
    tools = tmp_path / "path"
    tools.mkdir()
    for name in ("dirname", "uname", "cat", "rm", "env", "sh"):
        (tools / name).symlink_to(shutil.which(name))
    # an old Python, and a shim that is on PATH but does not run
    write(tools / "python3", '#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2 && exit 0\nexit 1\n')
    write(tools / "python3.12", "#!/bin/sh\nexit 127\n")
    answer = set_up(tmp_path, tools)
    assert answer.returncode == 2
    assert "Python 3.11 or newer is needed, and here is Python 3.9.2." in answer.stderr
    assert "run: " in answer.stderr


@pytest.mark.parametrize("script", ["bin/setup", "bin/gate", ".ci/run"])
def test_scripts_are_executable_and_their_syntax_is_right(script):
    assert os.access(ROOT / script, os.X_OK)
    shell = "bash" if script == ".ci/run" else "sh"
    subprocess.run([shell, "-n", ROOT / script], check=True)


def test_ci_runs_make_test_and_nothing_else_of_ours():
    lines = (ROOT / ".ci/run").read_text().splitlines()
    assert [line for line in lines if line.startswith("make ")] == ["make test", "make slow"]
