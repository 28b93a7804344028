"""Tools are found on PATH when new enough, else in the cache; what is missing is named with the way to get it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from holdfast.errors import ExitCode, InfrastructureError, UsageError
from holdfast.platforms.needs import NEEDS, REQUIRED, how_to_get, named, system_from, this_system
from holdfast.platforms.tools import cache_folder, locate, survey, tools_folder, version_in

DEBIAN = system_from('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n')
UBUNTU = system_from('PRETTY_NAME="Ubuntu 24.04"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n')
MINT = system_from('ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="22"\n')
SID = system_from("ID=debian\nVERSION_CODENAME=sid\n")
FEDORA = system_from('PRETTY_NAME="Fedora Linux 42"\nID=fedora\nVERSION_ID=42\n')
ARCH = system_from('PRETTY_NAME="Arch Linux"\nID=arch\n')


def program(folder: Path, name: str, says: str, code: int = 0) -> Path:
    """An executable that prints `says` and exits with `code`."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    file.chmod(0o755)
    return file


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("prometheus, version 2.42.0+ds (branch: debian/sid, revision: 2.42.0+ds-5+b5)", (2, 42, 0)),
        ("promtool, version 3.0.0-rc.1 (branch: HEAD)", (3, 0, 0)),
        ("alertmanager, version 0.25.0 (branch: debian/sid)", (0, 25, 0)),
        ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", (7, 0, 15)),
        ("Valkey server v=8.0.1 sha=00000000:0 malloc=libc bits=64", (8, 0, 1)),
        ("setpriv from util-linux 2.38.1", (2, 38, 1)),
        ("Chromium 120.0.6099.129 built on Debian 12.4, running on Debian 12.4", (120, 0, 6099, 129)),
        ("pyenv: prometheus: command not found", None),
        ("version 7", None),
        ("", None),
    ],
)
def test_a_version_is_the_first_dotted_number_that_a_program_says(said, version):
    assert version_in(said) == version


def test_versions_are_compared_as_numbers_and_not_as_text(tmp_path):
    # as text "2.9" > "2.40"; as numbers (2, 9) < (2, 40)
    program(tmp_path, "prometheus", "prometheus, version 2.9.2")
    with pytest.raises(InfrastructureError, match=r"prometheus ≥ 2\.40 \(.*/prometheus is 2\.9\.2\)"):
        locate(["prometheus"], path=str(tmp_path), cache=tmp_path / "none", system=DEBIAN)


def test_a_program_on_path_is_used_as_it_is(tmp_path):
    file = program(tmp_path / "bin", "prometheus", "prometheus, version 2.53.1")
    found = locate(["prometheus"], path=str(tmp_path / "bin"), cache=tmp_path, system=DEBIAN)["prometheus"]
    assert (found.path, found.version, found.environment) == (file, (2, 53, 1), {})


def test_debians_name_for_a_program_will_do(tmp_path):
    file = program(tmp_path, "prometheus-alertmanager", "alertmanager, version 0.25.0")
    assert locate(["alertmanager"], path=str(tmp_path), cache=tmp_path, system=DEBIAN)["alertmanager"].path == file


def test_a_too_old_program_does_not_hide_a_newer_one_further_down_path(tmp_path):
    program(tmp_path / "old", "redis-server", "Redis server v=5.0.3")
    newer = program(tmp_path / "new", "redis-server", "Redis server v=7.0.15")
    path = os.pathsep.join([str(tmp_path / "old"), str(tmp_path / "new")])
    assert locate(["redis-server"], path=path, cache=tmp_path, system=DEBIAN)["redis-server"].path == newer


def test_the_cache_serves_what_path_has_not_with_the_libraries_that_came_along(tmp_path):
    folder = tools_folder(tmp_path, DEBIAN) / "redis-server"
    libraries = folder / "usr/lib/x86_64-linux-gnu"
    libraries.mkdir(parents=True)
    file = program(folder / "usr/bin", "redis-server", "Redis server v=7.0.15")
    found = locate(["redis-server"], path="", cache=tmp_path, system=DEBIAN)["redis-server"]
    assert (found.path, found.environment) == (file, {"LD_LIBRARY_PATH": str(libraries)})


def test_programs_built_for_another_release_are_not_used(tmp_path):
    program(tools_folder(tmp_path, DEBIAN) / "redis-server" / "usr/bin", "redis-server", "Redis server v=7.0.15")
    with pytest.raises(InfrastructureError):
        locate(["redis-server"], path="", cache=tmp_path, system=UBUNTU)


@pytest.mark.parametrize("code", [1, 126, 127])
def test_a_program_that_fails_when_asked_is_not_there_whatever_it_prints(tmp_path, code):
    program(tmp_path, "promtool", "promtool, version 2.42.0", code=code)
    with pytest.raises(InfrastructureError):
        locate(["promtool"], path=str(tmp_path), cache=tmp_path, system=DEBIAN)


def test_a_file_that_cannot_start_is_not_there(tmp_path):
    program(tmp_path, "promtool", "").write_bytes(b"\x7fELF cut short")
    with pytest.raises(InfrastructureError):
        locate(["promtool"], path=str(tmp_path), cache=tmp_path, system=DEBIAN)


def test_everything_missing_is_named_at_once_with_one_command_that_gets_it(tmp_path):
    program(tmp_path, "promtool", "promtool, version 2.42.0")
    with pytest.raises(InfrastructureError) as caught:
        locate(["promtool", "prometheus", "redis-server"], path=str(tmp_path), cache=tmp_path, system=DEBIAN)
    assert str(caught.value) == "missing: prometheus ≥ 2.40, redis-server ≥ 6"
    assert "python -m holdfast.platforms.apt fetch prometheus redis-server" in caught.value.hint
    assert caught.value.exit_code == ExitCode.INFRASTRUCTURE


def test_an_unknown_tool_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(UsageError, match="no such tool: grafana") as caught:
        locate(["grafana"], path="", cache=tmp_path, system=DEBIAN)
    assert "prometheus" in caught.value.hint


@pytest.mark.parametrize(
    ("system", "slug", "apt"),
    [
        (DEBIAN, "debian-12", True),
        (UBUNTU, "ubuntu-24.04", True),
        (MINT, "linuxmint-22", True),
        (SID, "debian-sid", True),
        (FEDORA, "fedora-42", False),
        (ARCH, "arch-rolling", False),
    ],
)
def test_a_system_is_known_by_its_os_release_file(system, slug, apt):
    assert (system.slug, system.has_apt) == (slug, apt)


def test_a_system_without_an_os_release_file_is_named_by_its_kernel(tmp_path):
    system = this_system(tmp_path / "absent")
    assert (system.family, system.has_apt) == ((sys.platform,), False)


def test_fedora_is_told_one_dnf_command_by_file_so_that_a_packages_name_does_not_matter():
    assert how_to_get([NEEDS["prometheus"], NEEDS["redis-server"]], FEDORA) == (
        "run: sudo dnf install /usr/bin/prometheus /usr/bin/redis-server"
    )


def test_macos_is_told_what_to_brew_and_that_the_platform_needs_linux():
    macos = system_from("ID=darwin\n")
    told = how_to_get([NEEDS["prometheus"], NEEDS["promtool"], NEEDS["setpriv"]], macos)
    assert told.startswith("run: brew install prometheus\n")  # once, though two tools come with it
    assert "docker run" in told


def test_any_other_system_is_told_the_packages_to_look_for():
    assert "prometheus-alertmanager" in how_to_get([NEEDS["alertmanager"]], ARCH)


def test_doctors_table_has_a_row_for_every_tool_found_or_not(tmp_path):
    program(tmp_path, "prometheus", "prometheus, version 2.53.1")
    program(tmp_path, "redis-server", "Redis server v=5.0.3")
    rows = {row.tool.split(" ≥ ")[0]: row for row in survey(path=str(tmp_path), cache=tmp_path, system=DEBIAN)}
    assert rows.keys() == NEEDS.keys()
    assert (rows["prometheus"].good, rows["prometheus"].version, rows["prometheus"].get) == (True, "2.53.1", "")
    assert (rows["redis-server"].good, rows["redis-server"].version) == (False, "5.0.3")
    assert "fetch redis-server" in rows["redis-server"].get
    assert (rows["promtool"].good, rows["promtool"].version, rows["promtool"].where) == (False, "", "")
    assert all(row.needed_for for row in rows.values())


def test_only_the_browser_certificates_and_real_engines_are_optional():
    assert set(NEEDS) - set(REQUIRED) == {"chromium", "openssl", "vllm"}


def vllm(folder, version, *, code=0):
    """A console script of a Python package; its Python says the version, or fails."""
    python = program(folder, "python3", version, code=code)
    script = folder / "vllm"
    script.write_text(f"#!{python}\nraise SystemExit('nobody should import a gigabyte to hear a version')\n")
    script.chmod(0o755)
    return script


def test_the_version_of_a_python_package_is_asked_of_its_own_python(tmp_path):
    script = vllm(tmp_path, "0.33.0")
    found = locate(["vllm"], path=str(tmp_path), cache=tmp_path, system=DEBIAN)["vllm"]
    assert (found.path, found.version) == (script, (0, 33, 0))


def test_the_program_that_somebody_names_is_the_one_taken(tmp_path):
    vllm(tmp_path / "path", "0.33.0")
    script = vllm(tmp_path / "named", "0.32.0+cpu")
    given = {"vllm": str(script)}
    found = locate(["vllm"], path=str(tmp_path / "path"), cache=tmp_path, system=DEBIAN, given=given)["vllm"]
    assert (found.path, found.version) == (script, (0, 32, 0))


def test_a_named_program_that_does_not_answer_is_not_replaced_by_another(tmp_path):
    vllm(tmp_path, "0.33.0")
    with pytest.raises(UsageError, match=r"missing: vllm ≥ 0.30 \(/nowhere/vllm does not answer\)"):
        locate(["vllm"], path=str(tmp_path), cache=tmp_path, system=DEBIAN, given={"vllm": "/nowhere/vllm"})


def test_what_no_system_packages_must_be_named_by_its_user(tmp_path):
    with pytest.raises(UsageError, match=r"missing: vllm ≥ 0.30") as caught:
        locate(["vllm"], path="", cache=tmp_path, system=DEBIAN)
    assert "HOLDFAST_VLLM=PATH" in caught.value.hint


def test_the_environment_is_stronger_than_the_project():
    kept = {"vllm": "/project/vllm"}
    assert named({}, {}) == {}
    assert named({}, kept) == kept
    assert named({"HOLDFAST_VLLM": "/mine/vllm"}, kept) == {"vllm": "/mine/vllm"}


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"HOME": "/home/a"}, "/home/a/.cache/holdfast"),
        ({"HOME": "/home/a", "HOLDFAST_CACHE": "/srv/b"}, "/srv/b"),
        ({"HOME": "/home/a", "HOLDFAST_CACHE": ""}, "/home/a/.cache/holdfast"),
    ],
)
def test_downloads_are_kept_under_home_unless_told_otherwise(environ, folder):
    assert cache_folder(environ) == Path(folder)


def test_set_up_needs_nothing_but_the_standard_library():
    # -S: no site-packages, as on a machine where nothing is installed yet
    source = Path(__file__).parents[2] / "src"
    command = [sys.executable, "-S", "-m", "holdfast.platforms.apt", "fetch", "--help"]
    subprocess.run(command, env={"PYTHONPATH": str(source)}, check=True, capture_output=True)


def test_a_located_program_cannot_be_changed(tmp_path):
    program(tmp_path, "setpriv", "setpriv from util-linux 2.38.1")
    found = locate(["setpriv"], path=str(tmp_path), cache=tmp_path, system=DEBIAN)["setpriv"]
    with pytest.raises(FrozenInstanceError):
        found.version = (9, 9)
