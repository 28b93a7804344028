"""One fault proxy for a file of tests, with ways of its own for each test."""

from __future__ import annotations

import itertools

import pytest

from proxied import Proxied, Server, connect

NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def proxied():
    running = Proxied()
    yield running
    running.end()


class Way:
    """One proxy, an echo behind it unless `serve` says otherwise, and clients."""

    def __init__(self, proxied, serve=None):
        self.proxied, self.server, self.clients = proxied, Server(serve), []
        self.name = f"way-{next(NUMBERS)}"
        self.port = proxied.proxy(self.name, self.server.port)

    def client(self):
        one = connect(self.port)
        self.clients.append(one)
        return one

    def toxic(self, type, **more):  # noqa: A002
        return self.proxied.toxic(self.name, type, **more)

    def ask(self, method, path="", body=None):
        return self.proxied.ask(method, f"/proxies/{self.name}{path}", body)

    def end(self):
        for one in self.clients:
            one.close()
        self.proxied.ask("DELETE", f"/proxies/{self.name}")
        self.server.close()


@pytest.fixture
def ways(proxied):
    made = []

    def make(serve=None):
        made.append(Way(proxied, serve))
        return made[-1]

    yield make
    for one in made:
        one.end()


@pytest.fixture
def way(ways):
    return ways()
