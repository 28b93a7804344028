"""The supervisor's will for one replica: supervisord brings back what dies, but not what it was told to stop."""

from __future__ import annotations

from dataclasses import dataclass
from signal import SIGKILL
from typing import TYPE_CHECKING

from holdfast.platforms import pids
from holdfast.platforms.supervisor import Supervisor

if TYPE_CHECKING:
    from holdfast.model.platform import Identity
    from holdfast.platforms.embedded import EmbeddedPlatform


@dataclass(frozen=True, slots=True)
class Supervision:
    """Implements `model.hands.Supervision`."""

    platform: EmbeddedPlatform

    def halt(self, identity: Identity) -> None:
        """Told first, killed after: the other way round supervisord would already be starting a successor."""
        who = self.platform.process(identity)
        self._supervisor().stop(identity.name, wait=False)
        pids.send_group(who, SIGKILL)

    def resume(self, identity: Identity) -> None:
        """Raises PlatformError when the platform is not up, or knows no such replica."""
        self._supervisor().start(identity.name)

    def _supervisor(self) -> Supervisor:
        return Supervisor(self.platform.record.supervisor.socket)


HAND = Supervision
