"""What a request costs before the scheduler hears of it, and the clock that waits for it, in real time."""

import asyncio
import time

import pytest

from refplatform.alarm import Alarm
from refplatform.engine.calibration import Calibration
from refplatform.engine.reading import Desk, Reading

LIMITS = {"name": "any", "max_num_seqs": 4, "max_num_batched_tokens": 64, "max_model_len": 64, "kv_cache_tokens": 64}
NUMBERS = {"c0": 0.01, "c_prefill": 0.0, "c_kv": 0.0, "c_seq": 0.0}


async def taken(reading, running=0):
    began = time.monotonic()
    await reading.take(running)
    return time.monotonic() - began


def together(reading, *running):
    async def all_of_them():
        return await asyncio.gather(*(taken(reading, one) for one in running))

    return asyncio.run(all_of_them())


def test_requests_that_come_together_are_read_one_after_the_other():
    took = together(Reading(Desk(0.02), clock=time.monotonic), 0, 0, 0)
    # 20, 40 and 60 ms after the first one came; each began its own clock a moment later than the one before.
    assert all(seconds > least - 0.005 for seconds, least in zip(took, (0.02, 0.04, 0.06), strict=True))
    assert took == sorted(took)


def test_running_requests_delay_a_new_one_and_not_those_behind_it():
    first, second = together(Reading(Desk(beside=0.01), clock=time.monotonic), 6, 1)
    assert first >= 0.06
    assert 0.01 <= second < first


def test_without_a_cost_nobody_waits():
    assert together(Reading(Desk(), clock=time.monotonic), 100)[0] < 0.01


def test_an_alarm_is_never_early_and_can_be_given_back():
    async def sleeps():
        alarm, late = Alarm(time.monotonic), []
        for _ in range(20):
            instant = time.monotonic() + 0.0003
            await alarm.until(instant)
            late.append(time.monotonic() - instant)
            alarm.close()
        await alarm.until(time.monotonic() - 1)
        return late

    assert min(asyncio.run(sleeps())) >= 0


@pytest.mark.parametrize("name", ["c_request", "c_beside"])
def test_a_negative_cost_is_absurd(name):
    with pytest.raises(ValueError, match=f"{name} must not be negative"):
        Calibration(**LIMITS, **NUMBERS, **{name: -1e-6})


def test_where_the_numbers_come_from_is_no_part_of_them():
    one, other = (Calibration(**LIMITS, **NUMBERS, measured=about) for about in (None, {"version": "0.32.0"}))
    assert one == other
