"""Identity of a process: pid and start time, so that a signal never reaches a successor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.platforms import pids
from holdfast.platforms.pids import Incarnation

NUMBERS = st.integers(0, 2**40)


@pytest.fixture
def child():
    process = subprocess.Popen([sys.executable, "-SEc", "input()"], stdin=subprocess.PIPE, env={"MARK": "a b"})
    yield process
    process.kill()
    process.wait()
    process.stdin.close()


@given(NUMBERS, NUMBERS)
def test_text_of_an_incarnation_reads_back(pid, ticks):
    who = Incarnation(pid=pid, ticks=ticks)
    assert pids.parse(str(who)) == who


@pytest.mark.parametrize("text", ["", "12", "12@", "@12", "ns/uid", "-1@2", "1@2@3", "1.5@2"])
def test_other_text_is_no_incarnation(text):
    assert pids.parse(text) is None


def test_a_running_process_exists_and_has_this_one_for_parent(child):
    who = pids.incarnation(child.pid)
    assert pids.exists(who)
    assert pids.parent(who) == os.getpid()
    assert 0 <= pids.age(who) < 60


def test_a_signal_for_an_earlier_holder_of_the_pid_reaches_nobody(child):
    now = pids.incarnation(child.pid)
    earlier = Incarnation(pid=now.pid, ticks=now.ticks - 1)
    assert not pids.exists(earlier)
    assert not pids.send(earlier, signal.SIGKILL)
    assert pids.exists(now)


def test_a_killed_process_is_gone_even_before_its_parent_has_asked_for_it(child):
    who = pids.incarnation(child.pid)
    assert pids.send(who, signal.SIGKILL)
    assert pids.wait_gone([who], 5) == ()
    assert not pids.exists(who)  # a zombie now: nobody has called wait()
    assert pids.incarnation(child.pid) is None
    assert not pids.send(who, signal.SIGKILL)


def test_waiting_for_one_that_stays_names_it(child):
    who = pids.incarnation(child.pid)
    assert pids.wait_gone([who], 0.05) == (who,)


def test_a_mark_in_the_environment_finds_the_process_and_nothing_like_it(child):
    assert pids.incarnation(child.pid) in pids.marked("MARK=a b")
    assert pids.incarnation(child.pid) not in pids.marked("MARK=a")
    assert pids.incarnation(child.pid) not in pids.marked("ARK=a b")


FAMILY = """
import subprocess, sys
wait = [sys.executable, "-SEc", "input()"]
subprocess.Popen(wait, process_group=0)  # a group of its own
print(subprocess.Popen(wait).pid, flush=True)
input()
"""


@pytest.fixture
def family(tmp_path):
    """A leader of a session, its child in the same group, and whoever works in this folder."""
    process = subprocess.Popen(
        [sys.executable, "-SEc", FAMILY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        env={},
        start_new_session=True,
    )
    child = pids.incarnation(int(process.stdout.readline()))
    leader = pids.incarnation(process.pid)
    yield leader, child
    for who in pids.in_session(leader, tmp_path):
        pids.send(who, signal.SIGKILL)
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_a_group_is_its_leader_first_and_what_it_started(family):
    leader, child = family
    assert pids.group(leader) == (leader, child)
    assert pids.group(child) == ()  # it leads none
    assert pids.group(Incarnation(pid=leader.pid, ticks=leader.ticks - 1)) == ()


def test_a_signal_to_a_group_ends_all_of_it(family):
    leader, child = family
    assert pids.send_group(leader, signal.SIGKILL)
    assert pids.wait_gone([leader, child], 5) == ()
    assert not pids.send_group(leader, signal.SIGKILL)


def test_those_of_a_session_are_found_without_a_mark_and_after_their_leader(family, tmp_path):
    leader, child = family
    assert {leader, child} < set(pids.in_session(leader, tmp_path))  # and the one with a group of its own
    assert pids.in_session(leader, tmp_path / "elsewhere") == ()
    assert pids.send(leader, signal.SIGKILL)
    assert pids.wait_gone([leader], 5) == ()
    found = pids.in_session(leader, tmp_path)
    assert child in found
    assert len(found) == 2


def test_a_session_whose_number_another_process_has_is_somebody_elses(family, tmp_path):
    leader, _ = family
    assert pids.in_session(Incarnation(pid=leader.pid, ticks=leader.ticks - 1), tmp_path) == ()
