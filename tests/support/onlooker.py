"""A platform on paper that writes down what it is asked: a dry run may look at it, and do nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from holdfast.errors import TargetError
from holdfast.faults.ways.functions import PROBES
from holdfast.model.hands import Address, Connection, Door, Link
from holdfast.model.platform import Identity, Replica

ROLES = {
    "engine": 3,
    "gateway": 2,
    "redis": 1,
    "prometheus": 1,
    "alertmanager": 1,
    "documents": 1,
    "receiver": 1,
    "links": 1,
}
LOOKS = frozenset({"name", "allowed", "replicas", "fingerprint", "describe", "hand", "alive", "roles"})
"""Verbs that ask."""
HAND_LOOKS = frozenset(
    {
        *("ports", "folder", "link", "door", "addresses", "ways", "connections", "device"),
        *("pids", "states", "limits", "store", "disk"),
        *("target", "call", "replicas"),
    }
)
"""What may be asked of a hand."""


def identities(role: str) -> tuple[Identity, ...]:
    """The replicas of a role, as the embedded platform would name them."""
    count = ROLES.get(role, 0)
    names = [f"{role}-{number}" for number in range(1, count + 1)] if count > 1 else [role] * count
    return tuple(Identity(name=name, role=role, unit=f"{100 + index}@7") for index, name in enumerate(names))


@dataclass
class Hand:
    """Every kind of hand at once; anything but a look is written down all the same, and then fails the test."""

    asked: list[str]

    def __getattr__(self, name: str):
        self.asked.append(f"hand.{name}")
        if name not in HAND_LOOKS:
            raise AssertionError(f"a dry run called {name}")
        return getattr(self, f"_{name}")

    def _ports(self, identity):
        return (8000 + int(identity.unit.partition("@")[0]),)

    def _folder(self, identity):
        return f"/data/{identity.name}"

    def _disk(self, _):
        return "254:0"

    def _link(self, identity):
        return Link(name=identity.name, api="http://127.0.0.1:8474")

    def _door(self, identity):
        return Door(url=f"http://127.0.0.1:{self._ports(identity)[0] + 1000}", token="secret")

    def _addresses(self, identity):
        return (Address(host="127.0.0.1", port=self._ports(identity)[0]),)

    def _ways(self, identity):
        return (Address(host="127.0.0.1", port=self._ports(identity)[0] + 2000),)

    def _connections(self, identity):
        (near,) = self._addresses(identity)
        return (Connection(near=near, far=Address(host="127.0.0.1", port=50000)),)

    def _device(self, _):
        return "lo"

    def _pids(self, identity):
        return (int(identity.unit.partition("@")[0]),)

    def _states(self, _):
        return ("S",)

    def _limits(self, identity, _):
        return {identity.unit: 1024}

    def _target(self, aim, _, arguments):
        made = Path(arguments.get("spec_path", "engine-a, engine-b")).stem
        return Identity(name=str(arguments.get("name", made)), role=aim, unit="llm/0001")

    def _replicas(self, _, arguments):
        assert "replicas" in arguments
        return 3

    def _call(self, function, arguments):
        assert function in PROBES, f"a dry run called {function}"
        if function.endswith("exit_code"):
            return 0
        return "hog" not in arguments.get("name", "")  # it is made, the others are there

    def _store(self, _):
        return ("127.0.0.1", 6379)


@dataclass
class Onlooker:
    """A driver that has no world behind it."""

    asked: list[str] = field(default_factory=list)
    gone: tuple[str, ...] = ()
    """Replicas that are not ready."""

    def __getattribute__(self, name: str):
        value = object.__getattribute__(self, name)
        if not name.startswith("_") and name not in {"asked", "gone"}:
            self.asked.append(name)
        return value

    name = "on paper"
    address = "nowhere"
    allowed = frozenset(ROLES) - {"links"}

    def roles(self):
        return tuple(ROLES)

    def replicas(self, role):
        return tuple(Replica(identity=one, running=True, ready=one.name not in self.gone) for one in identities(role))

    def fingerprint(self):
        return "0123456789abcdef"

    def describe(self):
        return {"platform": "embedded"}

    def alive(self, _):
        return True

    def hand(self, _):
        return Hand(self.asked)

    def endpoints(self):
        raise TargetError("nobody is there")

    def ledger(self):
        return Path("/nowhere")

    def kill(self, _):
        raise AssertionError("a dry run killed")

    def restore(self, _):
        raise AssertionError("a dry run restored")
