"""`alert`: it reaches the receiver soon after the fault, with the right severity, and clears once that is gone."""

from __future__ import annotations

import pytest

from holdfast.expect.alert import AlertFires
from holdfast.model.timeline import AlertEvent
from holdfast.model.verdict import State
from holdfast.testing import KILL, a_place, a_timeline, an_alert, fault_steps

# The fault is applied at 31.02 s and gone at 36.5 s; the record ends at 75 s.


def judged(alerts, *, severity="page", fires=10.0, clears=30.0, **story):
    expectation = AlertFires(
        alert="EngineDown", severity=severity, fires_within=fires, clears_within=clears, where=a_place()
    )
    return expectation.judge(a_timeline(alerts=alerts, **story))


@pytest.mark.parametrize(
    ("fired", "cleared", "state"),
    [
        (38.0, 46.0, State.PASS),  # 38 - 31.02 = 7 <= 10; 46 - 36.5 = 9.5 <= 30
        (41.0, 46.0, State.PASS),  # 9.98 <= 10
        (42.0, 46.0, State.FAIL),  # 11 > 10
        (38.0, 67.0, State.FAIL),  # 67 - 36.5 = 30.5 > 30
        (38.0, None, State.FAIL),  # 75 - 36.5 = 38.5 s went by, 30 were allowed
        (None, None, State.FAIL),
        (38.0, 36.2, State.PASS),  # cleared before the fault was seen gone: at once
    ],
)
def test_times_are_measured_from_the_fault(fired, cleared, state):
    alerts = an_alert(fired=fired, cleared=cleared)
    if cleared is not None and fired is not None and cleared < fired:
        alerts = an_alert(fired=35.0, cleared=cleared)
    assert judged(alerts).state is state


def test_a_record_that_ends_before_the_bound_does_not_decide():
    # 75 - 36.5 = 38.5 < 60
    verdict = judged(an_alert(fired=38.0, cleared=None), clears=60.0)
    assert verdict.state is State.UNKNOWN
    assert verdict.sentence.endswith("It had not cleared when the record ended; allowed 1m.")


def test_one_that_fires_again_has_not_cleared():
    again = AlertEvent(t=60.0, name="EngineDown", status="firing", severity="page")
    assert judged((*an_alert(fired=38.0, cleared=46.0), again)).state is State.FAIL


def test_the_severity_must_be_the_one_expected():
    verdict = judged(an_alert(fired=38.0, cleared=46.0, severity="ticket"))
    assert verdict.state is State.FAIL
    assert "Its severity is ticket, expected page." in verdict.sentence
    assert judged(an_alert(fired=38.0, cleared=46.0, severity="ticket"), severity=None).state is State.PASS
    assert judged(an_alert(fired=38.0, cleared=46.0, severity="")).state is State.FAIL


def test_an_alert_from_before_the_fault_does_not_count():
    assert judged(an_alert(fired=20.0, cleared=25.0)).state is State.FAIL


def test_another_alert_does_not_count():
    assert judged(an_alert("GatewayDown", fired=38.0, cleared=46.0)).state is State.FAIL


def test_without_a_fault_no_alert_was_due():
    assert judged(an_alert(fired=38.0, cleared=46.0), faults=()).state is State.UNKNOWN


def test_a_fault_never_seen_gone_gives_no_reason_to_clear():
    steps = {name: t for name, t in KILL.items() if name != "gone"}
    assert judged(an_alert(fired=38.0, cleared=None), faults=fault_steps(steps)).state is State.UNKNOWN
    assert judged((), faults=fault_steps(steps)).state is State.FAIL  # but it had to fire


def test_firing_alone_may_be_asked():
    assert judged(an_alert(fired=38.0, cleared=None), clears=None).state is State.PASS
    assert judged(an_alert(fired=74.0, cleared=None), fires=None, clears=None).state is State.PASS
