"""`revoked_key`: a tenant's keys are no longer in the configuration; nobody else is to notice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import Field

from holdfast.errors import TargetError
from holdfast.faults import base
from holdfast.faults.ways import http
from holdfast.faults.ways.recovered import ready_again
from holdfast.model.fault import Sight, Words
from holdfast.model.hands import Configuration

if TYPE_CHECKING:
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver

_LOOKS: Final = 4
"""Fresh connections a look: where replicas share an address, each takes another one."""
_DENIED: Final = 401
_PATH: Final = "/usage"
"""A question that needs a key and no engine, and is no request of a tenant's."""


class Options(base.Options):
    """Whose keys."""

    tenant: str = Field("harness", min_length=1, description="the tenant whose keys are taken out")


class RevokedKey(base.Fault):
    """Seen to bite when the platform's own door says 401 to a key of the tenant."""

    title: ClassVar = "without a tenant's keys"
    family: ClassVar = "configuration"
    shared: ClassVar = True
    Options: ClassVar[type[base.Options]] = Options
    words: ClassVar = Words(
        apply="take the keys of {tenant} out of the configuration that {target} reads; the old bytes are kept aside",
        bites="the gateway answers 401 to a key of {tenant}, four times out of four",
        undo="bring back the very bytes",
        gone="nothing is kept aside, the key is taken, and a replica of that name is ready",
    )

    def apply(self, driver: Driver, strike: Strike) -> None:
        """All of the tenant's keys. Raises TargetError when it has none, or nobody else has one."""
        configuration, tenant = driver.hand(Configuration), self._tenant(strike)
        keys = _keys(configuration.read(strike.target))
        left = {key: whose for key, whose in keys.items() if whose != tenant}
        if not left or left == keys:
            raise TargetError(f"{tenant!r} has {'no' if left else 'all'} keys", hint="name another tenant")
        configuration.replace(strike.target, json.dumps(left).encode(), strike.id)

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """The door is shut to it."""
        kept = driver.hand(Configuration).aside(strike.target, strike.id)
        if kept is None:
            return Sight(False, "nothing is kept aside")
        return self._look(driver, strike, kept, wanted=True)

    def undo(self, driver: Driver, strike: Strike) -> None:
        """The very bytes."""
        driver.hand(Configuration).put_back(strike.target, strike.id)

    def gone(self, driver: Driver, strike: Strike) -> Sight:
        """The door is open to it again."""
        configuration = driver.hand(Configuration)
        if configuration.aside(strike.target, strike.id) is not None:
            return Sight(False, "the old configuration is still kept aside")
        opened = self._look(driver, strike, configuration.read(strike.target), wanted=False)
        return ready_again(driver, strike.target) if opened.seen else opened

    def _look(self, driver: Driver, strike: Strike, content: bytes, *, wanted: bool) -> Sight:
        """Whether every connection is told 401, or none is; a connection that is told nothing tells nothing."""
        tenant = self._tenant(strike)
        key = next((key for key, whose in _keys(content).items() if whose == tenant), None)
        if key is None:
            return Sight(not wanted, f"{tenant} has no key")
        door, headers = driver.endpoints().gateway + _PATH, {"authorization": f"Bearer {key}"}
        said = [http.get(door, headers).status for _ in range(_LOOKS)]
        seen = 0 not in said and {status == _DENIED for status in said} == {wanted}
        return Sight(seen, f"the gateway said {' '.join(map(str, said))} to a key of {tenant}")

    def _tenant(self, strike: Strike) -> str:
        return str(self.read(strike.options).tenant)


def _keys(content: bytes) -> dict[str, str]:
    try:
        return dict(json.loads(content))
    except (ValueError, TypeError) as error:
        raise TargetError("the configuration holds no keys") from error


FAULT = RevokedKey()
