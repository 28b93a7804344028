"""A replica's data folder where it is a small file system of its own: filled by one file, freed by its removal."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from holdfast.errors import TargetError
from holdfast.platforms.hands.places import Places

if TYPE_CHECKING:
    from holdfast.model.platform import Identity
    from holdfast.platforms.embedded import EmbeddedPlatform

LARGEST: Final = 1 << 30
"""Bytes: what is larger is somebody's disk, not a replica's."""
_BLOCK: Final = 4096


@dataclass(frozen=True, slots=True)
class Disks:
    """Implements `model.hands.Disks`."""

    platform: EmbeddedPlatform

    def fill(self, identity: Identity, mark: str) -> None:
        """Raises TargetError when its data lies with others', or on more than a gibibyte."""
        folder = self._folder(identity)
        _own(folder)
        with _file(folder, mark).open("wb", buffering=0) as file:
            _fill(file.fileno(), os.statvfs(folder).f_blocks * os.statvfs(folder).f_frsize)

    def full(self, identity: Identity) -> str:
        """Writes a block and takes it back at once."""
        folder = self._folder(identity)
        probe = folder / f".holdfast-probe-{os.getpid()}"
        try:
            _own(folder)
            with probe.open("wb", buffering=0) as file:
                file.write(bytes(_BLOCK))
                os.fsync(file.fileno())
        except TargetError:
            return ""
        except OSError as error:
            return error.strerror or str(error)
        finally:
            probe.unlink(missing_ok=True)
        return ""

    def free(self, identity: Identity, mark: str) -> None:
        """Removes the one file."""
        _file(self._folder(identity), mark).unlink(missing_ok=True)

    def _folder(self, identity: Identity) -> Path:
        return Path(self.platform.hand(Places).folder(identity))


def _file(folder: Path, mark: str) -> Path:
    return folder / f".holdfast-{mark}"


def _own(folder: Path) -> None:
    if not os.path.ismount(folder):
        raise TargetError(
            f"{folder} is no file system of its own: filling it would fill everybody's",
            hint="mount a small one there before `holdfast up`: mount -t tmpfs -o size=64m holdfast FOLDER",
        )
    found = os.statvfs(folder)
    if found.f_blocks * found.f_frsize > LARGEST:
        raise TargetError(f"{folder} is larger than {LARGEST >> 20} MiB: too large to be filled for a test")


def _fill(handle: int, size: int) -> None:
    """By halves: each step asks for less, until not even a block is to be had."""
    taken, step = 0, size
    while step >= _BLOCK:
        try:
            os.posix_fallocate(handle, taken, step)
            taken += step
        except OSError:
            step //= 2


HAND = Disks
