"""A narrow queue on a device: one class a strike under a root that passes everything else, as if it were not there.

The kernel puts a packet into a class by the packet's priority, which a rule of the packet filter sets. So the filter's
lease is the queue's too: without the rule nothing enters the class.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import crc32

from holdfast.errors import InfrastructureError, TargetError
from holdfast.model.hands import Network

if TYPE_CHECKING:
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver

HANDLE: Final = "4f1d"
"""By which our root is told from anybody's; several strikes share it."""


class Passed(NamedTuple):
    """Packets that a class has let pass, and bytes that wait in it now."""

    packets: int
    waiting: int


def name(strike: Strike) -> str:
    """The class of a strike: 1 to ffff after the root's handle."""
    return f"{HANDLE}:{1 + crc32(strike.id.encode()) % 0xFFFF:x}"


def words(device: str, strike: Strike, kbit: int) -> tuple[tuple[str, ...], ...]:
    """What makes the root, and the class below it. A quantum beyond the largest packet of the loopback."""
    root = ("tc", "qdisc", "add", "dev", device, "root", "handle", f"{HANDLE}:", "htb")
    below = ("tc", "class", "replace", "dev", device, "parent", f"{HANDLE}:", "classid", name(strike))
    return root, (*below, "htb", "rate", f"{kbit}kbit", "quantum", "66000")


def make(driver: Driver, strike: Strike, kbit: int) -> None:
    """Raises TargetError when somebody else's queue is there already."""
    device = driver.hand(Network).device(strike.target)
    kind = _root(driver, strike, device)
    root, below = words(device, strike, kbit)
    if kind == "other":
        raise TargetError(f"the device {device} has a queue of somebody else's", hint=f"tc qdisc show dev {device}")
    if kind == "none":
        _run(driver, strike, root)
    _run(driver, strike, below)


def seen(driver: Driver, strike: Strike) -> Passed | None:
    """What the class of a strike has done; None when there is none."""
    printed = _classes(driver, strike, driver.hand(Network).device(strike.target))
    for part in re.split(r"^class ", printed, flags=re.MULTILINE):
        if part.startswith(f"htb {name(strike)} "):
            return _passed(part)
    return None


def scrap(driver: Driver, strike: Strike) -> None:
    """Delete the class, and the root after the last one; what is not there, or goes meanwhile, is no trouble."""
    device = driver.hand(Network).device(strike.target)
    if _root(driver, strike, device) != "ours":
        return
    if seen(driver, strike) is not None:
        _try(driver, strike, ("tc", "class", "del", "dev", device, "classid", name(strike)))
    if not _classes(driver, strike, device).strip():
        _try(driver, strike, ("tc", "qdisc", "del", "dev", device, "root", "handle", f"{HANDLE}:"))


def _passed(text: str) -> Passed:
    sent = re.search(r"Sent \d+ bytes (\d+) pkt ", text)
    queued = re.search(r"backlog (\d+)([KM]?)b", text)
    if sent is None or queued is None:
        raise InfrastructureError(f"tc says of a class what cannot be read: {text!r}")
    return Passed(int(sent[1]), int(queued[1]) * _SIZES[queued[2]])


_SIZES: Final = {"": 1, "K": 1 << 10, "M": 1 << 20}
"""As tc rounds what lies within 16 bytes of a whole kibibyte, or 1024 of a mebibyte (iproute2, print_size)."""


def _root(driver: Driver, strike: Strike, device: str) -> str:
    """Whose root queue the device has: none's, ours, other."""
    found = json.loads(_run(driver, strike, ("tc", "-j", "qdisc", "show", "dev", device, "root")) or "[]")
    if all(one.get("kind") == "noqueue" for one in found):
        return "none"
    return "ours" if all(one.get("handle") == f"{HANDLE}:" for one in found) else "other"


def _classes(driver: Driver, strike: Strike, device: str) -> str:
    return _run(driver, strike, ("tc", "-s", "class", "show", "dev", device, "parent", f"{HANDLE}:"))


def _run(driver: Driver, strike: Strike, command: tuple[str, ...]) -> str:
    return driver.hand(Network).command(strike.target, command)


def _try(driver: Driver, strike: Strike, command: tuple[str, ...]) -> None:
    """Two may take back at once; the later finds nothing, and who looks whether it is gone sees what is left."""
    try:
        _run(driver, strike, command)
    except InfrastructureError:
        return
