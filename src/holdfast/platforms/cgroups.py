"""Groups of processes in the kernel's words: cgroup version 1, a tree for each resource, or version 2, one for all.

A group is made inside the one where its processes are (version 1) or beside it (version 2, where a group that has
processes may have no others below it), under a name that says where they belong: nothing else need be remembered to put
them back.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from holdfast.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PERIOD: Final = 100_000
"""Microseconds over which a share of a core is counted."""
_EMPTYING: Final = 2.0
"""Seconds that processes may take to leave a group: the dying are counted in until they are gone."""
_NAME: Final = "holdfast-"
_CONTROLLERS: Final = {"cpu": {"cpu"}, "memory": {"memory"}, "io": {"io", "blkio"}}
"""What bounds each of these, in the words of either version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Where controllers ("cpu", "memory") are mounted, of which version, and what part of the whole is seen there."""

    mount: Path
    version: int
    controllers: frozenset[str]
    root: str = "/"

    def home(self, pid: int) -> Path:
        """The folder of the group in which a process is. Raises TargetError when this mount does not show it."""
        for line in _read(Path(f"/proc/{pid}/cgroup")).splitlines():
            number, names, path = line.split(":", 2)
            mine = number == "0" if self.version == 2 else self.controllers & set(names.split(","))  # noqa: PLR2004
            if mine and Path(path).is_relative_to(self.root):
                return self.mount / Path(path).relative_to(self.root)
        raise TargetError(f"process {pid} is gone, or its group is not seen from here")

    def group(self, home: Path, mark: str) -> Path:
        """The folder of the group that bears a mark, for processes whose group is `home`."""
        if self.version == 1:
            return home / f"{_NAME}{mark}"
        return self.mount / f".{_NAME}{mark}" if home == self.mount else home.with_name(f"{home.name}.{_NAME}{mark}")

    def origin(self, group: Path) -> Path:
        """The inverse of `group`: where its processes came from."""
        name = group.name.rpartition(f".{_NAME}")[0]
        return group.with_name(name) if self.version == 2 and name else group.parent  # noqa: PLR2004

    def find(self, mark: str) -> tuple[Path, ...]:
        """Every group that bears the mark; more than one only when somebody meddled."""
        return tuple(path for path in self.mount.rglob(f"*{_NAME}{mark}") if path.is_dir())


def trees(mounts: str) -> dict[str, Tree]:
    """The trees that a /proc/PID/mountinfo tells of, by what they bound: "cpu", "memory", "io", where there is one."""
    found = list(_mounted(mounts))
    return {name: tree for name, words in _CONTROLLERS.items() for tree in found if words & tree.controllers}


def here() -> dict[str, Tree]:
    """The trees of this machine."""
    return trees(_read(Path("/proc/self/mountinfo")))


def marked(home: Path) -> bool:
    """Whether a group is one that was made here."""
    return _NAME in home.name


def _mounted(mounts: str) -> Iterator[Tree]:
    for line in mounts.splitlines():
        front, _, back = line.partition(" - ")
        root, mount = front.split()[3:5]
        kind, _, options = back.split(None, 2)
        # A mount goes by the order of the file: of two for the same, the later one is taken.
        if kind == "cgroup":
            yield Tree(mount=Path(mount), version=1, controllers=frozenset(options.split(",")), root=root)
        if kind == "cgroup2":
            able = frozenset(_read(Path(mount) / "cgroup.controllers").split())
            yield Tree(mount=Path(mount), version=2, controllers=able, root=root)


def bounds(
    version: int, *, cpus: float | None = None, memory: int | None = None, disk: tuple[str, int] | None = None
) -> dict[str, dict[str, str]]:
    """For each controller that is needed for so many cores and bytes: its files, and what to write into them. Pure.

    `disk` is the number of one, and bytes a second.
    """
    found = {}
    if cpus is not None:
        quota = str(max(1000, round(cpus * PERIOD)))
        one = {"cpu.cfs_period_us": str(PERIOD), "cpu.cfs_quota_us": quota}
        found["cpu"] = one if version == 1 else {"cpu.max": f"{quota} {PERIOD}"}
    if memory is not None:
        found["memory"] = {"memory.limit_in_bytes" if version == 1 else "memory.max": str(memory)}
    if disk is not None:
        number, rate = disk
        two = {"io.max": f"{number} rbps={rate} wbps={rate}"}
        ways = ("read", "write")
        found["io"] = two if version != 1 else {f"blkio.throttle.{way}_bps_device": f"{number} {rate}" for way in ways}
    return found


def disk(folder: Path, devices: Path = Path("/sys/dev/block")) -> str:
    """The number of the whole disk on which a folder lies, "254:0". Raises TargetError when it lies on none."""
    try:
        found = folder.stat().st_dev
        device = (devices / f"{os.major(found)}:{os.minor(found)}").resolve(strict=True)
        whole = device.parent if (device / "partition").exists() else device
        return (whole / "dev").read_text(encoding="ascii").strip()
    except OSError as error:
        raise TargetError(
            f"{folder} lies on no disk that could be slowed down", hint="a state folder on a disk: up --state FOLDER"
        ) from error


def make(tree: Tree, group: Path, files: Mapping[str, str]) -> None:
    """A new group with these bounds. Raises TargetError with the kernel's reason when it cannot be had."""
    try:
        group.mkdir(exist_ok=True)
        for name, value in files.items():
            (group / name).write_text(value, encoding="ascii")
    except OSError as error:
        with contextlib.suppress(OSError):
            group.rmdir()
        raise TargetError(f"no group can be made in {tree.mount}: {error.strerror}", hint="holdfast doctor") from error


def enter(group: Path, pids: Iterable[int]) -> None:
    """Move processes into a group; one that is gone is passed over. Raises TargetError when the kernel refuses."""
    for pid in pids:
        try:
            (group / "cgroup.procs").write_text(str(pid), encoding="ascii")
        except OSError as error:
            if error.errno != errno.ESRCH:
                raise TargetError(f"process {pid} cannot be put into {group}: {error.strerror}") from error


def members(group: Path) -> tuple[int, ...]:
    """Its processes; none when it is gone."""
    return tuple(map(int, _read(group / "cgroup.procs").split()))


def remove(tree: Tree, group: Path) -> None:
    """Put its processes back to where they came from and remove it. What does not go in time is left there."""
    deadline = time.monotonic() + _EMPTYING
    while group.is_dir():
        enter(tree.origin(group), members(group))
        try:
            group.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                return
            time.sleep(0.02)


def count(group: Path, file: str, key: str = "") -> int:
    """The number in a file of a group, alone or behind `key`; 0 when it is not there."""
    words = _read(group / file).split()
    behind = words[words.index(key) + 1 :] if key in words else [] if key else words
    return int(behind[0]) if behind and behind[0].isdigit() else 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
