"""Faults on the way towards a replica: a toxic at the fault proxy, seen by one question asked through it and past it.

The proxy keeps the lease: a toxic that is not renewed goes by itself. What is seen is what a client on that way sees,
beside what the replica answers without the proxy; a replica that is silent there as well proves nothing.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field

from holdfast.errors import InfrastructureError, TargetError
from holdfast.faults.base import Fault, Options
from holdfast.faults.ways.recovered import ready_again
from holdfast.model.fault import Sight
from holdfast.model.hands import Links

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.model.fault import Strike
    from holdfast.model.hands import Link
    from holdfast.model.platform import Driver

_PATIENCE: Final = 1.0
"""Seconds for one question."""
_API_PATIENCE: Final = 2.0
_OK: Final = range(200, 300)


End: TypeAlias = Literal["closed", "reset", "refused", "silent", "distrusted"]


class Reply(NamedTuple):
    """What came of a question: how it ended, seconds to the first byte and to the end, sizes of the pieces.

    Where the certificate was distrusted, `code` and `why` are OpenSSL's.
    """

    end: End
    first: float
    took: float
    pieces: tuple[int, ...]
    code: int = 0
    why: str = ""

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(self.pieces)

    def __str__(self) -> str:
        """In a few words."""
        if self.why:
            return f"a certificate that is refused: {self.why}"
        if not self.pieces:
            return f"not a byte, {self.end} after {self.took * 1000:.0f} ms"
        first, took = self.first * 1000, self.took * 1000
        return f"{self.size} bytes in {len(self.pieces)} pieces, from {first:.0f} to {took:.0f} ms, {self.end}"


class Way(NamedTuple):
    """A proxy as its API tells it: where clients connect, what is behind it, whose it is."""

    through: tuple[str, int]
    past: tuple[str, int]
    toxics: tuple[str, ...]
    by: tuple[str, ...]


class LinkOptions(Options):
    """What every fault of a link takes."""

    stream: Literal["upstream", "downstream"] = Field(
        "downstream", description="upstream: what is said to the replica; downstream: what it says"
    )
    toxicity: float = Field(1.0, gt=0, le=1, description="share of connections that have it")


class LinkFault(Fault):
    """A toxic named after the strike."""

    family: ClassVar = "network"
    Options: ClassVar[type[Options]] = LinkOptions
    toxic: ClassVar[str]
    times: ClassVar[int] = 1
    """Questions in a row that must show it, where chance could."""

    @abstractmethod
    def attributes(self, options: Any) -> Mapping[str, int | str]:
        """Of the toxic, from the fault's options."""

    @abstractmethod
    def shows(self, through: Reply, past: Reply, options: Any) -> bool:
        """Whether the difference between the two is this fault."""

    def reach(self, driver: Driver, strike: Strike) -> None:
        """What is said to this target takes the proxy."""
        super().reach(driver, strike)
        driver.hand(Links).link(strike.target)

    def apply(self, driver: Driver, strike: Strike) -> None:
        """Put it there, with the strike's lease."""
        if not driver.alive(strike.target):
            raise TargetError(f"{strike.target.name} {strike.target.unit} is no longer what it was")
        options, link = self.read(strike.options), driver.hand(Links).link(strike.target)
        body = {
            "name": mark(strike),
            "type": self.toxic,
            "attributes": self.attributes(options),
            "lease": strike.lease,
            **options.model_dump(include={"stream", "toxicity"}),
        }
        demand(link, "POST", "/toxics", body)

    def renew(self, driver: Driver, strike: Strike) -> None:
        """Put its end off, if it is still there."""
        call(driver.hand(Links).link(strike.target), "PATCH", f"/toxics/{mark(strike)}", {"lease": strike.lease})

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """Ask past the proxy, then through it."""
        options, link = self.read(strike.options), driver.hand(Links).link(strike.target)
        found = way(link)
        past = ask(found.past, link.question)
        if past.end != "closed" or not past.pieces:
            return Sight(False, f"nothing can be told of the way: past it {past}")
        for _ in range(self.times):
            through = question(link, found)
            if not self.shows(through, past, options):
                return self.otherwise(link, strike, Sight(False, f"through the proxy {through}; past it {past}"))
        return Sight(True, f"through the proxy {through}; past it {past}")

    def otherwise(self, link: Link, strike: Strike, unseen: Sight) -> Sight:  # noqa: ARG002 - most see no other way
        """What else may show it, when a question of our own does not."""
        return unseen

    def undo(self, driver: Driver, strike: Strike) -> None:
        """Take it away; a proxy that does not answer has lost it, or loses it with its lease."""
        link = driver.hand(Links).link(strike.target)
        try:
            call(link, "DELETE", f"/toxics/{mark(strike)}")
        except InfrastructureError:
            return

    def gone(self, driver: Driver, strike: Strike) -> Sight:
        """It is not there, an answer comes through whole, and the replica is ready."""
        link = driver.hand(Links).link(strike.target)
        found = way(link)
        if mark(strike) in (*found.toxics, *found.by):
            return Sight(False, f"{self.toxic} is still at {link.name}")
        through = question(link, found)
        if through.end != "closed" or not through.pieces:
            return Sight(False, f"through the proxy {through}")
        return ready_again(driver, strike.target)


def mark(strike: Strike) -> str:
    """What the strike's doing is called at the proxy."""
    return f"holdfast-{strike.id}"


def way(link: Link) -> Way:
    """The proxy now. Raises InfrastructureError when its API does not answer."""
    told = demand(link, "GET")
    return Way(
        through=_address(told["listen"]),
        past=_address(told["upstream"]),
        toxics=tuple(one["name"] for one in told["toxics"]),
        by=tuple(told.get("by", ())),
    )


def demand(link: Link, method: str, path: str = "", body: Mapping[str, Any] | None = None) -> Any:
    """What the API answers, if it can; TargetError with its own words otherwise."""
    status, told = call(link, method, path, body)
    if status not in _OK:
        raise TargetError(f"the proxy of {link.name} says {told.get('error', status)}")
    return told


def call(link: Link, method: str, path: str = "", body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
    """Status and answer of the proxy's API. Raises InfrastructureError when there is none."""
    connection = http.client.HTTPConnection(urlsplit(link.api).netloc, timeout=_API_PATIENCE)
    try:
        connection.request(method, f"/proxies/{link.name}{path}", json.dumps(body) if body is not None else None)
        answer = connection.getresponse()
        read = answer.read()
        return answer.status, json.loads(read) if read else {}
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise InfrastructureError(f"the fault proxy at {link.api} does not answer: {error}") from error
    finally:
        connection.close()


def question(link: Link, found: Way) -> Reply:
    """The link's question, asked as those who are on that way ask."""
    return ask(found.through, link.question, host=link.host, authority=link.authority)


def ask(
    address: tuple[str, int], question: bytes, patience: float = _PATIENCE, *, host: str = "", authority: str = ""
) -> Reply:
    """One question on a connection of its own; what came of it within so many seconds.

    With an `authority`, over TLS, if that vouches for `host`.
    """
    began = time.monotonic()
    first, pieces = 0.0, []
    end: End = "closed"
    try:
        with _connected(address, patience, host, authority) as one:
            one.sendall(question)
            while (left := began + patience - time.monotonic()) > 0:
                one.settimeout(left)
                part = one.recv(2**16)
                if not part:
                    break
                first = first or time.monotonic() - began
                pieces.append(len(part))
            else:
                end = "silent"
    except ssl.SSLCertVerificationError as error:
        return Reply("distrusted", 0.0, time.monotonic() - began, (), error.verify_code, error.verify_message)
    except ConnectionRefusedError:
        end = "refused"
    except TimeoutError:
        end = "silent"
    except OSError:
        end = "reset"
    return Reply(end, first, time.monotonic() - began, tuple(pieces))


def _connected(address: tuple[str, int], patience: float, host: str, authority: str) -> socket.socket:
    """Raises OSError, of which what TLS finds wrong is a kind."""
    one = socket.create_connection(address, patience)
    if not authority:
        return one
    try:
        trust = ssl.create_default_context(cafile=authority)
        # An end that TLS did not announce is no end: it is how a reset shows here.
        return trust.wrap_socket(one, server_hostname=host, suppress_ragged_eofs=False)
    except OSError:
        one.close()
        raise


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)
