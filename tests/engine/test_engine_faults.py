"""Faults of the whole engine: each is seen by a client and in the metrics, and seen gone, by hand and by its lease."""

import threading
import time

import pytest

LONG = "storm " * 200
"""Some 300 tokens, which the prefix cache knows after the first time."""


@pytest.fixture
def well(rig):
    """Asserts that the engine serves and says that it is well."""

    def clean():
        assert rig.get("/health") == 200
        seen = rig.ask()
        assert (seen.outcome, seen.error) == ("ok", "")
        rig.quick(0.3)

    return clean


def during(act):
    """Runs it beside the test; call the result for what it returned."""
    found = []
    thread = threading.Thread(target=lambda: found.append(act()))
    thread.start()

    def join():
        thread.join(10)
        return found[0]

    return join


def test_core_dead_takes_requests_and_gives_no_token_while_health_is_200(rig, well):
    def struck():
        assert rig.get("/health") == 200
        made = rig.metric("vllm:generation_tokens_total")
        seen = rig.ask(wait=0.2)
        assert (seen.outcome, seen.first) == ("timeout", None)
        assert rig.metric("vllm:generation_tokens_total") == made

    rig.life("core-dead", well, struck)


def test_core_dead_once_detected_refuses_everything_and_fails_what_was_under_way(rig, well):
    open_one = during(lambda: rig.ask(tokens=3000))
    rig.until(lambda: rig.metric("vllm:num_requests_running") == 1)

    def struck():
        rig.until(lambda: rig.get("/health") == 503)
        seen = rig.ask()
        assert (seen.outcome, seen.status) == ("http_error", 500)
        assert "EngineDeadError" in seen.error
        torn = open_one()
        assert (torn.status, torn.outcome) == (200, "cut")
        assert "EngineDeadError" in torn.error

    rig.life("core-dead", lambda: None, struck, detected=0.2)
    well()


def test_core_dead_lets_what_was_under_way_go_on_when_it_ends_undetected(rig):
    open_one = during(lambda: rig.ask(tokens=1000))
    rig.until(lambda: rig.metric("vllm:num_requests_running") == 1)
    rig.begin("core-dead", lease=0.3)
    seen = open_one()
    assert (seen.outcome, len(seen.text)) == ("ok", 1000 * 4)


def test_hang_takes_connections_and_answers_nothing_at_all(rig, well):
    def struck():
        assert rig.get("/health", wait=0.2) is None
        assert rig.get("/metrics", wait=0.2) is None
        assert rig.ask(wait=0.2).outcome == "timeout"

    rig.life("hang", well, struck)


def test_kv_exhaustion_leaves_requests_waiting(rig, well):
    def struck():
        seen = during(lambda: rig.ask(wait=1.5))
        rig.until(lambda: rig.metric("vllm:num_requests_waiting") == 1)
        assert rig.metric("vllm:kv_cache_usage_perc") == 1
        assert seen().outcome == "timeout"

    rig.life("kv-exhaustion", well, struck, percent=100)
    rig.until(lambda: rig.metric("vllm:kv_cache_usage_perc") == 0)


def cached(rig):
    """Tokens of the long prompt that were found, asked twice."""
    seen = [rig.ask(text=LONG, stream=False) for _ in range(2)]
    assert {one.outcome for one in seen} == {"ok"}
    return rig.ask(text=LONG, stream=False).body.split(b'"cached_tokens":')[1].split(b",")[0]


def test_cold_prefix_cache_finds_nothing(rig):
    def warm():
        assert int(cached(rig)) > 200

    def struck():
        hits = rig.metric("vllm:prefix_cache_hits_total")
        assert int(cached(rig)) == 0
        assert rig.metric("vllm:prefix_cache_hits_total") == hits

    rig.life("cold-prefix-cache", warm, struck)


def test_throttled_clock_makes_every_step_longer_and_shows_its_reason(rig):
    def clean():
        assert int(rig.gpu()["DCGM_FI_DEV_CLOCKS_EVENT_REASONS"]) & 0x20 == 0
        rig.quick(0.35, tokens=60)  # 60 steps of 2 ms are 0.12 s

    def struck():
        assert int(rig.gpu()["DCGM_FI_DEV_CLOCKS_EVENT_REASONS"]) & 0x20
        assert rig.ask(tokens=60).seconds > 0.48  # at a quarter of the clock

    rig.life("throttled-clock", clean, struck, factor=0.25)


def test_two_throttled_clocks_of_one_device_multiply_and_those_of_two_do_not(rig):
    slow = [rig.begin("throttled-clock", factor=0.5, gpu=gpu) for gpu in (0, 0, 1)]
    assert rig.ask(tokens=60).seconds > 0.48
    rig.admin("DELETE", f"/faults/{slow[0]}")  # the first one first: the others stay as they are
    assert rig.ask(tokens=60).seconds > 0.24
    rig.quick(0.48, tokens=60)
    assert len(rig.admin("DELETE")[1]["ended"]) == 2
    rig.quick(0.24, tokens=60)


def test_xid_79_takes_the_device_off_the_bus_and_the_engine_down(rig, well):
    def struck():
        shown = rig.gpu()
        assert (shown["DCGM_FI_DEV_XID_ERRORS"], "DCGM_FI_DEV_GPU_TEMP" in shown) == (79, False)
        assert (rig.get("/health"), rig.ask().status) == (503, 500)

    def clean():
        well()
        shown = rig.gpu()
        assert (shown["DCGM_FI_DEV_XID_ERRORS"], "DCGM_FI_DEV_GPU_TEMP" in shown) == (0, True)

    one = rig.life("xid", clean, struck, code=79)
    assert [(strike["request_id"], strike["did"]) for strike in rig.strikes(one)] == [(None, "began")]


def test_xid_63_is_a_report_after_which_work_goes_on(rig, well):
    one = rig.begin("xid", code=63)
    assert rig.gpu()["DCGM_FI_DEV_XID_ERRORS"] == 63
    well()
    rig.admin("DELETE", f"/faults/{one}")


def test_ecc_errors_are_counted_while_it_lasts_and_no_longer(rig):
    def count():
        return rig.gpu()["DCGM_FI_DEV_ECC_DBE_VOL_TOTAL"]

    def stands():
        before = count()
        assert rig.ask(tokens=60).outcome == "ok"  # 0.12 s, in which a rate of 100/s is 12 errors
        assert count() == before

    def rises():
        before = count()
        rig.until(lambda: count() >= before + 5)

    rig.life("ecc-errors", stands, rises, kind="dbe", rate=100)


def test_rank_lost_stalls_the_steps_and_then_kills_the_core(rig, well):
    def struck():
        assert rig.get("/health") == 200
        seen = rig.ask()
        assert (seen.outcome, seen.status, seen.text) == ("cut", 200, "")
        assert "rank 0 does not answer" in seen.error
        assert (rig.get("/health"), rig.ask().status) == (503, 500)
        assert "DCGM_FI_DEV_GPU_TEMP" not in rig.gpu()

    rig.life("rank-lost", well, struck, rank=0, timeout=1.5)
    assert "DCGM_FI_DEV_GPU_TEMP" in rig.gpu()


def wake(rig):
    """Put it to sleep and wake it up: status and seconds."""
    import http.client

    connection = http.client.HTTPConnection(rig.url.removeprefix("http://"), timeout=5)
    connection.request("POST", "/sleep")
    assert connection.getresponse().read()
    began = time.monotonic()
    connection.request("POST", "/wake_up")
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status, time.monotonic() - began


def test_slow_load_makes_a_wake_up_late(rig, well):
    def clean():
        assert wake(rig)[0] == 200
        rig.until(lambda: wake(rig)[1] < 0.3)
        well()

    def struck():
        status, seconds = wake(rig)
        assert status == 200
        assert seconds > 0.3

    rig.life("slow-load", clean, struck, seconds=0.3)


def test_load_failure_makes_a_wake_up_fail_and_the_engine_sleep_on(rig, well):
    def clean():
        assert wake(rig)[0] == 200
        well()

    def struck():
        assert wake(rig)[0] == 500
        assert (rig.get("/health"), rig.ask().status) == (200, 503)

    rig.life("load-failure", clean, struck)


def test_nothing_of_all_this_is_left(rig, well):
    assert [one for one in rig.admin("GET")[1]["faults"] if one["active"]] == []
    well()
