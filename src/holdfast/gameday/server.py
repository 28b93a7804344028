"""The page of a game day on this machine: what is known each second, notes, and the halt button; a token opens it.

Python's own HTTP server in a thread: four paths on the loopback address for a handful of people, and nothing that a
framework would do better. Whoever has the address with its token may look, write and halt.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, Self

from holdfast.errors import InfrastructureError
from holdfast.gameday.state import Note, moment, plan_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from holdfast.model.scenario import Scenario
    from holdfast.run import Glimpse, Stop

_LONGEST: Final = 4000
"""Bytes of a note; what is longer is refused, not cut."""
_NAME: Final = 80
_KEPT: Final = 200
_HEADERS: Final = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
"""The address bears the token: it is to lie in no cache and in no other site's log."""


@dataclass(slots=True)
class Page:
    """One game day's page, open from `__enter__` to `__exit__`; call it with each glimpse."""

    scenario: Scenario
    stop: Stop
    alerts: Callable[[], Sequence[str]] = lambda: ()
    """What has been firing, in words; asked when somebody looks."""
    port: int = 0
    token: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    seen: Glimpse | None = None
    over: str = ""
    notes: deque[Note] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _server: _Server | None = None

    @property
    def url(self) -> str:
        """Where it is, token and all: not for the record."""
        port = self._server.server_address[1] if self._server else self.port
        return f"http://127.0.0.1:{port}/{self.token}/"

    def __enter__(self) -> Self:
        try:
            self._server = _Server(self.port, self)
        except OSError as error:
            told = f"the page cannot be opened on port {self.port}: {error.strerror}"
            raise InfrastructureError(told, hint="--port 0 takes any that is free") from error
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="game day", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()

    def __call__(self, seen: Glimpse) -> None:
        """Take one look."""
        self.seen = seen

    def now(self) -> dict[str, Any]:
        """What to show."""
        return moment(self.seen, list(self.notes), self.alerts(), halting=self.stop.asked > 0, over=self.over)

    def write(self, by: str, text: str) -> None:
        """Keep a note: for the page at once, for the record at the run's next tick."""
        self.notes.append(Note(t=self.seen.t if self.seen else 0.0, by=by, text=text))
        self.stop.notes.append((by, text))

    def halt(self, by: str) -> None:
        """Break the run off; its faults are undone. A second time, without waiting for the experiment to end."""
        self.write(by, "halt")
        self.stop.halt(f"{by} pressed the button")


class _Server(ThreadingHTTPServer):
    """Knows the page that its handlers serve."""

    daemon_threads = True

    def __init__(self, port: int, page: Page) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.page = page


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = 30
    server: _Server

    def do_GET(self) -> None:
        """The page, its plan, its moment."""
        path, page = self._path(), self.server.page
        if path == "":
            text = files("holdfast.gameday").joinpath("page.html").read_text(encoding="utf-8")
            self._answer(200, "text/html; charset=utf-8", text)
        elif path == "plan":
            self._json(200, plan_of(page.scenario))
        elif path == "now":
            self._json(200, page.now())
        else:
            self._json(404, {"error": "there is nothing here"})

    def do_POST(self) -> None:
        """A note, or the button."""
        path, asked, page = self._path(), self._body(), self.server.page
        by = str((asked or {}).get("by") or "somebody")[:_NAME]
        text = str((asked or {}).get("text") or "").strip()
        if asked is None:
            self._json(400, {"error": f"a JSON object of at most {_LONGEST} bytes is wanted"})
        elif path == "halt":
            page.halt(by)
            self._json(202, {"halting": True})
        elif path == "notes" and text:
            page.write(by, text)
            self._json(201, {"written": True})
        else:
            self._json(404, {"error": "there is nothing here, or nothing was written"})

    def _path(self) -> str | None:
        """What follows the token; None for who does not have it."""
        given, _, rest = self.path.partition("?")[0].removeprefix("/").partition("/")
        return rest if secrets.compare_digest(given.encode(), self.server.page.token.encode()) else None

    def _body(self) -> dict[str, Any] | None:
        size = self.headers.get("content-length", "0")
        if not size.isdigit() or int(size) > _LONGEST:
            self.close_connection = True
            return None
        try:
            found = json.loads(self.rfile.read(int(size)) or b"{}")
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    def _json(self, status: int, told: dict[str, Any]) -> None:
        self._answer(status, "application/json", json.dumps(told))

    def _answer(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """The terminal belongs to the run."""
