"""The life of a platform of real processes under a real supervisor: what comes up, what is restarted, what is left."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from holdfast.errors import InfrastructureError, PlatformError, TargetError, UsageError
from holdfast.model.hands import Configuration, Supervision
from holdfast.model.platform import Driver, Identity
from holdfast.platforms import layout, lifecycle, pids, ports
from holdfast.platforms.embedded import EmbeddedPlatform
from holdfast.platforms.supervisor import Supervisor

pytestmark = pytest.mark.e2e
STAND_IN = Path(__file__).parent / "stand_in"


def listening(platform) -> list[int]:
    numbers = {port for one in platform.record.processes for port in (one.port, one.admin) if port}
    return sorted(filter(ports.listening, numbers))


def nothing_is_left(state, platform=None) -> bool:
    where = layout.layout(state)
    gone = not pids.marked(where.mark) and not where.document.exists() and not where.api_key.exists()
    return gone and (platform is None or not listening(platform))


def answer(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as response:
        return response.read().decode()


def test_up_waits_for_every_replica_and_says_so_then_down_leaves_no_process_and_no_port(state, up):
    steps = []
    platform = up(report=steps.append)
    ready = {step.name for step in steps if step.state == "ready"}
    assert ready == {"engine-1", "engine-2", "gateway-1", "gateway-2", "keeper"}
    assert [row.state for row in lifecycle.status(state)] == ["ready"] * 5
    assert len(listening(platform)) == 6  # two engines, the gateways' one port and an admin port each, the keeper
    assert lifecycle.down(state) is None  # nothing had to be killed
    assert nothing_is_left(state, platform)
    assert lifecycle.log_path(state, "engine-1").exists()


def test_it_is_a_driver(up):
    platform: Driver = up()
    assert platform.roles() == ("engine", "gateway", "keeper")
    assert platform.allowed == {"engine", "gateway"}
    assert [one.identity.name for one in platform.replicas("engine")] == ["engine-1", "engine-2"]
    assert all(one.running and one.ready and platform.alive(one.identity) for one in platform.replicas("gateway"))
    assert platform.replicas("no-such-role") == ()
    assert platform.describe()["option.engines"] == "2"


def test_a_second_up_returns_the_same_platform_and_refuses_other_options(up):
    first, second = up(), up()
    assert second.fingerprint() == first.fingerprint()
    with pytest.raises(UsageError, match="is up with engines=2"):
        up(options={"engines": "3"})


def test_the_api_key_is_in_a_file_of_its_own_that_only_its_owner_reads(state, up):
    platform = up()
    key = platform.endpoints().api_key
    assert key.startswith("hf-")
    assert stat.S_IMODE((state / "api-key").stat().st_mode) == 0o600
    assert stat.S_IMODE((state / "keys.json").stat().st_mode) == 0o600
    tenants = json.loads((state / "keys.json").read_text())
    assert (tenants[key], sorted(tenants.values())) == ("harness", ["harness", "neighbour"])
    assert key not in (state / "platform.json").read_text()
    assert key not in (state / "config" / "supervisord.conf").read_text()


def test_odd_characters_in_an_environment_reach_the_process_unchanged(up):
    platform = up()
    admin = next(one.admin for one in platform.record.processes if one.name == "gateway-2")
    assert answer(f"http://127.0.0.1:{admin}/").endswith(" gateway-2 of 100% 'quoted'")


def test_both_gateways_answer_at_the_one_address(up):
    url = up().endpoints().gateway
    # The kernel spreads connections by a hash of the addresses: 64 to one of two is 2 * 0.5^64.
    assert len({answer(url).split()[0] for _ in range(64)}) == 2


def test_a_killed_replica_comes_back_as_another_incarnation(up, until):
    platform = up()
    before = platform.replicas("engine")[0].identity
    platform.kill(before)
    after = until(lambda: (now := platform.replicas("engine")[0]).ready and now).identity
    assert after.unit != before.unit
    assert not platform.alive(before)
    with pytest.raises(TargetError, match="no longer exists"):
        platform.kill(before)
    assert platform.alive(after)


def test_keys_that_a_fault_kept_aside_never_come_back_to_another_platform(state, up, until):
    platform = up()
    hand, target = platform.hand(Configuration), platform.replicas("gateway")[0].identity
    hand.replace(target, b"{}", "abc123")
    pids.send(platform.record.supervisor.who, signal.SIGKILL)  # and nobody undoes it
    until(lambda: not pids.exists(platform.record.supervisor.who))
    platform = up()
    assert hand.aside(target, "abc123") is None
    before = (state / "keys.json").read_bytes()
    hand.put_back(target, "abc123")
    assert (state / "keys.json").read_bytes() == before
    hand.replace(target, b"{}", "abc123")
    lifecycle.down(state)
    assert list(state.glob("keys.json*")) == []


def test_a_halted_replica_stays_down_until_it_is_resumed(up, until):
    platform = up()
    hand, (victim, beside) = platform.hand(Supervision), platform.replicas("engine")
    hand.halt(victim.identity)
    until(lambda: not platform.alive(victim.identity), 5)
    for _ in range(3):  # looked at again: one that was only killed would be back
        first, second = platform.replicas("engine")
        assert (first.running, second.identity) == (False, beside.identity)
    with pytest.raises(TargetError, match="no longer exists"):
        hand.halt(victim.identity)
    hand.resume(victim.identity)
    hand.resume(victim.identity)  # twice
    until(lambda: platform.replicas("engine")[0].ready, 10)
    assert platform.replicas("engine")[0].identity != victim.identity


def test_only_allowed_roles_and_own_processes_can_be_killed(up):
    platform = up()
    keeper = platform.replicas("keeper")[0].identity
    with pytest.raises(TargetError, match="not on the list"):
        platform.kill(keeper)
    stranger = pids.incarnation(os.getpid())
    with pytest.raises(TargetError, match="no longer exists"):
        platform.kill(Identity(name="engine-1", role="engine", unit=str(stranger)))
    with pytest.raises(TargetError, match="not on the list"):
        platform.kill(Identity(name="keeper", role="engine", unit=keeper.unit))


def test_a_stopped_process_is_running_and_not_ready(up):
    platform = up()
    engine = platform.replicas("engine")[0].identity
    platform.send(engine, signal.SIGSTOP)
    assert [(one.running, one.ready) for one in platform.replicas("engine")] == [(True, False), (True, True)]
    platform.send(engine, signal.SIGCONT)


def test_restore_starts_what_ended_and_continues_what_was_stopped(up, until):
    platform = up()
    first, second = (one.identity for one in platform.replicas("engine"))
    overseer = Supervisor(platform.record.supervisor.socket)
    overseer.stop_all()
    until(lambda: not any(one.running for role in platform.roles() for one in platform.replicas(role)))
    platform.restore("engine")
    until(lambda: all(one.ready for one in platform.replicas("engine")))
    assert not platform.alive(first)
    assert not platform.alive(second)
    assert not platform.replicas("keeper")[0].running  # another role was not asked for
    platform.send(platform.replicas("engine")[0].identity, signal.SIGSTOP)
    assert not platform.replicas("engine")[0].ready
    platform.restore("engine")
    until(lambda: platform.replicas("engine")[0].ready)
    with pytest.raises(TargetError, match="no role 'motor'"):
        platform.restore("motor")


def test_kill_9_of_the_supervisor_takes_every_process_with_it(state, up, until):
    platform = up()
    pids.send(platform.record.supervisor.who, signal.SIGKILL)
    until(lambda: not listening(platform))  # the kernel did that, no code of ours
    assert {row.state for row in lifecycle.status(state)} == {"dead"}
    with pytest.raises(PlatformError, match="is dead") as error:
        EmbeddedPlatform.load(state)
    assert error.value.hint == "holdfast up"
    with pytest.raises(PlatformError, match="is dead"):
        platform.replicas("engine")
    assert up().fingerprint() != platform.fingerprint()


def test_without_setpriv_the_next_up_sweeps_what_a_dead_supervisor_left(state, up, until, tmp_path):
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "env").symlink_to("/usr/bin/env")
    bare = {**os.environ, "PATH": str(commands), "HOLDFAST_CACHE": str(tmp_path / "cache")}
    platform = up(environ=bare)
    assert "pdeathsig" not in (state / "config" / "supervisord.conf").read_text()
    pids.send(platform.record.supervisor.who, signal.SIGKILL)
    until(lambda: not pids.exists(platform.record.supervisor.who))
    assert listening(platform)  # nobody told them
    leftovers = lifecycle.down(state)
    assert leftovers is not None
    assert len(leftovers.killed) == 5
    assert nothing_is_left(state, platform)


def test_a_stopped_supervisor_cannot_hold_up_down(state, up):
    platform = up()
    pids.send(platform.record.supervisor.who, signal.SIGSTOP)
    assert lifecycle.down(state) is not None
    assert nothing_is_left(state, platform)


def test_a_taken_port_is_named_with_its_holder_and_nothing_is_started(state, up):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PlatformError, match=rf"port {port} for gateway is taken by .*\(pid {os.getpid()}\)"):
            up(ports={"gateway": port})
    assert nothing_is_left(state)


def test_a_fixed_port_is_used(up):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    assert up(ports={"gateway": port}).endpoints().gateway == f"http://127.0.0.1:{port}"


def test_a_process_that_ends_at_start_fails_up_with_its_last_words(state, up):
    with pytest.raises(PlatformError, match=r"gateway-[12] ended while starting") as error:
        up(options={"last-words": "no such engine"})
    assert "no such engine" in str(error.value)
    assert nothing_is_left(state)


def test_a_process_that_ends_only_after_a_while_fails_up_as_well(state, up):
    with pytest.raises(PlatformError, match=r"gateway-[12] ended while starting") as error:
        up(options={"last-words": "lost my engine", "slow": "1.5", "load-seconds": "6"})
    assert "lost my engine" in str(error.value)
    assert nothing_is_left(state)


def test_last_words_of_an_earlier_start_are_not_shown_again(state, up):
    with pytest.raises(PlatformError):
        up(options={"last-words": "first words"})
    with pytest.raises(PlatformError) as error:
        up(options={"last-words": "second words"})
    assert "first words" not in str(error.value)


def test_a_process_that_is_never_ready_fails_up_and_says_what_it_answered(state, up):
    with pytest.raises(PlatformError, match=r"engine-1, engine-2 not ready after 2 s; engine-1: .* answered 503"):
        up(options={"load-seconds": "60"}, wait=2)
    assert nothing_is_left(state)


def test_a_missing_program_is_named_before_anything_starts(state, tmp_path):
    bare = {"PATH": str(tmp_path), "HOLDFAST_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    with pytest.raises(InfrastructureError, match=r"missing: .*prometheus.*redis-server"):
        lifecycle.up(state, home=Path(__file__).parents[2] / "platform" / "local", environ=bare)
    assert nothing_is_left(state)


def test_an_interrupt_during_up_leaves_nothing(state, up):
    def interrupt(step):
        if step.state == "ready":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        up(report=interrupt)
    assert nothing_is_left(state)


def test_kill_9_of_up_itself_is_cleared_away_by_the_next_one(state, up, until):
    code = (
        "import sys; from pathlib import Path; from holdfast.platforms import lifecycle; "
        "lifecycle.up(Path(sys.argv[1]), profile='stand_in', home=Path(sys.argv[2]), options={'load-seconds': '60'})"
    )
    child = subprocess.Popen([sys.executable, "-c", code, state, STAND_IN])
    mark = layout.layout(state).mark
    until(lambda: len(pids.marked(mark)) == 6)  # the supervisor and its five
    child.kill()
    child.wait()
    with pytest.raises(PlatformError, match="starting, or never finished"):
        EmbeddedPlatform.load(state)
    platform = up()
    assert len(pids.marked(mark)) == 6
    assert [row.state for row in lifecycle.status(state)] == ["ready"] * 5
    assert platform.record.phase == "up"


def test_two_platforms_run_side_by_side(state, up, tmp_path):
    first, other = up(), tmp_path / "other"
    try:
        second = lifecycle.up(other, profile="stand_in", home=STAND_IN)
        assert not set(listening(first)) & set(listening(second))
        lifecycle.down(state)
        assert [row.state for row in lifecycle.status(other)] == ["ready"] * 5
    finally:
        lifecycle.down(other)
    assert nothing_is_left(other, second)


def test_a_long_state_path_still_gets_a_socket(up, state, tmp_path):
    deep = tmp_path / ("deep" * 30)
    platform = lifecycle.up(deep, profile="stand_in", home=STAND_IN)
    place = Path(platform.record.supervisor.socket)
    assert len(str(place)) <= layout.LONGEST_SOCKET
    lifecycle.down(deep)
    assert not place.parent.exists()


def test_down_where_nothing_is_up_is_fine(state):
    assert lifecycle.down(state) is None
    state.mkdir()
    assert lifecycle.down(state) is None
    assert lifecycle.status(state) == ()


def test_rules_given_and_the_platforms_own_are_both_written(state, up):
    up(rules={"slo.yaml": "groups: []\n"})
    assert sorted(file.name for file in (state / "rules").glob("*.yaml")) == ["own.yaml", "slo.yaml"]


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_named_and_nothing_is_started(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], check=True)
    try:
        with pytest.raises(PlatformError, match=f"no space left for the state folder {disk}/state"):
            lifecycle.up(disk / "state", profile="stand_in", home=STAND_IN)
        assert nothing_is_left(disk / "state")
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_disk_without_inodes_is_named_and_nothing_is_started(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    # Bytes are plenty; the folder, its lock and platform.json take what files there may be.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128m,nr_inodes=6", "none", disk], check=True)
    try:
        with pytest.raises(PlatformError, match=f"cannot write the state folder {disk}/state: no space left"):
            lifecycle.up(disk / "state", profile="stand_in", home=STAND_IN)
        assert nothing_is_left(disk / "state")
    finally:
        subprocess.run(["umount", disk], check=True)
