"""Gateways find engines by name and speak TLS to them, on a platform that is up: what serves when either goes wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import urllib.request
from pathlib import Path

import pytest

from holdfast import faults
from holdfast.errors import InfrastructureError
from holdfast.model.fault import Strike
from holdfast.model.hands import Links, Scrapes
from holdfast.platforms import lifecycle, tools

pytestmark = pytest.mark.e2e
HOME = Path(__file__).parents[2] / "platform" / "local"
SMALL = {"tls": "on", "engines": "2", "gateways": "1", "load-seconds": "0"}


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    needed = ["prometheus", "alertmanager", "redis-server", "openssl"]
    try:
        tools.locate(needed, path=os.environ["PATH"], cache=tools.cache_folder(os.environ))
    except InfrastructureError as error:
        pytest.skip(f"{error}; {error.hint}")
    folder = tmp_path_factory.mktemp("ways") / "state"
    yield lifecycle.up(folder, options=SMALL, home=HOME)
    lifecycle.down(folder)


@pytest.fixture
def struck(started):
    """Strikes the engines of these names; all is taken back."""
    strikes = []

    def strike(fault, *names, **options):
        found = {one.identity.name: one.identity for one in started.replicas("engine")}
        for name in names:
            strikes.append(Strike(id=f"t{len(strikes)}", fault=fault, target=found[name], options=options, lease=20.0))
            faults.find(fault).apply(started, strikes[-1])
        return strikes

    yield strike
    for one in strikes:
        faults.find(one.fault).undo(started, one)


def said(platform, role="gateway", name="gateway-1"):
    """A function: the value of a series of a replica, by name and a part of its labels; -1 without one."""
    identity = next(one.identity for one in platform.replicas(role) if one.identity.name == name)
    with urllib.request.urlopen(platform.hand(Scrapes).metrics(identity), timeout=5) as answer:
        page = answer.read().decode()

    def value(series, *labels):
        found = re.findall(rf"^{series}(?:\{{(.*)\}})? (\S+)$", page, re.MULTILINE)
        return next((float(number) for own, number in found if all(one in own for one in labels)), -1.0)

    return value


def ask(platform):
    where = platform.endpoints()
    body = {"model": "sim", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 2}
    headers = {"Authorization": f"Bearer {where.api_key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{where.gateway}/v1/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status


def test_an_engine_is_known_by_its_name_and_by_what_vouches_for_it(started):
    link = started.hand(Links).link(started.replicas("engine")[0].identity)
    assert link.host == "engine-1.platform.internal"
    assert Path(link.authority).is_file()
    assert said(started)("gateway_name_resolved", "engine-1.platform.internal") == 1
    assert said(started)("gateway_engine_certificate_refused", "engine-1", "expired") == 0
    assert shutil.which("openssl") is None or ask(started) == 200


def test_the_last_addresses_serve_while_the_name_server_is_silent(started, struck, until):
    strikes = struck("dns_fail", "engine-1", "engine-2", answer="silence")
    until(lambda: all(faults.find("dns_fail").bites(started, one).seen for one in strikes))
    until(
        lambda: said(started)("gateway_name_stale", "engine-1") == said(started)("gateway_name_stale", "engine-2") == 1
    )
    assert [ask(started) for _ in range(10)] == [200] * 10
    assert said(started)("gateway_engine_ready", "engine-1") == said(started)("gateway_engine_ready", "engine-2") == 1
    for one in strikes:
        faults.find("dns_fail").undo(started, one)
    until(lambda: said(started)("gateway_name_stale", "engine-1") == 0)


def test_a_name_that_is_withdrawn_takes_its_engine_out(started, struck, until):
    (strike,) = struck("dns_fail", "engine-1", answer="nxdomain")
    until(lambda: said(started)("gateway_engine_ready", "engine-1") == 0)
    assert [ask(started) for _ in range(10)] == [200] * 10
    assert said(started)("gateway_name_stale", "engine-1") == 0
    faults.find("dns_fail").undo(started, strike)
    until(lambda: said(started)("gateway_engine_ready", "engine-1") == 1)


def test_nothing_is_sent_to_an_engine_whose_certificate_is_expired_and_an_alert_names_it(started, struck, until):
    (strike,) = struck("bad_certificate", "engine-2", shown="expired")
    assert faults.find("bad_certificate").bites(started, strike).seen
    until(lambda: said(started)("gateway_engine_certificate_refused", "engine-2", 'why="expired"') == 1)
    before = said(started, "engine", "engine-2")("vllm:prompt_tokens_total")
    assert [ask(started) for _ in range(10)] == [200] * 10
    assert said(started, "engine", "engine-2")("vllm:prompt_tokens_total") == before
    file = Path(started.endpoints().alerts)
    heard = until(lambda: [one for one in map(json.loads, file.read_text().splitlines()) if "engine" in one["labels"]])
    assert (heard[0]["labels"]["alertname"], heard[0]["labels"]["why"]) == ("EngineCertificateRefused", "expired")
    assert "engine-2.platform.internal" in heard[0]["labels"]["engine"]
    faults.find("bad_certificate").undo(started, strike)
    until(lambda: said(started)("gateway_engine_ready", "engine-2") == 1)
