"""A replica's processes in a control group of their own, with guests of a fault beside them."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from holdfast.errors import InfrastructureError, TargetError
from holdfast.model.hands import Census, Pace
from holdfast.platforms import cgroups, pids, sidecars, synced
from holdfast.platforms.hands.places import Places

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.model.platform import Identity
    from holdfast.platforms.cgroups import Tree
    from holdfast.platforms.embedded import EmbeddedPlatform
    from holdfast.platforms.pids import Incarnation

_BEGINS: Final = 10.0
"""Seconds in which a program must have begun to write."""
_LONGEST: Final = 2.0
"""Seconds for which its write is waited for: behind what the replica itself has to write it may take very long."""
_DYING: Final = 0.5
"""Seconds that guests have to be gone before the group goes: one that waits for a slow disk dies only after that."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Implements `model.hands.Groups`."""

    platform: EmbeddedPlatform

    def confine(
        self,
        identity: Identity,
        mark: str,
        *,
        cpus: float | None = None,
        memory: int | None = None,
        rate: int | None = None,
    ) -> None:
        """Raises TargetError when it is gone, may not be touched, is confined already, or no group can be had."""
        who = self.platform.process(identity)
        disk = None if rate is None else (self.disk(identity), rate)
        wanted = (name for name, bound in (("cpu", cpus), ("memory", memory), ("io", disk)) if bound is not None)
        try:
            for name in wanted:
                tree = _tree(name)
                _confine(who, mark, tree, cgroups.bounds(tree.version, cpus=cpus, memory=memory, disk=disk)[name])
        except TargetError:
            self.dissolve(mark)
            raise

    def invite(self, mark: str, words: Sequence[str]) -> None:
        """Start a program in the group. Raises TargetError when there is none."""
        groups = [group for _, group in _groups(mark)]
        if not groups:
            raise TargetError(f"there is no group of {mark} to start anything in")
        sidecars.start(mark, words, groups=groups)

    def disk(self, identity: Identity) -> str:
        """Its data folder's. Raises TargetError when that lies on none, or no group can bound one."""
        _tree("io")
        return cgroups.disk(self._folder(identity))

    def pace(self, identity: Identity, mark: str, size: int) -> Pace | None:
        """Once here, once by a program in the group where it is now; no more than `_LONGEST` is said of that one."""
        who = pids.parse(identity.unit)
        if who is None or not pids.exists(who):
            return None
        folder, home = str(self._folder(identity)), _tree("io").home(who.pid)
        try:
            return Pace(outside=synced.seconds(folder, size), inside=_inside(mark, home, folder, size))
        except (OSError, InfrastructureError) as error:
            raise TargetError(f"nothing can be said of writes to {folder}: {error}") from error

    def prolong(self, mark: str) -> None:
        """Guests may go on."""
        sidecars.renew(mark)

    def holds(self, identity: Identity, mark: str) -> bool:
        """Whether every process of this incarnation is in the group."""
        who = pids.parse(identity.unit)
        mine = {one.pid for one in pids.group(who)} if who else set()
        groups = _groups(mark)
        return bool(mine) and bool(groups) and all(mine <= set(cgroups.members(group)) for _, group in groups)

    def census(self, mark: str) -> Census | None:
        """What the kernel counted; None without a group."""
        groups = _groups(mark)
        if not groups:
            return None
        guests = sidecars.of(mark)
        v2 = groups[0][0].version == 2  # noqa: PLR2004 - the version
        kills = ("memory.events", "oom_kill") if v2 else ("memory.oom_control", "oom_kill")
        return Census(
            kills=max(cgroups.count(group, *kills) for _, group in groups),
            throttled=max(cgroups.count(group, "cpu.stat", "nr_throttled") for _, group in groups),
            memory=max(
                cgroups.count(group, "memory.current" if v2 else "memory.usage_in_bytes") for _, group in groups
            ),
            guests=len(guests),
            spent=sum(map(pids.spent, guests)),
        )

    def dissolve(self, mark: str) -> None:
        """Guests end, the others go back, the group is removed."""
        sidecars.end(mark, _DYING)
        for tree, group in _groups(mark):
            cgroups.remove(tree, group)
        sidecars.end(mark)

    def _folder(self, identity: Identity) -> Path:
        return Path(self.platform.hand(Places).folder(identity))


def _confine(who: Incarnation, mark: str, tree: Tree, files: Mapping[str, str]) -> None:
    home = tree.home(who.pid)
    group = tree.group(home, mark)
    if home != group:  # version 2 has one group for both bounds
        if cgroups.marked(home):
            raise TargetError(f"process {who.pid} is confined already, in {home.name}", hint="holdfast chaos status")
        cgroups.make(tree, group, files)
    else:
        cgroups.make(tree, home, files)
    # What it starts while we move it is found by looking again.
    while left := {one.pid for one in pids.group(who)} - set(cgroups.members(group)):
        cgroups.enter(group, left)


def _inside(mark: str, group: Path, folder: str, size: int) -> float:
    near, far = os.pipe()
    try:
        try:
            words = (sys.executable, "-SI", synced.__file__, folder, str(size))
            sidecars.start(mark, words, groups=[group], out=far)
        finally:
            os.close(far)
        return synced.heard(near, begun=_BEGINS, done=_LONGEST)
    finally:
        os.close(near)


def _tree(name: str) -> Tree:
    found = cgroups.here().get(name)
    if found is None:
        raise TargetError(f"no control groups for {name} are mounted on this machine", hint="holdfast doctor")
    return found


def _groups(mark: str) -> tuple[tuple[Tree, Path], ...]:
    trees = dict.fromkeys(cgroups.here().values())
    return tuple((tree, group) for tree in trees for group in tree.find(mark))


HAND = Groups
