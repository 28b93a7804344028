"""The narrow queue: it holds up one replica and no other, ends with its lease, and leaves the device as it was."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace

import pytest

from holdfast import faults
from holdfast.errors import TargetError
from holdfast.faults.base import missing
from holdfast.faults.ways import queue
from holdfast.faults.ways.packets import struck
from targets import eventually
from wires import PORTS, own_network, streamers, streams

LACKS = missing(faults.find("throttle"))
pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(LACKS), reason=f"needs {', '.join(LACKS)}")]


def told(what):
    return subprocess.run(["tc", what, "show", "dev", "lo"], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def loud(tmp_path):
    # 100 lines a second of 4000 bytes are 3200 kbit/s.
    with own_network(), streamers(tmp_path, width=4000) as targets:
        yield targets
        assert told("class") == ""
        assert "noqueue" in told("qdisc")


@pytest.fixture
def heard(loud):
    with streams() as found:
        yield found


def test_a_narrow_queue_holds_up_one_replica_alone(loud, heard):
    # Ten times what fits.
    found, strike = faults.find("throttle"), loud.strike("throttle", "engine-1", kbit=320)
    found.apply(loud, strike)
    assert eventually(lambda: found.bites(loud, strike), within=found.bites_within).detail
    assert not found.bites(loud, replace(strike, target=loud.identity("engine-2"))).seen
    ends = [time.monotonic() + 1.0, time.monotonic() + 2.0]
    slow, quick = (len(one.until(end)) for one, end in zip(heard.values(), ends, strict=True))
    assert slow < quick / 2
    for _ in range(2):
        found.undo(loud, strike)
        assert found.gone(loud, strike).seen
    assert not found.bites(loud, strike).seen


def test_a_queue_into_which_nothing_leads_is_never_seen_to_bite(loud, heard):
    strike = loud.strike("throttle", "engine-1", kbit=8)
    queue.make(loud, strike, 8)
    assert not any(faults.find("throttle").bites(loud, strike).seen for _ in range(3))
    assert heard["engine-1"].flows()
    faults.find("throttle").undo(loud, strike)


def test_a_queue_so_wide_that_nobody_waits_is_never_seen_to_bite(loud, heard):
    found, strike = faults.find("throttle"), loud.strike("throttle", "engine-1", kbit=1_000_000)
    found.apply(loud, strike)
    assert heard["engine-1"].flows()
    assert not found.bites(loud, strike).seen
    found.undo(loud, strike)


def test_when_the_lease_ends_nothing_enters_the_queue_any_more(loud, heard):
    found, strike = faults.find("throttle"), loud.strike("throttle", "engine-1", kbit=320, lease=4.0)
    found.apply(loud, strike)
    eventually(lambda: found.bites(loud, strike))
    eventually(lambda: struck(loud, strike) == () and queue.seen(loud, strike).waiting == 0)
    passed = queue.seen(loud, strike).packets
    assert eventually(heard["engine-1"].flows)
    assert queue.seen(loud, strike).packets == passed
    found.undo(loud, strike)


def test_two_queues_share_a_root_and_the_last_takes_it_away(loud, heard):
    found = faults.find("throttle")
    strikes = [loud.strike("throttle", name, id=f"id{name[-1]}", kbit=320) for name in PORTS]
    for strike in strikes:
        found.apply(loud, strike)
    for strike in strikes:
        eventually(lambda strike=strike: found.bites(loud, strike))
    found.undo(loud, strikes[0])
    assert found.gone(loud, strikes[0]).seen
    assert found.bites(loud, strikes[1]).seen
    found.undo(loud, strikes[1])


def test_a_queue_of_somebody_elses_is_left_alone(loud):
    other = ["tc", "qdisc", "add", "dev", "lo", "root", "handle", "7:", "tbf", "rate", "1gbit"]
    subprocess.run([*other, "burst", "1mb", "latency", "50ms"], check=True)
    found, strike = faults.find("throttle"), loud.strike("throttle", "engine-1")
    with pytest.raises(TargetError, match="the device lo has a queue of somebody else's"):
        found.apply(loud, strike)
    found.undo(loud, strike)
    assert "tbf 7:" in told("qdisc")
    subprocess.run(["tc", "qdisc", "del", "dev", "lo", "root"], check=True)


@pytest.mark.parametrize(("said", "waiting"), [("0b", 0), ("310b", 310), ("4Kb", 4096), ("1Mb", 1048576)])
def test_what_tc_rounds_to_whole_kibibytes_is_read_too(said, waiting):
    text = f"htb 4f1d:e85 root prio 0\n Sent 2680 bytes 8 pkt (dropped 0)\n backlog {said} 8p requeues 0\n"
    assert queue._passed(text) == queue.Passed(8, waiting)
