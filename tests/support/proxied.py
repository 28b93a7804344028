"""A fault proxy in a process of its own, servers behind it, and what a socket client sees through it."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import threading
import time

PATIENCE = 5.0


class Proxied:
    """`python -m holdfast.proxy`, or another program that speaks its API, asked by http.client."""

    def __init__(self, command=None, more=()):
        self.process = None
        words = command or [sys.executable, "-m", "holdfast.proxy", "--port", "0", *more]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self.api = "" if command else self.process.stdout.readline().split()[-1]

    def ask(self, method, path, body=None, headers=None):
        """Status and body, read as JSON where it is some."""
        connection = http.client.HTTPConnection(self.api, timeout=PATIENCE)
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        connection.request(method, path, text, headers or {})
        answer = connection.getresponse()
        read = answer.read().decode()
        connection.close()
        with contextlib.suppress(ValueError):
            return answer.status, json.loads(read)
        return answer.status, read

    def proxy(self, name, upstream, **more):
        """A new way to `upstream`; where it listens."""
        wanted = {"name": name, "listen": "127.0.0.1:0", "upstream": f"127.0.0.1:{upstream}", **more}
        status, made = self.ask("POST", "/proxies", wanted)
        assert status == 201, made
        return port_of(made["listen"])

    def toxic(self, proxy, type, stream="downstream", **more):  # noqa: A002
        """A new toxic, named after its type."""
        own = {key: more.pop(key) for key in ("lease", "toxicity", "name") if key in more}
        body = {"name": type, "type": type, "stream": stream, "attributes": more, **own}
        status, made = self.ask("POST", f"/proxies/{proxy}/toxics", body)
        assert status == 200, made
        return made

    def end(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.process.stdout.close()


class Server:
    """Listens and hands each connection to `serve` in a thread of its own: an echo, when nobody says otherwise."""

    def __init__(self, serve=None):
        self.serve = serve or echo
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.ends = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                one, _ = self.sock.accept()
                self.ends.append(one)
                threading.Thread(target=self._serve, args=(one,), daemon=True).start()

    def _serve(self, one):
        with contextlib.suppress(OSError), one:
            self.serve(one)

    def close(self):
        # A thread that waits in accept() keeps a listener alive that is merely closed.
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        for one in self.ends:
            one.close()


def echo(one):
    while data := one.recv(65536):
        one.sendall(data)


def sends(data):
    """A server that sends this and hangs up."""

    def serve(one):
        one.recv(65536)
        one.sendall(data)

    return serve


def port_of(listen):
    return int(listen.rpartition(":")[2])


def connect(port):
    one = socket.create_connection(("127.0.0.1", port), PATIENCE)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return one


def exchange(one, data=b"hello"):
    """Send, receive as much; what came, and after how many seconds."""
    began = time.monotonic()
    one.sendall(data)
    got = exactly(one, len(data))
    return got, time.monotonic() - began


def exactly(one, size):
    got = b""
    while len(got) < size and (part := one.recv(size - len(got))):
        got += part
    return got


def rest(one):
    """All until the end, how it ended ("closed" or "reset"), and the sizes of the pieces in which it came."""
    got, sizes = b"", []
    try:
        while part := one.recv(65536):
            got += part
            sizes.append(len(part))
    except ConnectionResetError:
        return got, "reset", sizes
    return got, "closed", sizes


def silent(one, seconds):
    """Whether nothing came, and nothing ended, for so long."""
    one.settimeout(seconds)
    try:
        one.recv(1)
    except TimeoutError:
        return True
    finally:
        one.settimeout(PATIENCE)
    return False
