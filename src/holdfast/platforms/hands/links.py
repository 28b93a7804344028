"""The way towards a replica through the platform's fault proxy, from the platform's document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from holdfast.errors import TargetError
from holdfast.model.hands import Link
from holdfast.platforms import ports
from holdfast.platforms.processes import AUTHORITY

if TYPE_CHECKING:
    from holdfast.model.platform import Identity
    from holdfast.platforms.document import Member
    from holdfast.platforms.embedded import EmbeddedPlatform

_REDIS: Final = b"INFO everything\r\nQUIT\r\n"


@dataclass(frozen=True, slots=True)
class Links:
    """Implements `model.hands.Links`."""

    platform: EmbeddedPlatform

    def link(self, identity: Identity) -> Link:
        """Raises TargetError when its traffic takes no proxy, or it may not be touched."""
        processes = {one.name: one for one in self.platform.record.processes}
        member = processes.get(identity.name)
        if member is None or member.role not in self.platform.allowed:
            raise TargetError(f"{identity.name} is not on the list of what faults may touch")
        if member.via not in processes:
            raise TargetError(f"what is said to {identity.name} takes no proxy", hint="holdfast up --set links=on")
        way, port = urlsplit(member.way), processes[member.via].port
        named = way.hostname not in (None, ports.HOST)
        return Link(
            name=member.name,
            api=f"http://{ports.HOST}:{port}",
            question=_question(member),
            host=way.hostname or "",
            resolver=f"{ports.HOST}:{port}" if named else "",
            authority=str(self.platform.where.state / AUTHORITY) if way.scheme == "https" else "",
        )


def _question(member: Member) -> bytes:
    """Its metrics, the longest answer that anybody may ask for; a store that speaks no HTTP tells about itself."""
    for asked in map(urlsplit, (member.metrics, member.ready)):
        if asked.scheme == "http" and asked.port == member.port:
            return f"GET {asked.path} HTTP/1.0\r\n\r\n".encode()
    return _REDIS


HAND = Links
