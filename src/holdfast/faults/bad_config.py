"""`bad_config`: a configuration is pushed that nobody can read; what was good before is to hold, and to be told of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import Field

from holdfast.faults import base
from holdfast.faults.ways import http
from holdfast.faults.ways.recovered import ready_again
from holdfast.model.fault import Sight, Words
from holdfast.model.hands import Configuration, Scrapes

if TYPE_CHECKING:
    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver

_GAUGE: Final = re.compile(rb"^(\w+_config_last_reload_successful)(?:\{[^}]*\})? (\S+)", re.MULTILINE)
"""As Prometheus and Alertmanager call it, and by their example most others."""


class Options(base.Options):
    """What is pushed."""

    text: str = Field('{"sk-', description="the whole new configuration; the default is cut off in the middle")


class BadConfig(base.Fault):
    """Seen to bite when the replica itself says that it could not take what it read last."""

    title: ClassVar = "given a bad configuration"
    family: ClassVar = "configuration"
    shared: ClassVar = True
    Options: ClassVar[type[base.Options]] = Options
    words: ClassVar = Words(
        apply="replace the configuration that {target} reads by {text!r}; the old bytes are kept aside",
        bites="the metric *_config_last_reload_successful of {target} is 0",
        undo="bring back the very bytes",
        gone="nothing is kept aside, the metric is 1, and a replica of that name is ready",
    )

    def apply(self, driver: Driver, strike: Strike) -> None:
        """Push it."""
        options = self.read(strike.options)
        driver.hand(Configuration).replace(strike.target, options.text.encode(), strike.id)

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """It was read, and refused."""
        found = _GAUGE.search(http.get(driver.hand(Scrapes).metrics(strike.target)).body)
        if found is None:
            return Sight(False, "it does not tell how its last reload went")
        name, value = found[1].decode(), float(found[2])
        return Sight(value == 0, f"{name} {value:g}")

    def undo(self, driver: Driver, strike: Strike) -> None:
        """The very bytes."""
        driver.hand(Configuration).put_back(strike.target, strike.id)

    def gone(self, driver: Driver, strike: Strike) -> Sight:
        """The good one was read."""
        if driver.hand(Configuration).aside(strike.target, strike.id) is not None:
            return Sight(False, "the old configuration is still kept aside")
        bites = self.bites(driver, strike)
        return Sight(False, bites.detail) if bites.seen else ready_again(driver, strike.target)


FAULT = BadConfig()
