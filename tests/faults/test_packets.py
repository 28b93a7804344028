"""Faults of the packet filter: what they do to live streams and to knocks, and that the kernel alone ends them."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from holdfast import faults
from holdfast.errors import InfrastructureError, TargetError
from holdfast.faults.base import missing
from holdfast.faults.ways import nft
from holdfast.faults.ways.packets import is_there, struck
from holdfast.model.hands import Address
from targets import eventually
from wires import ENOUGH, PORTS, Stream, own_network, streamers, streams

AT_ADDRESSES = {"partition": {}, "one_way": {}, "reject": {}, "drop_percent": {"percent": 50}}
AT_CONNECTIONS = {"stall_connections": {}, "kill_connections": {}}
EVERY = {**AT_ADDRESSES, **AT_CONNECTIONS}

LACKS = missing(faults.find("throttle"))
pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(LACKS), reason=f"needs {', '.join(LACKS)}")]


@pytest.fixture
def platform(tmp_path):
    with own_network(), streamers(tmp_path) as targets:
        yield targets


@pytest.fixture
def live(platform):
    with streams() as found:
        yield found


def knock(platform, name):
    return platform.hands["network"].knock(Address("127.0.0.1", PORTS[name]), 0.4)[0]


def strike_at(platform, fault, name="engine-1", **more):
    return platform.strike(fault, name, **{**EVERY[fault], **more})


def applied(platform, fault, **more):
    found, strike = faults.find(fault), strike_at(platform, fault, **more)
    found.apply(platform, strike)
    return found, strike


@pytest.mark.parametrize("fault", EVERY)
def test_it_bites_is_undone_and_is_gone(platform, live, fault):
    found, strike = applied(platform, fault)
    sight = eventually(lambda: found.bites(platform, strike), within=found.bites_within)
    assert sight.detail
    found.undo(platform, strike)
    assert eventually(lambda: found.gone(platform, strike)).detail == "engine-1 is ready"
    assert not found.bites(platform, strike).seen
    assert knock(platform, "engine-1") == "open"


@pytest.mark.parametrize("fault", EVERY)
def test_undo_twice_and_undo_without_apply_change_nothing(platform, live, fault):
    found, strike = faults.find(fault), strike_at(platform, fault)
    for _ in range(2):
        found.undo(platform, strike)
        assert found.gone(platform, strike).seen
    assert live["engine-1"].flows()
    found.apply(platform, strike)
    other = replace(strike, id="other")
    found.undo(platform, other)
    assert is_there(platform, strike)
    for _ in range(2):
        found.undo(platform, strike)
        assert not is_there(platform, strike)


@pytest.mark.parametrize("fault", EVERY)
def test_striking_twice_strikes_once(platform, live, fault):
    found, strike = applied(platform, fault)
    found.apply(platform, strike) if fault in AT_ADDRESSES else None
    eventually(lambda: found.bites(platform, strike))
    found.undo(platform, strike)
    assert not is_there(platform, strike)


@pytest.mark.parametrize("fault", EVERY)
def test_a_blind_one_is_never_seen_to_bite(platform, live, fault):
    class Blind(type(faults.find(fault))):
        def apply(self, driver, strike):
            """Nothing."""

    strike = strike_at(platform, fault)
    Blind().apply(platform, strike)
    assert not any(Blind().bites(platform, strike).seen for _ in range(3))
    assert live["engine-1"].flows()


@pytest.mark.parametrize("fault", EVERY)
def test_one_that_strikes_beside_its_target_is_never_seen_to_bite(platform, live, fault):
    found, strike = faults.find(fault), strike_at(platform, fault)
    key = (Address("127.0.0.1", 8003), Address("127.0.0.1", 8004))[: 1 if fault in AT_ADDRESSES else 2]
    script = found.script([nft.Element(key=key, unit=strike.target.unit)], strike)
    platform.hands["network"].command(strike.target, nft.FILTER, script)
    assert not any(found.bites(platform, strike).seen for _ in range(3))
    assert live["engine-1"].flows()


@pytest.mark.parametrize("fault", EVERY)
def test_the_replica_beside_it_is_untouched(platform, live, fault):
    found, strike = applied(platform, fault)
    eventually(lambda: found.bites(platform, strike))
    assert live["engine-2"].flows()
    assert knock(platform, "engine-2") == "open"
    assert not found.bites(platform, replace(strike, target=platform.identity("engine-2"))).seen


@pytest.mark.parametrize("fault", AT_ADDRESSES)
def test_rules_that_hit_the_one_beside_it_too_are_seen_there(platform, live, fault):
    found, strike = faults.find(fault), strike_at(platform, fault)
    keys = [(Address("127.0.0.1", port),) for port in PORTS.values()]
    script = found.script([nft.Element(key=key, unit="u") for key in keys], strike)
    platform.hands["network"].command(strike.target, nft.FILTER, script)
    assert eventually(lambda: found.bites(platform, replace(strike, target=platform.identity("engine-2")))).seen


@pytest.mark.parametrize("fault", EVERY)
def test_it_is_undone_after_its_target_died_and_another_took_its_place(platform, live, fault):
    found, strike = applied(platform, fault)
    eventually(lambda: found.bites(platform, strike))
    platform.kill(strike.target)
    found.undo(platform, strike)
    platform.restore("engine")
    eventually(lambda: knock(platform, "engine-1") == "open")
    assert found.gone(platform, strike).seen


@pytest.mark.parametrize("fault", EVERY)
def test_a_target_that_is_no_longer_what_it_was_is_refused(platform, live, fault):
    strike = strike_at(platform, fault)
    platform.kill(strike.target)
    with pytest.raises(TargetError, match="no longer exists"):
        faults.find(fault).apply(platform, strike)


@pytest.mark.parametrize("fault", AT_CONNECTIONS)
def test_no_live_connection_is_no_target(platform, fault):
    with pytest.raises(TargetError, match="engine-1 has no live connection"):
        applied(platform, fault)


def test_one_of_two_that_share_an_address_loses_its_connections_alone(tmp_path):
    with own_network(), streamers(tmp_path, {"gateway-1": 8001, "gateway-2": 8001}) as both:
        many = [Stream(8001) for _ in range(16)]
        assert all(one.numbers() for one in many)
        network, (one, other) = both.hands["network"], map(both.identity, both.running)
        of_one, of_other = len(network.connections(one)), len(network.connections(other))
        assert of_one + of_other == 16
        assert min(of_one, of_other) > 0  # the kernel spreads them: nobody gets none but once in 2 ** 15
        found, strike = applied(both, "kill_connections", name="gateway-1")
        eventually(lambda: network.connections(one) == ())
        assert len(network.connections(other)) == of_other
        assert not found.bites(both, replace(strike, target=other)).seen
        for stream in many:
            stream.close()


@pytest.mark.parametrize("fault", AT_ADDRESSES)
def test_one_that_was_refused_because_others_share_the_address_is_gone(tmp_path, fault):
    with own_network(), streamers(tmp_path, {"gateway-1": 8001, "gateway-2": 8001}) as both:
        found, strike = faults.find(fault), strike_at(both, fault, name="gateway-1")
        with pytest.raises(TargetError, match="gateway-1 shares port 8001"):
            found.apply(both, strike)
        found.undo(both, strike)
        assert found.gone(both, strike).seen


def test_struck_on_the_way_to_it_a_replica_is_cut_off_from_its_clients_alone(tmp_path):
    # Another streamer stands in for the proxy through which clients come.
    with own_network(), streamers(tmp_path, {"engine-1": 8001, "proxy-1": 8011}) as platform:
        platform.hands["network"].links["engine-1"] = 8011
        found, strike = applied(platform, "partition", at="way")
        assert eventually(lambda: found.bites(platform, strike)).seen
        assert platform.hands["network"].knock(Address("127.0.0.1", 8011), 0.4) == ("silent",)
        assert knock(platform, "engine-1") == "open"
        found.undo(platform, strike)
        assert eventually(lambda: found.gone(platform, strike)).seen


# Each by what it does to a stream that lives.


def test_a_partition_lets_nothing_pass_and_a_stream_goes_on_after_it(platform, live):
    found, strike = applied(platform, "partition")
    last = live["engine-1"].numbers()
    assert len(last) < ENOUGH  # what was on its way
    found.undo(platform, strike)
    after = eventually(live["engine-1"].numbers)
    assert after == list(range(after[0], after[0] + len(after)))


def test_a_replica_whose_answers_are_lost_still_hears(platform, live):
    applied(platform, "one_way", lost="answers")
    live["engine-1"].say("can you hear me")
    assert platform.running["engine-1"].stdout.readline() == "can you hear me\n"
    assert not live["engine-1"].flows()


def test_a_replica_whose_requests_are_lost_is_still_heard_and_does_not_hear(platform, live):
    found, strike = applied(platform, "one_way", lost="requests")
    live["engine-1"].say("can you hear me")
    assert live["engine-1"].flows()
    found.undo(platform, strike)
    assert platform.running["engine-1"].stdout.readline() == "can you hear me\n"  # sent again, and only now


def test_a_refusing_replica_resets_live_streams_and_refuses_new_ones(platform, live):
    applied(platform, "reject")
    with pytest.raises(ConnectionResetError):
        live["engine-1"].to_its_end()
    with pytest.raises(ConnectionRefusedError):
        Stream(PORTS["engine-1"])
    eventually(lambda: platform.hands["network"].connections(platform.identity("engine-1")) == ())


def test_streams_that_lose_packets_are_late_and_whole(platform, live):
    found, strike = applied(platform, "drop_percent", percent=60)
    eventually(lambda: found.bites(platform, strike))
    found.undo(platform, strike)
    after = [number for _ in range(3) for number in eventually(live["engine-1"].numbers)]
    assert after == list(range(after[0], after[0] + len(after)))


def test_a_stalled_stream_is_silent_then_goes_on_where_it_stood(platform, live):
    before = live["engine-1"].numbers()
    found, strike = applied(platform, "stall_connections")
    eventually(lambda: found.bites(platform, strike))
    on_its_way = live["engine-1"].numbers()
    assert live["engine-1"].numbers() == []
    new = Stream(PORTS["engine-1"])
    assert new.flows()
    new.close()
    found.undo(platform, strike)
    after = eventually(live["engine-1"].numbers)
    whole = before + on_its_way + after
    assert whole == list(range(whole[0], whole[0] + len(whole)))


def test_a_killed_stream_is_reset_at_both_ends_and_a_new_one_is_served(platform, live):
    found, strike = applied(platform, "kill_connections")
    assert eventually(lambda: found.bites(platform, strike)).detail == "1 of 1 connections were reset"
    with pytest.raises(ConnectionResetError):
        live["engine-1"].to_its_end()
    eventually(lambda: platform.hands["network"].connections(platform.identity("engine-1")) == ())
    new = Stream(PORTS["engine-1"])
    assert new.flows()
    new.close()


# The kernel's own lease.


@pytest.mark.parametrize("fault", ["partition", "stall_connections"])
def test_the_kernel_heals_when_whoever_struck_is_killed_and_nothing_else_runs(platform, live, fault):
    found, strike = faults.find(fault), strike_at(platform, fault, lease=4.0)
    elements = found.elements(platform, strike)
    script = found.script(elements, strike)
    words = "import subprocess, sys, time; subprocess.run(['nft', '-f', '-'], input=sys.argv[1].encode())"
    code = f"{words}; print('struck', flush=True); time.sleep(60)"
    striker = subprocess.Popen([sys.executable, "-c", code, script], stdout=subprocess.PIPE, text=True)
    assert striker.stdout.readline() == "struck\n"
    striker.send_signal(signal.SIGKILL)
    assert striker.wait(5) == -signal.SIGKILL
    assert eventually(lambda: found.bites(platform, strike)).seen
    eventually(lambda: struck(platform, strike) == ())
    assert is_there(platform, strike)  # nobody deleted it
    assert not found.bites(platform, strike).seen
    assert knock(platform, "engine-1") == "open"
    assert eventually(live["engine-1"].numbers)


def test_a_lease_is_put_off_by_renewing(platform, live):
    found, strike = applied(platform, "partition", lease=20.0)
    found.renew(platform, replace(strike, lease=100.0))
    said = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    assert "timeout 1m40s" in said  # 100 s
    assert eventually(lambda: found.bites(platform, strike)).seen
    assert [one.unit for one in struck(platform, strike)] == [strike.target.unit]


@pytest.mark.parametrize("fault", ["partition", "stall_connections"])
def test_renewing_what_has_ended_or_was_undone_does_not_strike_anew(platform, live, fault):
    found, strike = applied(platform, fault, lease=1.0)
    eventually(lambda: struck(platform, strike) == ())
    found.renew(platform, strike)
    assert struck(platform, strike) == ()
    found.undo(platform, strike)
    found.renew(platform, strike)
    assert not is_there(platform, strike)


def test_one_that_ends_while_it_is_being_renewed_ends(platform, live):
    found, strike = applied(platform, "partition", lease=1.0)
    left = struck(platform, strike)
    eventually(lambda: struck(platform, strike) == ())
    with pytest.raises(InfrastructureError, match="No such file"):
        platform.hands["network"].command(strike.target, nft.FILTER, nft.longer(strike.id, left, 20.0))
    assert struck(platform, strike) == ()
    assert found.gone(platform, replace(strike, id="none")).seen


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
def test_root_without_the_right_to_change_networks_is_told_so_before_anything_is_struck():
    asks = "from holdfast.faults import base, partition; print(base.missing(partition.FAULT))"
    words = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", sys.executable, "-c", asks]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "('CAP_NET_ADMIN',)\n"
