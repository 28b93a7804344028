"""A gateway whose connections to every engine break, though the engines are well: nobody is ejected, little is lost."""

import http.server
import json
import socket
import struct
import threading
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.e2e

AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset


class Forgetful(http.server.BaseHTTPRequestHandler):
    """Answers the first request of a connection, and resets the connection with the second."""

    protocol_version = "HTTP/1.1"
    answered = 0

    def do_GET(self):
        self._say(b"{}")

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        if self.answered:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
            self.server.resets += 1
            self.close_connection = True
            return
        self.answered += 1
        self._say(json.dumps({"usage": {"completion_tokens": 1}}).encode())

    def _say(self, body):
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing."""


class Resetting(http.server.ThreadingHTTPServer):
    resets = 0

    def shutdown_request(self, request):
        request.close()  # without the polite end, which would come before the reset


@pytest.fixture
def forgetful():
    servers = [Resetting(("127.0.0.1", 0), Forgetful) for _ in range(2)]
    for one in servers:
        threading.Thread(target=one.serve_forever, daemon=True).start()
    yield [SimpleNamespace(url=f"http://127.0.0.1:{one.server_port}", server=one) for one in servers]
    for one in servers:
        one.shutdown()
        one.server_close()


def test_idle_connections_that_broke_everywhere_cost_nobody_an_answer(forgetful, gateway, web):
    server = gateway(*forgetful)
    # The first to each leaves an idle connection that the next one finds broken, on both engines.
    replies = [web.fetch(server.url, web.path, web.chat(1, stream=False)) for _ in range(8)]
    assert [reply.status for reply in replies] == [200] * 8
    assert sum(one.server.resets for one in forgetful) >= 2
    value = web.metrics(server.admin)
    assert value("gateway_ejections_total") in (None, 0)
    assert value("gateway_upstream_attempts_total", result="reset") == sum(one.server.resets for one in forgetful)
