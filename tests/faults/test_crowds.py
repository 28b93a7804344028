"""Faults that come as load: real clients in a process of their own, at a real server that counts whom it sees."""

from __future__ import annotations

import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from holdfast import faults
from holdfast.errors import InfrastructureError, TargetError
from holdfast.load import rogue
from targets import Targets, eventually

CROWDS = {
    "spike": {"rate": 50, "answer_tokens": 3},
    "noisy_tenant": {"rate": 50, "answer_tokens": 3},
    "client_abandon": {"rate": 50, "after_tokens": 2},
    "slow_reader": {"clients_at_once": 5},
    "poison_prompt": {"rate": 20, "kilobytes": 16},
    "retry_storm": {"rate": 20, "patience": 0.05, "answer_tokens": 400},
}
"""Every one of them, with options that show it within a moment."""


class Answers(BaseHTTPRequestHandler):
    """A model that says "x" every millisecond, to who has the key."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(body)
        if self.headers["authorization"] != "Bearer hf-neighbour":
            self.send_error(401)
        elif self.server.full:
            self.send_error(429)
        else:
            self.send_response(200)
            self.end_headers()
            self._stream(body["max_tokens"])

    def _stream(self, tokens):
        self.server.open += 1
        try:
            for _ in range(tokens):
                self.wfile.write(b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n')
                time.sleep(0.001)  # what the model takes for a token
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            self.server.left += 1
        finally:
            self.server.open -= 1

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    one = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    one.asked, one.open, one.left, one.full, one.daemon_threads = [], 0, 0, False, True
    threading.Thread(target=one.serve_forever, args=(0.05,), daemon=True).start()
    yield one
    one.shutdown()
    one.server_close()


@pytest.fixture
def targets(tmp_path, server):
    driver = Targets(tmp_path, gateway=f"http://127.0.0.1:{server.server_port}")
    driver.key = "hf-neighbour"
    driver.hands["tenants"] = SimpleNamespace(key=lambda _: driver.key)
    driver.start("gateway-1", "sleep", "60")
    driver.name_of_this_test = uuid.uuid4().hex[:12]
    yield driver
    rogue.tell(driver.name_of_this_test, "end")
    driver.close()


def struck(driver, name, **options):
    return driver.strike(name, "gateway-1", id=driver.name_of_this_test, **{**CROWDS[name], **options})


def test_every_fault_of_the_family_load_is_tried_here():
    assert sorted(CROWDS) == [name for name in faults.names() if faults.find(name).family == "load"]


@pytest.mark.parametrize("name", CROWDS)
def test_it_comes_is_seen_and_goes_with_all_its_connections(targets, server, name):
    fault, strike = faults.find(name), struck(targets, name)
    assert not fault.bites(targets, strike).seen
    fault.apply(targets, strike)
    assert "asked" in eventually(lambda: fault.bites(targets, strike)).detail
    assert not fault.gone(targets, strike).seen
    fault.undo(targets, strike)
    eventually(lambda: fault.gone(targets, strike))
    eventually(lambda: server.open == 0)
    fault.undo(targets, strike)
    before = len(server.asked)
    assert not fault.bites(targets, strike).seen
    assert len(server.asked) == before
    assert {body["model"] for body in server.asked} == {"sim"}


@pytest.mark.parametrize("name", CROWDS)
def test_one_that_is_aimed_at_nothing_is_never_seen_to_bite(targets, name):
    targets.gateway = "http://127.0.0.1:1"
    fault, strike = faults.find(name), struck(targets, name)
    fault.apply(targets, strike)
    eventually(lambda: "failed" in fault.bites(targets, strike).detail)
    assert not any(fault.bites(targets, strike).seen for _ in range(20))


@pytest.mark.parametrize("name", CROWDS)
def test_one_that_is_not_let_in_is_never_seen_to_bite(targets, name):
    targets.key = "hf-wrong"
    fault, strike = faults.find(name), struck(targets, name)
    fault.apply(targets, strike)
    eventually(lambda: "denied" in fault.bites(targets, strike).detail)
    assert not any(fault.bites(targets, strike).seen for _ in range(20))


@pytest.mark.parametrize("name", CROWDS)
def test_undoing_what_never_came_changes_nothing(targets, server, name):
    strike = struck(targets, name)
    faults.find(name).undo(targets, strike)
    assert faults.find(name).gone(targets, strike).seen
    assert server.asked == []


def test_it_leaves_when_its_lease_is_over_although_nobody_says_so(targets):
    fault = faults.find("spike")
    strike = targets.strike("spike", "gateway-1", id=targets.name_of_this_test, lease=3.0, **CROWDS["spike"])
    fault.apply(targets, strike)
    assert eventually(lambda: fault.bites(targets, strike)).seen
    eventually(lambda: fault.gone(targets, strike), within=20)
    fault.renew(targets, strike)  # too late
    assert fault.gone(targets, strike).seen


def test_it_stays_as_long_as_its_lease_is_renewed(targets):
    fault = faults.find("spike")
    strike = targets.strike("spike", "gateway-1", id=targets.name_of_this_test, lease=3.0, **CROWDS["spike"])
    fault.apply(targets, strike)
    began = time.monotonic()
    while time.monotonic() < began + 4.0:
        fault.renew(targets, strike)
        assert not fault.gone(targets, strike).seen
    eventually(lambda: fault.gone(targets, strike), within=20)


def test_coming_twice_is_coming_once(targets, server):
    fault, strike = faults.find("slow_reader"), struck(targets, "slow_reader")
    fault.apply(targets, strike)
    fault.apply(targets, strike)
    eventually(lambda: server.open == 5)
    assert rogue.tell(strike.id)["open"] == 5


def test_who_abandons_gets_tokens_first_and_who_reads_slowly_holds_on(targets, server):
    for name in ("client_abandon", "slow_reader"):
        fault, strike = faults.find(name), struck(targets, name)
        fault.apply(targets, strike)
        eventually(lambda fault=fault, strike=strike: fault.bites(targets, strike))
        if name == "client_abandon":
            eventually(lambda: server.left > 0)
        else:
            assert rogue.tell(strike.id)["open"] == 5
        fault.undo(targets, strike)
        eventually(lambda fault=fault, strike=strike: fault.gone(targets, strike))


def test_who_is_refused_in_a_storm_asks_again_until_its_tries_are_over(targets, server):
    server.full = True
    fault, strike = faults.find("retry_storm"), struck(targets, "retry_storm", tries=3)
    fault.apply(targets, strike)
    eventually(lambda: rogue.tell(strike.id).get("refused", 0) >= 30)
    counts = rogue.tell(strike.id)
    assert counts["retried"] == pytest.approx(counts["asked"] * 2 / 3, abs=3)  # the second and third of three tries


def test_poison_is_as_large_as_was_asked_and_of_several_kinds(targets, server):
    fault, strike = faults.find("poison_prompt"), struck(targets, "poison_prompt")
    fault.apply(targets, strike)
    eventually(lambda: len(server.asked) >= 6)
    prompts = [body["messages"][0]["content"] for body in server.asked[:6]]
    assert len(set(prompts)) == 6
    assert all(16 * 1024 - 4 <= len(prompt.encode()) <= 16 * 1024 for prompt in prompts)


def test_its_key_is_on_no_command_line(targets):
    fault, strike = faults.find("slow_reader"), struck(targets, "slow_reader")
    fault.apply(targets, strike)
    assert "hf-neighbour" not in repr(rogue.Crowd(name="", manner="", url="", key="hf-neighbour", lease=1))


def test_a_tenant_without_a_key_sends_nobody(targets, server):
    def none(_):
        raise TargetError("there is no tenant")

    targets.hands["tenants"] = SimpleNamespace(key=none)
    with pytest.raises(TargetError, match="there is no tenant"):
        faults.find("spike").apply(targets, struck(targets, "spike"))
    assert server.asked == []


def test_options_out_of_bounds_start_nothing(targets, server):
    for options in ({"rate": 100_000}, {"rate": 0}, {"unknown": 1}):
        with pytest.raises(TargetError, match="does not take these options"):
            faults.find("spike").apply(targets, struck(targets, "spike", **options))
    assert server.asked == []


def test_clients_that_cannot_start_are_an_error_that_says_why(targets):
    nobody = rogue.Crowd(name="x" * 200, manner="ask", url=targets.gateway, key="k", lease=1.0)
    with pytest.raises(InfrastructureError, match="did not start"):
        rogue.start(nobody)
