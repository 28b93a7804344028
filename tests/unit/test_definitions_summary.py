"""A run in each tool's words: percentiles over the record itself, rates over its window, goodput by its rules."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.definitions import words
from holdfast.definitions.base import E2E, GOODPUT, ITL, TPOT, TTFT, Bounds
from holdfast.definitions.spread import kept_by, linear, spread, stepped, truncated
from holdfast.definitions.summary import summarize, summarize_all
from holdfast.definitions.tools import find, names
from tool_streams import STREAMS

INF = math.inf
TEN = np.arange(1.0, 11.0)


def of(tool, *goldens, **bounds):
    return summarize(tool, find(tool), [STREAMS[name] for name in goldens], Bounds(**bounds))


def test_four_ways_to_choose_the_90th_percentile_of_ten_values():
    assert linear(TEN, 0.9) == pytest.approx(9 + 0.1 * (10 - 9))  # rank 0.9 * 9 = 8.1 from zero
    assert kept_by(TEN, 0.9) == 9  # nine of ten do not exceed 9
    assert truncated(TEN, 0.9) == 10  # the value of rank 9 from zero
    # Where the weights reach 0.9; as in GuideLLM itself, nine times 0.1 falls a rounding short of it.
    assert stepped(TEN, [1.0] * 10, 0.9) == 10


def test_weights_move_a_stepped_percentile():
    # 1 weighs 9 of 10, 2 weighs 1: the median is 1, and only beyond 0.9 it is 2.
    assert [stepped([2.0, 1.0], [1.0, 9.0], share) for share in (0.5, 0.9, 0.95)] == [1, 1, 2]


def test_a_failure_is_infinite_and_is_never_mixed_with_a_number():
    values = [1.0, 2.0, INF]
    assert [kept_by(values, share) for share in (0.5, 0.66, 0.67)] == [2, 2, INF]
    # Rank 0.9 * 2 = 1.8 is nearest to 2, rank 0.7 * 2 = 1.4 to 1.
    assert [linear(np.array(values), share) for share in (0.7, 0.9)] == [2, INF]
    found = spread(values, [1.0] * 3, lambda there, _, share: kept_by(there, share))
    assert (found.n, found.mean, found.least, found.most) == (3, INF, 1, INF)


def test_no_value_is_unknown_and_not_zero():
    found = spread([], [], lambda *_: 0.0)
    assert (found.n, found.mean, found.p50, found.p99) == (0, None, None, None)
    assert words.milliseconds(found.p50) == "unknown"


def test_a_value_that_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match="not a number"):
        spread([1.0, math.nan], [1.0, 1.0], lambda *_: 0.0)


@given(st.lists(st.floats(0, 1e6) | st.just(INF), min_size=1, max_size=60), st.sampled_from((0.5, 0.9, 0.95, 0.99)))
def test_our_percentile_was_seen_and_no_smaller_value_would_do(values, share):
    found = kept_by(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) < share * len(values)


@settings(max_examples=10)
@given(st.permutations(list(STREAMS)))
def test_the_order_of_requests_changes_nothing(order):
    bounds = Bounds(ttft=0.15, tpot=0.12, e2e=0.4, gap=0.5)
    tools = {name: find(name) for name in ("holdfast", "guidellm", "aiperf")}
    turned = words.rows(summarize_all(tools, [STREAMS[name] for name in order], bounds))
    assert turned == words.rows(summarize_all(tools, STREAMS.values(), bounds))


@pytest.mark.parametrize(
    ("tool", "good", "of_all", "seconds"),
    [
        # text, one token and cut; ttft within 150 ms, tpot within 120 ms. Ours: text and one token of 3 requests, from
        # the first due at 0 to the last end at 310.
        ("holdfast", 2, 3, 0.310),
        # 90 ms and (310 - 100) / 2 = 105 ms; one token has tpot 0; the run is from 10 to 310, and there is no share.
        ("vllm", 2, None, 0.300),
        # Its itl of one token cannot be looked at: out of both. The failure is bad. From 0 to 310.
        ("guidellm", 1, 2, 0.310),
        # One token has no itl and is not good; the failure is in what it is a share of. From 10 to 300.
        ("aiperf", 1, 3, 0.290),
        # One token has neither ttft nor tpot; the failure is in nothing. From 10 to 310.
        ("inference_perf", 1, 2, 0.300),
    ],
)
def test_five_tools_count_good_requests_in_five_ways(tool, good, of_all, seconds):
    found = of(tool, "text", "one token", "cut", ttft=0.150, tpot=0.120).goodput
    assert (found.good, found.of) == (good, of_all)
    assert found.per_second == pytest.approx(good / seconds)
    assert found.share == (None if of_all is None else good / of_all)


def test_only_ours_minds_a_silence_inside_an_answer():
    # 10, 1000 and 10 ms between tokens: a mean of 340 ms hides it from who asks for 350 ms a token.
    assert of("holdfast", "stall", tpot=0.350).goodput.good == 1
    assert of("holdfast", "stall", tpot=0.350, gap=0.500).goodput.good == 0
    assert of("vllm", "stall", tpot=0.350, gap=0.500).goodput.good == 1
    assert of("vllm", "stall", gap=0.500).goodput is None


def test_without_bounds_there_is_no_goodput():
    assert [of(name, "text").goodput for name in names()] == [None] * len(names())


def test_guidellm_weighs_by_tokens():
    # text: 3 tokens, 96 ms each; several tokens: 8, 36 ms each. (3 * 96 + 8 * 36) / 11
    assert of("guidellm", "text", "several tokens").rows[TPOT].mean == pytest.approx((3 * 0.096 + 8 * 0.036) / 11)
    # Its plain body puts a zero with weight 3 beside 100 ms with weight 2.
    assert of("guidellm", "text", "plain body").rows[ITL].mean == pytest.approx(2 * 0.1 / 5)


def test_ours_keeps_what_was_seen_of_a_stream_that_was_cut():
    assert of("holdfast", "text", "cut").rows[ITL].n == 2 + 2  # its one gap, and the one that never ended
    assert of("holdfast", "text", "cut").rows[TTFT].p99 == INF
    assert of("vllm", "text", "cut").rows[TTFT].p99 == pytest.approx(0.09)


def test_aiperf_puts_failures_into_rows_of_their_own():
    found = of("aiperf", "text", "no done", "cut")
    assert found.rows[E2E].n == 2
    assert [found.rows["e2e adjusted"].n, found.rows["e2e adjusted"].p99] == [3, INF]


def test_rates_are_over_the_window_that_the_tool_looks_at():
    # text is due at 0, sent at 10, has its last content at 300 and ends at 310; three tokens.
    assert of("holdfast", "text").rates.tokens == pytest.approx(3 / 0.310)
    assert of("vllm", "text").rates.tokens == pytest.approx(3 / 0.300)
    assert of("aiperf", "text").rates.tokens == pytest.approx(3 / 0.290)
    # MLPerf counts the intervals between queries, up to the end of the one that was scheduled last.
    assert of("mlperf", "text", "one token").rates.requests == pytest.approx((2 - 1) / 0.310)


@pytest.mark.parametrize("tool", names())
def test_a_run_of_nothing_says_nothing(tool):
    found = summarize(tool, find(tool), [])
    assert found.requests == found.counted == found.failed == 0
    assert (found.seconds, found.rates.requests, found.rates.tokens) == (None, None, None)
    assert {row.n for row in found.rows.values()} == {0}


@pytest.mark.parametrize("tool", names())
def test_a_run_of_failures_alone_has_no_finite_latency(tool):
    found = of(tool, "cut", "rejected", "silence", ttft=1.0)
    assert found.counted == 0
    # Ours and AIPerf's adjusted rows say infinite, all others nothing; what came before a cut was seen.
    assert {row.p99 for name, row in found.rows.items() if name != "tokens per read"} <= {None, INF}
    assert found.goodput is None or found.goodput.good == 0


def test_the_table_has_a_line_for_each_figure_and_tool_with_its_definition():
    summaries = summarize_all({name: find(name) for name in names()}, STREAMS.values(), Bounds(ttft=0.15))
    table = words.rows(summaries)
    assert [len(line) for line in table] == [len(words.HEAD)] * len(table)
    assert {(line[0], line[1]) for line in table} == {(row, one.title) for one in summaries for row in one.says}
    assert all(line[-1] for line in table)
    # Six failed, and three had their first token after 200 ms or later.
    assert next(line for line in table if line[:2] == [GOODPUT, "Holdfast"])[3].startswith("23 of 32")
