"""What some platforms can do and others cannot: a driver gives each as an object, or says why it has none.

A fault asks `driver.hand(Processes)`. A kind here is the least that its faults need, in words that fit a process, a
container and a pod; how it is done is the driver's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from signal import Signals

    from holdfast.model.platform import Identity


MARK: Final = "holdfast-faults=allowed"
"""The label of a namespace or node that faults may touch."""


class Cluster(Protocol):
    """Functions of Chaos Toolkit's extensions for Kubernetes, called on one cluster and on no other."""

    def target(self, aim: str, function: str, arguments: Mapping[str, Any]) -> Identity:
        """What calling it would hit, by uid.

        Raises TargetError when that is nothing, more than is said, or what may not be touched.
        """

    def replicas(self, aim: str, arguments: Mapping[str, Any]) -> int | None:
        """How many pods the deployment or statefulset of those arguments is to have now."""

    def call(self, function: str, arguments: Mapping[str, Any]) -> Any:
        """Call it, on this cluster, with certificates verified. Raises TargetError when it did not do what it says."""


class Processes(Protocol):
    """Signals to the processes of one replica, and what the kernel says of them."""

    def signal(self, identity: Identity, number: Signals) -> None:
        """To every process of this incarnation. Raises TargetError when it is gone or may not be touched."""

    def states(self, identity: Identity) -> tuple[str, ...]:
        """The state letter of each of its processes (proc(5): R, S, D, T, Z); empty when it is gone."""

    def pids(self, identity: Identity) -> tuple[int, ...]:
        """Its processes, the leader first; empty when it is gone."""


class Door(NamedTuple):
    """The admin door of one replica: base URL without a trailing slash, and its bearer token."""

    url: str
    token: str


class Doors(Protocol):
    """Faults inside a replica that can be asked to have them (the simulated engine)."""

    def door(self, identity: Identity) -> Door:
        """Raises TargetError when this replica has none."""


class Link(NamedTuple):
    """A way that traffic takes through the fault proxy: its name there, and the base URL of that proxy's API.

    `question` may be sent there at any time: it is answered, with as much as can be had, and hung up on. Who is on that
    way knows the replica as `host`, asks `resolver` (HOST:PORT, by UDP) for its address unless that is one, and speaks
    TLS where there is an `authority`, the file of whom they trust.
    """

    name: str
    api: str
    question: bytes = b"GET /health HTTP/1.0\r\n\r\n"
    host: str = ""
    resolver: str = ""
    authority: str = ""


class Links(Protocol):
    """Traffic towards a replica that passes through the fault proxy."""

    def link(self, identity: Identity) -> Link:
        """The way towards this replica. Raises TargetError when its traffic takes no proxy."""


class Places(Protocol):
    """Where a replica listens and keeps its files."""

    def ports(self, identity: Identity) -> tuple[int, ...]:
        """TCP ports on which this incarnation itself listens."""

    def folder(self, identity: Identity) -> str:
        """Its data folder."""


class Supervision(Protocol):
    """Whether a replica is to run at all: what would bring it back can be told not to."""

    def halt(self, identity: Identity) -> None:
        """End this incarnation at once and keep its place empty. Raises TargetError when it no longer exists."""

    def resume(self, identity: Identity) -> None:
        """Let the replica of that name run again; nothing happens when it does."""


class Census(NamedTuple):
    """What the kernel says of a group: `kills` for want of memory, `throttled` periods of those that ran, bytes in use.

    `guests` is how many processes of a fault's own are there, `spent` the seconds of processor time that they had.
    """

    kills: int = 0
    throttled: int = 0
    memory: int = 0
    guests: int = 0
    spent: float = 0.0


class Pace(NamedTuple):
    """Seconds that the same write took, both times waiting for the disk: where a replica is, and where we are."""

    inside: float
    outside: float


class Groups(Protocol):
    """Groups in which the kernel bounds what one replica may use (cgroups). Each bears a mark, by which it is found."""

    def confine(
        self,
        identity: Identity,
        mark: str,
        *,
        cpus: float | None = None,
        memory: int | None = None,
        rate: int | None = None,
    ) -> None:
        """Put this incarnation, and what it starts from now on, into a new group: so many cores, so many new bytes.

        `rate` is what it may read, and what it may write, on the disk of its data, in bytes a second. Raises
        TargetError when it is gone, may not be touched, is confined already, or no group can be had.
        """

    def invite(self, mark: str, words: Sequence[str]) -> None:
        """Start a program of a fault's own in the group; it goes with the group. Raises TargetError without one."""

    def disk(self, identity: Identity) -> str:
        """The disk of its data, as the kernel numbers it: 254:0.

        Raises TargetError when its data lies on none, or no group can bound one.
        """

    def pace(self, identity: Identity, mark: str, size: int) -> Pace | None:
        """How long so many bytes take to its disk, there and here; None when it is gone. Raises TargetError."""

    def prolong(self, mark: str) -> None:
        """Tell the guests that they may go on (SIGUSR1): each ends by itself when it has not been told for long."""

    def holds(self, identity: Identity, mark: str) -> bool:
        """Whether every process of this incarnation is in the group."""

    def census(self, mark: str) -> Census | None:
        """None when there is no such group."""

    def dissolve(self, mark: str) -> None:
        """End the guests, put the others back to where they were, remove the group; nothing without one."""


class Limits(Protocol):
    """What the kernel lets each process of a replica have (setrlimit(2)): `files` open, `size` of a file in bytes."""

    def limits(self, identity: Identity, kind: str) -> Mapping[str, int]:
        """The limit of each of its processes, by a name that no later process will have; empty when it is gone."""

    def set_limits(self, identity: Identity, kind: str, limits: Mapping[str, int]) -> None:
        """Processes that are gone are passed over. Raises TargetError when it may not be touched."""

    def free_number(self, identity: Identity) -> Mapping[str, int]:
        """The lowest file descriptor that each of its processes does not use."""

    def bears_size(self, identity: Identity) -> bool:
        """Whether a write beyond the limit fails and does not end the process (SIGXFSZ is ignored)."""


class Disks(Protocol):
    """The file system of a replica's data, where it has a small one of its own."""

    def fill(self, identity: Identity, mark: str) -> None:
        """Take all that is free. Raises TargetError when its data lies with others', or on more than a gibibyte."""

    def full(self, identity: Identity) -> str:
        """What the kernel says to a small write there: empty when it succeeds."""

    def free(self, identity: Identity, mark: str) -> None:
        """Give back what was taken under this mark; nothing without."""


class Address(NamedTuple):
    """An IPv4 address and a TCP port."""

    host: str
    port: int


class Connection(NamedTuple):
    """One established TCP connection: the replica's end, the other one, and what the kernel waits for."""

    near: Address
    far: Address
    resent: int = 0
    """How often the kernel of the replica sent its oldest unanswered packet again."""


class Network(Protocol):
    """The kernel through which a replica's packets pass, and which of them are its own."""

    def addresses(self, identity: Identity) -> tuple[Address, ...]:
        """Where it alone takes traffic, its admin port apart. Raises TargetError when it shares that address."""

    def ways(self, identity: Identity) -> tuple[Address, ...]:
        """Where its clients come to it, by another way than monitoring. Raises TargetError when there is none."""

    def connections(self, identity: Identity) -> tuple[Connection, ...]:
        """What it accepted there and is established now, also on an address that it shares; empty when it is gone."""

    def device(self, identity: Identity) -> str:
        """The device through which its answers leave: lo, eth0."""

    def command(self, identity: Identity, words: Sequence[str], text: str = "") -> str:
        """Run a program of that kernel (nft, tc) with `text` as its input; what it printed.

        Raises InfrastructureError when it failed; works for an identity that is gone.
        """

    def knock(self, address: Address, seconds: float, times: int = 1) -> tuple[str, ...]:
        """Open so many connections at once as a client would: each open, refused or silent after so many seconds."""


class Stores(Protocol):
    """Where a replica that keeps data speaks Redis's protocol."""

    def store(self, identity: Identity) -> tuple[str, int]:
        """Host and port. Raises TargetError when it is no such store, or may not be touched."""


class Configuration(Protocol):
    """What a replica is configured by and reads again while it runs: replaced whole, the old kept aside by a name."""

    def read(self, identity: Identity) -> bytes:
        """As it is now. Raises TargetError when this replica has none."""

    def replace(self, identity: Identity, content: bytes, aside: str) -> None:
        """Keep the very bytes aside, then replace them; doing so twice keeps what was there first.

        Raises TargetError when another name holds it already: then nobody could tell in which order to put back.
        """

    def aside(self, identity: Identity, name: str) -> bytes | None:
        """What is kept under that name; None when nothing is."""

    def put_back(self, identity: Identity, name: str) -> None:
        """Bring back what is kept under that name and forget it; nothing happens when nothing is."""


class Tenants(Protocol):
    """Who may ask the platform."""

    def key(self, tenant: str) -> str:
        """An API key of that tenant. Raises TargetError when it has none."""


class Scrapes(Protocol):
    """Where a replica tells its own metrics."""

    def metrics(self, identity: Identity) -> str:
        """URL of its Prometheus exposition. Raises TargetError when it has none."""


class Clocks(Protocol):
    """The wall clock that a replica reads, where it can be shifted without anybody else's."""

    def shift(self, identity: Identity, mark: str, seconds: float) -> None:
        """Ahead by so many seconds, or behind. Raises TargetError when its clock is the machine's own."""

    def ahead(self, identity: Identity) -> float:
        """Seconds by which its answers are dated ahead of our clock, give or take one. Raises TargetError."""

    def right(self, identity: Identity, mark: str) -> None:
        """Take the shift of this mark away; nothing without."""
