"""Leases and what faults make of an engine, by a clock that the test moves: pure, and exact in any order of ends."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refplatform.engine.faults import next_load
from refplatform.engine.faults.catalogue import known
from refplatform.engine.faults.next_load import NextLoad, StaleError
from refplatform.engine.faults.patient import Patient
from refplatform.engine.faults.read import BadFaultError
from refplatform.engine.faults.register import MOST_ACTIVE, NoSuchFaultError, Register
from refplatform.engine.gpu import SPECS, Device
from refplatform.engine.live import Conditions

BENDING = ["core-dead", "kv-exhaustion", "cold-prefix-cache", "throttled-clock", "xid", "ecc-errors", "rank-lost"]
"""Faults that may be begun without a loop: they neither stop nor end the process."""


class Ward:
    """A register over a real patient, with a clock that stands until it is moved."""

    def __init__(self, before=None):
        self.now = 100.0
        self.conditions = before or Conditions()
        self.devices = (Device(spec=SPECS["h100"]), Device(spec=SPECS["h100"], index=1))
        self.patient = Patient(self.conditions, self.devices, blocks=1000, next_file=None)
        self.counted = []
        self.register = Register(
            known(),
            settle=self.patient.settle,
            count=self.counted.append,
            clock=lambda: self.now,
            wall=lambda: self.now + 1e9,
            context={"gpus": 2, "next_load": True},
        )

    def begin(self, fault, lease=10, **parameters):
        body = {"fault": fault, "lease": lease, "parameters": parameters}
        return self.register.begin(json.dumps(body).encode())["id"]

    def pass_(self, seconds):
        self.now += seconds
        self.register._beat()

    @property
    def seen(self):
        """All that faults may change and that must be as before when they are over."""
        return self.conditions, [(device.factor, device.last_xid, device.lost) for device in self.devices]


WELL = (Conditions(), [(1.0, 0, False)] * 2)


@given(st.lists(st.tuples(st.sampled_from(BENDING), st.floats(0.1, 30)), max_size=8), st.randoms())
def test_whatever_was_begun_and_in_whichever_order_it_ends_the_engine_is_as_before(faults, chance):
    ward = Ward()
    begun = [ward.begin(name, lease=lease) for name, lease in faults]
    chance.shuffle(begun)
    for one in begun[::2]:
        ward.register.end(one)
        ward.pass_(chance.random() * 5)
    ward.pass_(30)
    assert ward.seen == WELL
    assert not any(one["active"] for one in ward.register.all())


def test_an_engine_is_as_it_was_before_and_not_as_it_was_made():
    ward = Ward(Conditions(step_factor=2.0, reserved_blocks=100))
    one = ward.begin("throttled-clock", factor=0.5)
    two = ward.begin("kv-exhaustion", percent=50)
    assert (ward.conditions.step_factor, ward.conditions.reserved_blocks) == (4.0, 600)
    ward.register.end(one)
    ward.register.end(two)
    assert ward.conditions == Conditions(step_factor=2.0, reserved_blocks=100)


def test_a_lease_ends_at_its_second_and_not_before():
    ward = Ward()
    one = ward.begin("core-dead", lease=5)
    ward.pass_(4.9)
    assert ward.conditions.halted
    ward.pass_(0.1)
    assert not ward.conditions.halted
    with pytest.raises(NoSuchFaultError):
        ward.register.renew(one, b'{"lease": 5}')


def test_a_renewed_lease_counts_from_the_renewal():
    ward = Ward()
    one = ward.begin("core-dead", lease=5)
    ward.pass_(4)
    assert ward.register.renew(one, b'{"lease": 5}')["remaining"] == 5
    ward.pass_(4.9)
    assert ward.conditions.halted
    ward.pass_(0.1)
    assert not ward.conditions.halted


def test_a_core_is_found_dead_after_its_seconds_and_alive_again_at_the_end():
    ward = Ward()
    ward.begin("core-dead", lease=5, detected=2)
    ward.pass_(1.9)
    assert (ward.conditions.halted, ward.patient.state.dead) == (True, "")
    ward.pass_(0.1)
    assert ward.patient.state.dead
    ward.pass_(3)
    assert not ward.patient.state.dead


def test_memory_errors_rise_with_time_and_stay_when_it_ends():
    ward = Ward()
    ward.begin("ecc-errors", lease=5, rate=10, gpu=1)
    assert [device.sbe for device in ward.devices] == [0, 1]
    ward.pass_(2)
    assert ward.devices[1].sbe == 1 + 20
    ward.pass_(30)
    assert (ward.devices[1].sbe, ward.devices[1].dbe) == (21, 0)


def test_an_xid_is_reported_once_however_often_it_is_looked_at():
    ward = Ward()
    ward.begin("xid", code=63)
    ward.pass_(1)
    ward.pass_(1)
    assert ward.devices[0].xids_in_window() == {63: 1}


def test_no_more_faults_are_taken_than_can_be_kept():
    ward = Ward()
    for _ in range(MOST_ACTIVE):
        ward.begin("slow")
    with pytest.raises(BadFaultError, match="no more are taken"):
        ward.begin("slow")
    assert len(ward.register.end_all()) == MOST_ACTIVE


def test_word_for_the_next_start_is_read_back_until_it_is_too_old(tmp_path):
    path = tmp_path / "next-load.json"
    assert next_load.read(path, 1000.0) == NextLoad()
    left = NextLoad(seconds=5, fails=True, until=1010.0)
    next_load.write(path, left)
    assert path.stat().st_mode & 0o777 == 0o600
    assert next_load.read(path, 1000.0) == left
    # Over; or from a clock that was set back: no lease is longer than 30 s.
    for now in (1010.0, 2000.0, 979.0):
        with pytest.raises(StaleError):
            next_load.read(path, now)
    next_load.write(path, None)
    next_load.write(path, None)
    assert next_load.read(path, 1000.0) == NextLoad()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"seconds": "x", "fails": true, "until": 1005}', "\x00"])
def test_a_damaged_word_is_not_obeyed(tmp_path, text):
    path = tmp_path / "next-load.json"
    path.write_text(text)
    with pytest.raises(StaleError):
        next_load.read(path, 1000.0)


def test_a_load_fault_is_refused_where_no_start_can_be_told():
    register = Ward().register
    register._context = {"gpus": 1, "next_load": False}
    with pytest.raises(BadFaultError, match="without --fault-state"):
        register.begin(b'{"fault": "slow-load", "lease": 1}')
