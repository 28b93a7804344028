"""Which platform is meant: the one place that knows all drivers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdfast.errors import PlatformError
from holdfast.platforms import kubernetes
from holdfast.platforms.kubernetes import KubernetesPlatform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from holdfast.model.platform import Driver

BEARS_LOAD: Final = frozenset({"embedded"})
"""Drivers on which a scenario can be played; on the others single experiments can."""


def connect(state: Path) -> Driver:
    """The running platform whose state lies in this folder. Raises PlatformError when there is none."""
    if (state / kubernetes.RECORD).is_file():
        return KubernetesPlatform.load(state)
    from holdfast.platforms.embedded import EmbeddedPlatform  # noqa: PLC0415 - a driver is imported when it is meant

    return EmbeddedPlatform.load(state)


def meant(state: Path, driver: str) -> Driver:
    """The platform of that kind: the embedded one in this folder, or the cluster that KUBECONFIG names.

    Raises PlatformError when it is not there, or there is no such driver.
    """
    if driver == kubernetes.NAME and not (state / kubernetes.RECORD).is_file():
        return KubernetesPlatform.open(state)
    found = connect(state)
    if found.name != driver:
        raise PlatformError(f"driver {driver} is needed, and the platform in {state} has {found.name}")
    return found


def every(state: Path) -> Iterator[Driver]:
    """The embedded platform of this folder, and every cluster that faults were written down for. Raises PlatformError.

    Where there are clusters no embedded platform needs to be up.
    """
    found = list(kubernetes.clusters(state))
    try:
        yield connect(state)
    except PlatformError:
        if not found:
            raise
    yield from map(KubernetesPlatform.load, found)
