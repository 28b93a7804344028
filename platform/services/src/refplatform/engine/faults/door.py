"""The admin door: its own listener on loopback, in threads of its own, that answers nobody without the token."""

from __future__ import annotations

import hmac
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import orjson

from refplatform.engine.faults.read import BadFaultError
from refplatform.engine.faults.register import NoSuchFaultError

if TYPE_CHECKING:
    import socket

    from refplatform.engine.faults.register import Register

LONGEST_BODY: Final = 65_536
IDLE_SECONDS: Final = 5.0
"""For a client to bring its request."""
JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
PATH: Final = re.compile(r"/faults(?:/(?P<id>[0-9A-Za-z]+)(?P<strikes>/strikes)?)?")


class Door(ThreadingHTTPServer):
    """Serves a register on a bound socket."""

    daemon_threads = True

    def __init__(self, sock: socket.socket, register: Register, token: str) -> None:
        super().__init__(sock.getsockname(), Desk, bind_and_activate=False)
        self.socket.close()
        self.socket = sock
        self.register = register
        self.token = token
        self.server_activate()


class Desk(BaseHTTPRequestHandler):
    """One connection, one request, one answer."""

    server: Door
    timeout = IDLE_SECONDS
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "refplatform", ""

    def do_GET(self) -> None:
        """Ask for all faults, one, or its strikes."""
        self._serve()

    def do_POST(self) -> None:
        """Begin a fault."""
        self._serve()

    def do_PUT(self) -> None:
        """Renew a lease."""
        self._serve()

    def do_DELETE(self) -> None:
        """End a fault, or all."""
        self._serve()

    def log_message(self, *_: object) -> None:
        """Nothing: the register is the record."""

    def _serve(self) -> None:
        given = self.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {self.server.token}".encode()):
            return self._say(401, _problems("the admin door opens to its bearer token alone"))
        found = PATH.fullmatch(urlsplit(self.path).path)
        if found is None:
            return self._say(404, _problems("there is /faults, /faults/ID and /faults/ID/strikes"))
        try:
            return self._route(found["id"], strikes=found["strikes"] is not None)
        except BadFaultError as error:
            return self._say(422, _problems(*error.problems))
        except NoSuchFaultError:
            return self._say(404, _problems(f"no such fault is active or remembered: {found['id']}"))

    def _route(self, identity: str | None, *, strikes: bool) -> None:
        register = self.server.register
        match self.command, identity, strikes:
            case "POST", None, _:
                self._say(201, register.begin(self._body()))
            case "GET", None, _:
                self._say(200, {"faults": register.all()})
            case "DELETE", None, _:
                self._say(200, {"ended": register.end_all()})
            case "GET", str(one), True:
                lines = b"".join(orjson.dumps(strike) + b"\n" for strike in register.strikes(one))
                self._send(200, lines, NDJSON)
            case "GET", str(one), False:
                self._say(200, register.one(one))
            case "PUT", str(one), False:
                self._say(200, register.renew(one, self._body()))
            case "DELETE", str(one), False:
                self._say(200, register.end(one))
            case _:
                self._say(405, _problems(f"{self.command} is not done here"))

    def _body(self) -> bytes:
        """Raises BadFaultError."""
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > LONGEST_BODY:
            raise BadFaultError(f"expected a body with its length, of at most {LONGEST_BODY} bytes")
        return self.rfile.read(int(length))

    def _say(self, status: int, value: object) -> None:
        self._send(status, orjson.dumps(value) + b"\n", JSON)

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.close_connection = True
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _problems(*problems: str) -> dict[str, object]:
    return {"problems": problems}
