"""The fault contract: apply, observe, undo, see gone. None of the four may be left out, and none knows a platform.

A fault reaches the world through the driver alone: its verbs (`model.platform.Driver`), and its hands, what one kind of
platform can do and another cannot (`model.hands`), which `driver.hand(Kind)` gives or refuses with a reason.
"""

from __future__ import annotations

import os
import shutil
import sys
from abc import ABC, abstractmethod
from importlib.util import find_spec
from inspect import isfunction, isroutine
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import ValidationError

from holdfast.errors import TargetError
from holdfast.model import hands
from holdfast.spec.shapes import Strict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from holdfast.model.fault import Sight, Strike, Words
    from holdfast.model.platform import Driver


class Options(Strict):
    """Base of a fault's parameters: unknown keys are refused; a field's description is its documentation."""


class Fault(ABC):
    """One way to break one replica. Waiting, limits, leases and the written record are not its business.

    Each part is called from any process that read the strike, in any order, more than once: `undo` without `apply`
    changes nothing, `gone` is true where nothing was struck. What cannot be told raises; it is never "seen".
    """

    title: ClassVar[str]
    """What the target is, in a few words: "killed"."""
    family: ClassVar[str]
    """process, resource, network, answer, engine, dependency, configuration, load or kubernetes."""
    words: ClassVar[Words]
    needs: ClassVar[tuple[str, ...]] = ()
    """"root", NET_ADMIN, and programs by name."""
    Options: ClassVar[type[Options]] = Options
    bites_within: ClassVar[float] = 5.0
    """Seconds after `apply` in which it is to be seen: the fault's tolerance in time."""
    gone_within: ClassVar[float] = 30.0
    """Seconds after `undo` in which it is to be seen gone."""
    shared: ClassVar[bool] = False
    """Whether it strikes every replica of the role by its nature, so that none beside the target is spared."""

    def reach(self, driver: Driver, strike: Strike) -> None:  # noqa: ARG002 - some targets lack what others have
        """Look, before anything is written down, whether this platform has what striking and undoing need.

        Touches nothing. Raises TargetError when it has not, or this target has not.
        """
        for kind in asked_hands(self):
            driver.hand(kind)

    @abstractmethod
    def apply(self, driver: Driver, strike: Strike) -> None:
        """Break it. Raises TargetError when the target is no longer what it was."""

    @abstractmethod
    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """Whether the fault is seen to be there now, by its effect and not by its settings."""

    def renew(self, driver: Driver, strike: Strike) -> None:  # noqa: B027 - most have no end of their own
        """Put off by `strike.lease` the end that the mechanism itself would bring; must not strike anew."""

    @abstractmethod
    def undo(self, driver: Driver, strike: Strike) -> None:
        """Start taking it back; doing so twice, or without a fault, changes nothing."""

    @abstractmethod
    def gone(self, driver: Driver, strike: Strike) -> Sight:
        """Whether the fault is seen to be gone and the replica, or its successor, to serve again."""

    def patience(self, options: Mapping[str, Any]) -> float:  # noqa: ARG002 - for those whose strikes say it
        """Seconds after `undo` in which one with these options is to be seen gone."""
        return self.gone_within

    def commands(self, driver: Driver, strike: Strike) -> tuple[str, ...]:  # noqa: ARG002 - for those who have some
        """The exact commands that `apply` would run, for a dry run; it looks at the target and touches nothing."""
        return ()

    def places(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """What stands where its words name an option. Raises TargetError for wrong options."""
        found: dict[str, Any] = self.read(options).model_dump()
        return found

    def read(self, options: Mapping[str, Any]) -> Any:
        """The options as their own shape. Raises TargetError with every problem."""
        try:
            return self.Options.model_validate(dict(options))
        except ValidationError as error:
            told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            raise TargetError(f"{type(self).__name__} does not take these options: {told}") from error


NET_ADMIN: Final = "CAP_NET_ADMIN"
"""Root in a container often lacks it (capabilities(7), bit 12)."""


def _may_change_networks() -> bool:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return any(int(line.split()[1], 16) & (1 << 12) for line in lines if line.startswith("CapEff:"))


CHAOSK8S: Final = "chaostoolkit-kubernetes"
DRIVER: Final = "driver kubernetes"
"""What its platform must be is for the platform to say, by its hands."""


def missing(fault: Fault) -> tuple[str, ...]:
    """What this machine or user lacks of what a fault needs."""
    lacks = {
        "root": os.geteuid() != 0,
        NET_ADMIN: not _may_change_networks(),
        CHAOSK8S: find_spec("chaosk8s") is None,
        DRIVER: False,
    }
    return tuple(need for need in fault.needs if lacks.get(need, need != "root" and shutil.which(need) is None))


_PACKAGE: Final = __name__.rpartition(".")[0]
_KINDS: Final = frozenset(
    one for one in vars(hands).values() if getattr(one, "_is_protocol", False) and one.__module__ == hands.__name__
)


def asked_hands(fault: Fault) -> tuple[type, ...]:
    """The kinds of hand that its code can ask a driver for: those that its module, or what that shares, imports."""
    todo, seen = [type(fault).__module__], set[str]()
    found: dict[str, type] = {}
    while todo:
        name = todo.pop()
        if name in seen or not name.startswith(_PACKAGE + "."):
            continue
        seen.add(name)
        for value in vars(sys.modules[name]).values():
            if isinstance(value, type) and value in _KINDS:
                found[value.__name__] = value
            todo.append(value.__name__ if isinstance(value, ModuleType) else _home(value))
    return tuple(found[name] for name in sorted(found))


def _home(value: object) -> str:
    """Where a class or function was written."""
    known = isinstance(value, type) or isfunction(value) or isroutine(value)
    return str(getattr(value, "__module__", "") or "") if known else ""
