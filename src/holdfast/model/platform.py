"""A platform as the harness sees it: where to send load, which replicas there are, and the driver's few verbs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from holdfast.errors import PlatformError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


Hand = TypeVar("Hand")
"""A kind of `model.hands`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One incarnation of one replica: a restarted process or a recreated pod has another identity.

    `unit` is what the driver uses to tell incarnations apart: "pid@start-time" on one machine, "namespace/uid" on
    Kubernetes.
    """

    name: str
    role: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One replica now: which incarnation, whether it runs, whether it is ready to serve."""

    identity: Identity
    running: bool
    ready: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where the harness reaches the platform; URLs without a trailing slash."""

    gateway: str
    prometheus: str
    alerts: str
    """Path of the alert receiver's NDJSON file."""
    api_key: str = field(repr=False)
    documents: str = ""
    """Empty on a platform that takes no documents."""
    tenant: str = ""
    """As whom the platform's own metrics know us, by their label `tenant`; empty where they tell nobody apart."""

    def of(self, endpoint: str) -> str:
        """Where a load profile's `endpoint` is asked. Raises PlatformError when this platform does not have it."""
        if endpoint != "documents":
            return self.gateway
        if not self.documents:
            raise PlatformError("this platform takes no documents", hint="name another load profile")
        return self.documents


class Driver(Protocol):
    """What a platform must be able to do; nothing above a driver knows which platform it is."""

    @property
    def name(self) -> str:
        """Which driver this is: embedded, kubernetes."""

    @property
    def address(self) -> str:
        """By which another process finds this platform: what `platforms.connect` takes."""

    @property
    def allowed(self) -> frozenset[str]:
        """Roles that faults may touch."""

    def endpoints(self) -> Endpoints:
        """Raises PlatformError when the platform is not up."""

    def ledger(self) -> Path:
        """Where faults on this platform are written down before they strike; survives the harness."""

    def fingerprint(self) -> str:
        """Tells this platform instance from any other, so that a plan made for one never runs on another."""

    def replicas(self, role: str) -> tuple[Replica, ...]:
        """Every replica of `role`, in a stable order; empty when the role is unknown."""

    def roles(self) -> tuple[str, ...]:
        """Every role of this platform."""

    def alive(self, identity: Identity) -> bool:
        """Whether this very incarnation still exists."""

    def kill(self, identity: Identity) -> None:
        """End this incarnation at once. Raises TargetError when it no longer exists."""

    def restore(self, role: str) -> None:
        """Ask for every replica of `role` to run; returns before they are ready."""

    def hand(self, kind: type[Hand]) -> Hand:
        """What this platform can do of `model.hands`. Raises TargetError when it cannot do that."""

    def describe(self) -> Mapping[str, str]:
        """Versions and facts worth keeping with the evidence."""
