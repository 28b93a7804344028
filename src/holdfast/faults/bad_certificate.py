"""`bad_certificate`: who connects to a replica is shown a certificate that is expired, or another's, or by another."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal

from pydantic import Field

from holdfast.errors import TargetError
from holdfast.faults import base
from holdfast.faults.ways.links import LinkFault
from holdfast.model.fault import Words
from holdfast.model.hands import Links

if TYPE_CHECKING:
    from holdfast.faults.ways.links import Reply
    from holdfast.model.fault import Sight, Strike
    from holdfast.model.platform import Driver

_SHOWN: Final = {"expired": (10,), "other_ca": (18, 19, 20, 21), "other_name": (62, 64)}
"""Codes of OpenSSL's verification (X509_V_ERR_*): why a client refuses."""


class Wanted(base.Options):
    """What is wrong with it."""

    shown: Literal["expired", "other_ca", "other_name"] = Field(
        "expired", description="expired: yesterday; other_ca: signed by nobody known; other_name: of another host"
    )


class BadCertificate(LinkFault):
    """Seen to bite when a client that trusts the platform's authority refuses it for just that.

    Connections that are there go on, as they do when a certificate expires.
    """

    title: ClassVar = "showing a bad certificate"
    words: ClassVar = Words(
        apply="let the fault proxy show a certificate that is {shown} to those who connect to {target}",
        bites="a client that trusts the platform's authority refuses it for that; past the proxy comes an answer",
        undo="take the toxic away: the good certificate is shown again",
        gone="the proxy has it no longer, a client believes the certificate and is answered, and the replica is ready",
    )
    Options: ClassVar[type[base.Options]] = Wanted
    toxic: ClassVar = "certificate"

    def attributes(self, options: Wanted) -> dict[str, str]:
        """The same one."""
        return {"shown": options.shown}

    def apply(self, driver: Driver, strike: Strike) -> None:
        """Raises TargetError where nobody is shown a certificate."""
        _secured(driver, strike)
        super().apply(driver, strike)

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """Raises TargetError where nobody is shown a certificate."""
        _secured(driver, strike)
        return super().bites(driver, strike)

    def shows(self, through: Reply, past: Reply, options: Wanted) -> bool:  # noqa: ARG002 - the same for all
        """Refused, and for this."""
        return through.end == "distrusted" and through.code in _SHOWN[options.shown]


def _secured(driver: Driver, strike: Strike) -> None:
    if not driver.hand(Links).link(strike.target).authority:
        raise TargetError(
            f"what is said to {strike.target.name} is not encrypted, so it shows no certificate",
            hint="holdfast up --set tls=on",
        )


FAULT = BadCertificate()
