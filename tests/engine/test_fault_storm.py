"""Many faults begun and ended at once by many hands under load: when all are over, nothing is left of any."""

import random
import threading

import pytest

HANDS = 4
ROUNDS = 15
"""Of each hand; all of them begin fewer faults than may be active at once."""
KINDS = [
    *("slow", "stall", "cut", "malformed-event", "no-done", "wrong-usage", "empty-200"),
    *("core-dead", "hang", "kv-exhaustion", "cold-prefix-cache", "throttled-clock", "xid", "ecc-errors", "rank-lost"),
]


def beside(works):
    """Run all of it at once, to the end."""
    failed = []

    def guarded(work):
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told by the assertion below
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failed == []


@pytest.mark.slow
def test_nothing_is_left_of_a_storm_of_faults(rig):
    def hand(seed):
        chance = random.Random(seed)
        mine = []
        for _ in range(ROUNDS):
            mine.append(rig.begin(chance.choice(KINDS), lease=chance.uniform(0.05, 0.3)))
            if chance.random() < 0.5:
                # One that was over long ago may be forgotten.
                assert rig.admin("DELETE", f"/faults/{chance.choice(mine)}")[0] in {200, 404}

    def load(seed):
        for _ in range(ROUNDS):
            rig.ask(tokens=5, wait=0.2, user=f"u{seed}")

    beside(
        [lambda seed=seed: hand(seed) for seed in range(HANDS)] + [lambda seed=seed: load(seed) for seed in range(2)]
    )
    rig.until(lambda: not any(one["active"] for one in rig.admin("GET")[1]["faults"]))
    rig.until(lambda: rig.metric("vllm:num_requests_running") == 0)
    assert rig.metric("vllm:kv_cache_usage_perc") == 0
    seen = [rig.ask() for _ in range(5)]
    assert {one.outcome for one in seen} == {"ok"}
    rig.quick(0.3)
    shown = rig.gpu()
    assert shown["DCGM_FI_DEV_XID_ERRORS"] == 0
    assert int(shown["DCGM_FI_DEV_CLOCKS_EVENT_REASONS"]) & 0x20 == 0
    assert rig.log.read_text().count("Traceback") == 0


@pytest.mark.slow
def test_two_hundred_streams_that_stall_are_all_let_go(rig):
    one = rig.begin("stall", tokens=1, lease=25)
    outcomes = []

    def ask():
        outcomes.append(rig.ask(tokens=3, wait=20).outcome)

    def let_go():
        rig.until(lambda: rig.told(one)["struck"] == 200, within=20)
        assert outcomes == []
        rig.admin("DELETE", f"/faults/{one}")

    beside([ask] * 200 + [let_go])
    assert outcomes == ["ok"] * 200
