"""One fault proxy for a file of tests, with ways of its own for each test."""

from __future__ import annotations

import itertools

import pytest

from answered import Answering, Client
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


class Spoken:
    """A way to a server that answers as an engine does; `other` is one beside it, to the same server."""

    def __init__(self, proxied, port):
        self.proxied, self.clients = proxied, []
        self.name = f"way-{next(NUMBERS)}"
        self.port = proxied.proxy(self.name, port)

    def client(self):
        self.clients.append(Client(self.port))
        return self.clients[-1]

    def toxic(self, type, *, pick=None, **more):  # noqa: A002
        return self.proxied.toxic(self.name, type, pick=pick or {}, **more)

    def ask(self, method, path="", body=None):
        return self.proxied.ask(method, f"/proxies/{self.name}{path}", body)

    def counts(self, toxic):
        told = self.ask("GET", "/observed")[1]["toxics"][toxic]
        return told["matched"], told["picked"], told["struck"]

    def end(self):
        for one in self.clients:
            one.close()
        self.proxied.ask("DELETE", f"/proxies/{self.name}")


@pytest.fixture(scope="module")
def answering():
    running = Answering()
    yield running
    running.end()


@pytest.fixture
def spoken(proxied, answering):
    """`spoken()`: a way of its own, however often it is called."""
    made = []

    def make():
        made.append(Spoken(proxied, answering.port))
        return made[-1]

    yield make
    for one in made:
        one.end()


@pytest.fixture
def talk(spoken):
    return spoken()
