"""Fetching is apt's download and dpkg's unpacking into a folder: whole or not at all, and nothing is installed.

Real apt-get and dpkg work here on a package source in a folder, with packages that the tests build. No network.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from holdfast.errors import ExitCode, InfrastructureError, UsageError
from holdfast.platforms.apt import cause, fetch, main, run_command
from holdfast.platforms.needs import system_from
from holdfast.platforms.tools import locate, tools_folder

if TYPE_CHECKING:
    from pathlib import Path

DEBIAN = system_from("ID=debian\nVERSION_ID=12\n")
FEDORA = system_from('PRETTY_NAME="Fedora Linux 42"\nID=fedora\nVERSION_ID=42\n')

needs_apt = pytest.mark.skipif(
    not (shutil.which("apt-get") and shutil.which("dpkg-deb")), reason="apt-get and dpkg-deb are Debian's and Ubuntu's"
)


class Source:
    """A folder that apt reads packages from, with Debian's flat layout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "pool").mkdir(parents=True)
        self.entries: list[str] = []
        (folder / "Packages").write_text("")

    def add(self, package: str, programs: dict[str, str], depends: str = "") -> None:
        """Build a real .deb whose programs print a version, and list it. Its postinst would leave a trace."""
        tree = self.folder / "build" / package
        (tree / "DEBIAN").mkdir(parents=True)
        control = (
            f"Package: {package}\nVersion: 1.0\nArchitecture: all\nMaintainer: T <t@example.org>\nDescription: test\n"
        )
        control += f"Depends: {depends}\n" if depends else ""
        (tree / "DEBIAN/control").write_text(control)
        postinst = tree / "DEBIAN/postinst"
        postinst.write_text(f"#!/bin/sh\ntouch {self.folder}/daemon-started\n")
        postinst.chmod(0o755)
        (tree / "usr/bin").mkdir(parents=True)
        for name, says in programs.items():
            (tree / "usr/bin" / name).write_text(f"#!/bin/sh\necho '{says}'\n")
            (tree / "usr/bin" / name).chmod(0o755)
        deb = self.folder / "pool" / f"{package}.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, deb], check=True, capture_output=True)
        content = deb.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        self.entries.append(f"{control}Filename: ./pool/{package}.deb\nSize: {len(content)}\nSHA256: {digest}\n")
        (self.folder / "Packages").write_text("\n".join(self.entries))


@pytest.fixture
def source(tmp_path, monkeypatch):
    """apt's only source is a folder of this test; its hooks must not run."""
    made = Source(tmp_path / "source")
    (tmp_path / "sources.list").write_text(f"deb [trusted=yes] copy:{made.folder} ./\n")
    hook = f'APT::Update::Post-Invoke {{ "touch {made.folder}/hook-ran"; }};\n'
    (tmp_path / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{tmp_path}/sources.list";\nDir::Etc::sourceparts "-";\n{hook}'
    )
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    return made


def redis(source: Source, version: str = "7.0.15") -> None:
    source.add("redis-server", {"redis-server": f"Redis server v={version}"}, depends="holdfast-test-library")
    source.add("holdfast-test-library", {"library-tool": "1.0"})


def everything_in(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


@needs_apt
def test_a_fetched_program_is_found_and_everything_it_needs_came_along(source, tmp_path):
    redis(source)
    lines: list[str] = []
    fetch(["redis-server"], cache=tmp_path / "cache", system=DEBIAN, say=lines.append)
    found = locate(["redis-server"], path="", cache=tmp_path / "cache", system=DEBIAN)["redis-server"]
    assert found.version == (7, 0, 15)
    assert (found.path.parent / "library-tool").exists()
    assert lines[0].startswith("getting redis-server by apt into ")
    assert "redis-server: 2 packages" in lines[1]


@needs_apt
def test_no_packages_script_and_no_hook_of_apt_runs(source, tmp_path):
    redis(source)
    fetch(["redis-server"], cache=tmp_path / "cache", system=DEBIAN)
    assert {"daemon-started", "hook-ran"}.isdisjoint(everything_in(source.folder))


@needs_apt
def test_only_the_programs_are_left_no_lists_and_no_archives(source, tmp_path):
    redis(source)
    fetch(["redis-server"], cache=tmp_path / "cache", system=DEBIAN)
    assert everything_in(tools_folder(tmp_path / "cache", DEBIAN)) == {".lock", "redis-server"}


@needs_apt
def test_a_second_fetch_leaves_what_works_alone_and_asks_nobody(source, tmp_path):
    redis(source)
    fetch(["redis-server"], cache=tmp_path / "cache", system=DEBIAN)
    asked: list[str] = []
    fetch(
        ["redis-server"],
        cache=tmp_path / "cache",
        system=DEBIAN,
        run=asked.append,
        say=asked.append,
    )
    assert asked == []


@needs_apt
def test_tools_of_one_package_are_fetched_once(source, tmp_path):
    source.add("prometheus", {"prometheus": "prometheus, version 2.42.0", "promtool": "promtool, version 2.42.0"})
    downloads: list[str] = []

    def counted(words):
        downloads.extend(words[-1:] if "install" in words else [])
        return run_command(words)

    fetch(["promtool", "prometheus"], cache=tmp_path / "cache", system=DEBIAN, run=counted)
    assert downloads == ["prometheus"]
    locate(["prometheus", "promtool"], path="", cache=tmp_path / "cache", system=DEBIAN)


@needs_apt
def test_a_broken_program_in_the_cache_is_replaced(source, tmp_path):
    redis(source)
    broken = tools_folder(tmp_path / "cache", DEBIAN) / "redis-server" / "usr/bin/redis-server"
    broken.parent.mkdir(parents=True)
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    fetch(["redis-server"], cache=tmp_path / "cache", system=DEBIAN)
    locate(["redis-server"], path="", cache=tmp_path / "cache", system=DEBIAN)


@needs_apt
def test_a_package_that_is_too_old_is_refused_and_nothing_is_kept(source, tmp_path):
    redis(source, version="5.0.3")
    with pytest.raises(
        InfrastructureError, match=r"this system's redis-server is 5\.0\.3, and redis-server ≥ 6 is needed"
    ):
        fetch(["redis-server"], cache=tmp_path / "cache", system=DEBIAN)
    assert everything_in(tools_folder(tmp_path / "cache", DEBIAN)) == {".lock"}


@needs_apt
def test_a_package_without_the_program_is_refused(source, tmp_path):
    source.add("redis-server", {"something-else": "1.0"})
    with pytest.raises(InfrastructureError, match="holds no redis-server that starts"):
        fetch(["redis-server"], cache=tmp_path / "cache", system=DEBIAN)


@needs_apt
def test_a_package_that_no_source_has_is_named_with_what_the_sources_must_hold(source, tmp_path):
    with pytest.raises(InfrastructureError, match="Unable to locate package redis-server") as caught:
        fetch(["redis-server"], cache=tmp_path / "cache", system=DEBIAN)
    assert "universe" in caught.value.hint


@needs_apt
def test_a_package_damaged_on_its_way_is_refused(source, tmp_path):
    redis(source)
    with (source.folder / "pool/redis-server.deb").open("ab") as deb:
        deb.write(b"damage")
    with pytest.raises(InfrastructureError):
        fetch(["redis-server"], cache=tmp_path / "cache", system=DEBIAN)
    assert everything_in(tools_folder(tmp_path / "cache", DEBIAN)) == {".lock"}


@needs_apt
def test_a_fetch_killed_half_way_leaves_nothing_half_there_and_the_next_one_sweeps_up(source, tmp_path):
    redis(source)
    tools = tools_folder(tmp_path / "cache", DEBIAN)
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from holdfast.platforms.apt import fetch, run_command\n"
        "from holdfast.platforms.needs import system_from\n"
        "def killed(words):\n"
        "    if words[0] == 'dpkg':\n"
        "        run_command(words)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return run_command(words)\n"
        "debian = system_from('ID=debian\\nVERSION_ID=12')\n"
        "fetch(['redis-server'], cache=Path(sys.argv[1]), run=killed, system=debian)\n"
    )
    died = subprocess.run([sys.executable, "-c", script, str(tmp_path / "cache")], check=False, capture_output=True)
    assert died.returncode == -9
    assert not (tools / "redis-server").exists()
    assert any(name.startswith(".fetch-") for name in everything_in(tools))
    fetch(["redis-server"], cache=tmp_path / "cache", system=DEBIAN)
    assert everything_in(tools) == {".lock", "redis-server"}


@needs_apt
def test_two_fetches_at_once_wait_for_each_other_and_download_once(source, tmp_path):
    redis(source)
    tools = tools_folder(tmp_path / "cache", DEBIAN)
    tools.mkdir(parents=True)
    lines: list[str] = []
    waiting = threading.Event()

    def say(line: str) -> None:
        lines.append(line)
        waiting.set()

    second = threading.Thread(target=lambda: fetch(["redis-server"], cache=tmp_path / "cache", system=DEBIAN, say=say))
    with (tools / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the first fetch, at work
        second.start()
        assert waiting.wait(timeout=30)
        assert "another set-up" in lines[0]
        done = tools / "redis-server/usr/bin/redis-server"
        done.parent.mkdir(parents=True)
        done.write_text("#!/bin/sh\necho 'Redis server v=7.0.15'\n")
        done.chmod(0o755)
    second.join(timeout=30)
    assert not second.is_alive()
    assert len(lines) == 1  # it found the first one's work and fetched nothing


def test_a_system_without_apt_is_told_what_to_install_and_the_exit_code_is_that_of_usage(tmp_path):
    with pytest.raises(UsageError, match="Fedora Linux 42 has no apt") as caught:
        fetch(["prometheus"], cache=tmp_path, system=FEDORA)
    assert caught.value.exit_code == ExitCode.USAGE
    assert caught.value.hint == "run: sudo dnf install /usr/bin/prometheus"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("W: Failed to fetch x  Temporary failure resolving 'deb.debian.org'", "cannot be reached"),
        ("E: Could not connect to 127.0.0.1:9 (127.0.0.1). - connect (111: Connection refused)", "cannot be reached"),
        ("E: Unable to locate package prometheus", "universe"),
        ("E: Package 'prometheus' has no installation candidate", "universe"),
        ("E: You don't have enough free space in /home/a/.cache", "disk is full"),
        ("dpkg-deb: error: failed to write (No space left on device)", "disk is full"),
        # without a network apt also cannot locate the package; the first cause is the one to mend
        ("W: Temporary failure resolving 'x'\nE: Unable to locate package prometheus", "cannot be reached"),
        ("E: something nobody has seen before", ""),
    ],
)
def test_what_apt_says_becomes_what_to_do(said, advice):
    assert advice in cause(said)
    assert bool(cause(said)) == bool(advice)


@needs_apt
def test_without_a_network_the_message_says_so(tmp_path, monkeypatch):
    # port 9 (discard) of this machine: refused at once
    (tmp_path / "sources.list").write_text("deb [trusted=yes] http://127.0.0.1:9/debian ./\n")
    (tmp_path / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{tmp_path}/sources.list";\nDir::Etc::sourceparts "-";\nAcquire::http::Proxy "DIRECT";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))

    def impatient(words):
        return run_command([*words, "-o", "Acquire::Retries=0"])

    with pytest.raises(InfrastructureError) as caught:
        fetch(["redis-server"], cache=tmp_path / "cache", system=DEBIAN, run=impatient)
    assert "cannot be reached" in caught.value.hint


@needs_apt
def test_one_package_is_unpacked_for_set_up_itself_or_the_reason_is_printed(source, tmp_path, capsys):
    source.add("holdfast-test-wheel", {"wheel": "1.0"})
    assert main(["unpack", "holdfast-test-wheel", "--into", str(tmp_path / "whl")], os.environ) == 0
    assert (tmp_path / "whl/usr/bin/wheel").exists()
    assert main(["unpack", "no-such-package", "--into", str(tmp_path / "other")], os.environ) == ExitCode.INFRASTRUCTURE
    assert "Unable to locate package no-such-package" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


@pytest.mark.e2e
@needs_apt
def test_the_real_packages_of_this_system_hold_programs_that_run(tmp_path):
    try:
        fetch(["prometheus", "promtool", "alertmanager", "redis-server"], cache=tmp_path)
    except InfrastructureError as error:
        if "cannot be reached" in error.hint:
            pytest.skip(f"offline: {error}")
        raise
    found = locate(["prometheus", "promtool", "alertmanager", "redis-server"], path="", cache=tmp_path)
    assert all(program.path.is_relative_to(tmp_path) for program in found.values())
