"""This machine's loopback: the ports of the platform's document, told apart from those that several replicas share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.errors import TargetError
from holdfast.model.hands import Address
from holdfast.platforms import packets, pids, ports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.model.hands import Connection
    from holdfast.model.platform import Identity
    from holdfast.platforms.document import Member
    from holdfast.platforms.embedded import EmbeddedPlatform


@dataclass(frozen=True, slots=True)
class Network:
    """Implements `model.hands.Network`."""

    platform: EmbeddedPlatform

    def addresses(self, identity: Identity) -> tuple[Address, ...]:
        """Its port on the loopback address. Raises TargetError when others listen there too, or it may not be hit."""
        member = self._member(identity)
        others = [one.name for one in self.platform.record.processes if one.port == member.port and one != member]
        if others:
            raise TargetError(
                f"{member.name} shares port {member.port} with {', '.join(others)}: packets cannot be told apart",
                hint="kill_connections and stall_connections strike what one replica of them accepted",
            )
        return (Address(ports.HOST, member.port),)

    def ways(self, identity: Identity) -> tuple[Address, ...]:
        """The fault proxy's port for it. Raises TargetError when its traffic takes no proxy, or it may not be hit."""
        member = self._member(identity)
        if not member.link:
            raise TargetError(f"clients of {member.name} take no way of their own to it", hint="at: own")
        return (Address(ports.HOST, member.link),)

    def connections(self, identity: Identity) -> tuple[Connection, ...]:
        """What its processes accepted on its port."""
        member, who = self._member(identity), pids.parse(identity.unit)
        return packets.connections([one.pid for one in pids.group(who)], {member.port}) if who else ()

    def device(self, identity: Identity) -> str:  # noqa: ARG002 - all replicas are on this machine
        """The loopback device."""
        return "lo"

    def command(self, identity: Identity, words: Sequence[str], text: str = "") -> str:  # noqa: ARG002 - the same
        """Run here. Raises InfrastructureError."""
        return packets.command(words, text)

    def knock(self, address: Address, seconds: float, times: int = 1) -> tuple[str, ...]:
        """From this process."""
        return packets.knock(address, seconds, times)

    def _member(self, identity: Identity) -> Member:
        found = next((one for one in self.platform.record.processes if one.name == identity.name), None)
        if found is None or found.role not in self.platform.allowed:
            raise TargetError(f"{identity.name} is not on the list of what faults may touch")
        return found


HAND = Network
