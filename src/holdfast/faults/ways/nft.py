"""The packet filter's language: what a fault asks of the kernel as text, and what the kernel says back as values.

Everything of one strike is one table that bears its id. Its rules look at nothing but the set `struck`, and each
element there ends by itself when the lease does: the table is still there then and does nothing. No process is needed.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from holdfast.errors import TargetError
from holdfast.model.hands import Address

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FILTER: Final = ("nft", "-f", "-")
TABLES: Final = ("nft", "-j", "list", "tables", "inet")

TOWARDS: Final = "ip daddr . tcp dport @struck"
"""Packets towards a struck address."""
FROM: Final = "ip saddr . tcp sport @struck"
"""Packets that come from it."""
ASKING: Final = "ip daddr . tcp dport . ip saddr . tcp sport @struck"
"""Packets of a struck connection towards the replica."""
ANSWERING: Final = "ip saddr . tcp sport . ip daddr . tcp dport @struck"
"""Packets of it that come from the replica."""
NO_RESET: Final = "tcp flags & rst == 0"
"""A reset that answers ours must pass, or the other end would never learn of it."""

ARRIVING: Final = "type filter hook input priority filter - 10; policy accept;"
"""As if lost on the way: what a process sends leaves it without an error. Before other tables' filters."""
LEAVING: Final = "type route hook output priority mangle; policy accept;"
"""Where a packet's class can still be chosen."""


class Element(NamedTuple):
    """One element of `struck`: an address, or a connection with the replica's end first; and of which incarnation."""

    key: tuple[Address, ...]
    unit: str
    packets: int = 0
    """How many the kernel has struck since the element was last put off."""


def table(strike: str) -> str:
    """The name of a strike's table. Raises TargetError for an id that is none."""
    if not re.fullmatch("[0-9A-Za-z]{1,32}", strike):
        raise TargetError(f"{strike!r} is not the id of a strike")
    return f"holdfast_{strike}"


def script(strike: str, elements: Sequence[Element], lease: float, rules: Iterable[str], hook: str = ARRIVING) -> str:
    """The whole table in one transaction; a second time it replaces the first."""
    kind = " . ".join(["ipv4_addr . inet_service"] * len(elements[0].key))
    ends = ",\n".join(f"\t\t\t{_element(one, lease)}" for one in elements)
    lines = "\n".join(f"\t\t{rule}" for rule in rules)
    return (
        f"{scrap(strike)}"
        f"table inet {table(strike)} {{\n"
        f"\tset struck {{\n\t\ttype {kind}\n\t\tflags timeout\n\t\tcounter\n\t\telements = {{\n{ends}\n\t\t}}\n\t}}\n"
        f"\tchain strike {{\n\t\t{hook}\n{lines}\n\t}}\n"
        f"}}\n"
    )


def scrap(strike: str) -> str:
    """Delete the table, whether it is there or not."""
    return f"table inet {table(strike)}\ndelete table inet {table(strike)}\n"


def longer(strike: str, elements: Sequence[Element], lease: float) -> str:
    """Put off the end of elements that are still there; when one has ended, the kernel refuses all of it."""
    gone = ", ".join(_key(one) for one in elements)
    anew = ", ".join(_element(one, lease) for one in elements)
    where = f"element inet {table(strike)} struck"
    return f"delete {where} {{ {gone} }}\nadd {where} {{ {anew} }}\n"


def listing(strike: str) -> tuple[str, ...]:
    """The command that lists `struck` with what each element has met."""
    return ("nft", "-j", "list", "set", "inet", table(strike), "struck")


def is_there(tables: str, strike: str) -> bool:
    """Whether a strike's table is among those that `TABLES` printed."""
    return any(one.get("table", {}).get("name") == table(strike) for one in json.loads(tables)["nftables"])


def struck(printed: str) -> tuple[Element, ...]:
    """The elements of a printed set that have not ended."""
    sets = [one["set"] for one in json.loads(printed)["nftables"] if "set" in one]
    return tuple(_read(one["elem"]) for found in sets for one in found.get("elem", ()))


def _read(element: dict[str, object]) -> Element:
    parts = element["val"]["concat"]  # type: ignore[index]  # a set of concatenations holds nothing else
    counter = element.get("counter")
    return Element(
        key=tuple(Address(str(host), int(port)) for host, port in zip(parts[::2], parts[1::2], strict=True)),
        unit=str(element.get("comment", "")),
        packets=int(counter["packets"]) if isinstance(counter, dict) else 0,
    )


def _key(element: Element) -> str:
    return " . ".join(f"{address.host} . {address.port}" for address in element.key)


def _element(element: Element, lease: float) -> str:
    unit = re.sub(r"[^0-9A-Za-z@/._:-]", "_", element.unit)[:100]
    return f'{_key(element)} timeout {max(1, math.ceil(lease))}s comment "{unit}"'
