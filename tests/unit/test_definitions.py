"""What each tool says of one answer, by hand: (ttft, tpot, itl, e2e) in milliseconds, the arithmetic as written.

`tests/support/tool_streams.py` has the answers. Due at 0, sent at 10, written at 12: ours and MLPerf's count from 0,
GuideLLM's from 12, all others' from 10. None is no value, FAILED a request that the tool leaves out.
"""

from __future__ import annotations

import math

import pytest

from holdfast.definitions.base import E2E, ITL, TPOT, TTFT, VISIBLE
from holdfast.definitions.tools import find, names
from holdfast.errors import UsageError
from tool_streams import STREAMS

FAILED = "failed"
INF = math.inf

EXPECTED = {
    "text": {  # a at 100, b at 200, c at 300; finish, usage and [DONE] in one read at 310
        "holdfast": (100, (300 - 100) / 2, [100, 100], 310),
        "vllm": (100 - 10, (310 - 100) / 2, [100, 100, 10], 310 - 10),  # the finish event counts
        "guidellm": (100 - 12, (300 - 12) / 3, [(300 - 100) / 2], 310 - 12),
        "aiperf": (100 - 10, (300 - 100) / 2, [(300 - 100) / 2], 300 - 10),
        "inference_perf": (100 - 10, (300 - 100) / 2, [100, 100], 310 - 10),
        "mlperf": (100, (310 - 100) / 2, None, 310),
        "llmperf": (100 - 10, None, [(300 - 10) / 4], 310 - 10),  # four events with choices
    },
    "role first": {  # an event without text at 50, then a at 100, b at 200, the rest at 210
        "holdfast": (100, 100, [100], 210),
        "vllm": (50 - 10, (210 - 50) / 1, [50, 100, 10], 210 - 10),  # 40 ms for a token that nobody saw
        "guidellm": (100 - 12, (200 - 12) / 2, [100], 210 - 12),
        "aiperf": (100 - 10, 100, [100], 200 - 10),
        "inference_perf": (100 - 10, 100, [100], 210 - 10),
        "mlperf": (100, (210 - 100) / 1, None, 210),
        "llmperf": (100 - 10, None, [(200 - 10) / 4], 210 - 10),
    },
    "empty delta inside": {  # a at 100, nothing at 150, b at 200
        "holdfast": (100, 100, [100], 210),
        "vllm": (100 - 10, (210 - 100) / 1, [50, 50, 10], 210 - 10),
        "guidellm": (100 - 12, (200 - 12) / 2, [100], 210 - 12),
        "aiperf": (100 - 10, 100, [100], 200 - 10),
        "inference_perf": (100 - 10, 100, [100], 210 - 10),
        "mlperf": (100, (210 - 100) / 1, None, 210),
        "llmperf": (100 - 10, None, [(200 - 10) / 4], 210 - 10),
    },
    "several tokens": {  # four at 100, four at 300
        "holdfast": (100, (300 - 100) / 4, [200], 310),  # four tokens came after the first read
        "vllm": (100 - 10, (310 - 100) / 7, [200, 10], 310 - 10),
        "guidellm": (100 - 12, (300 - 12) / 8, [(300 - 100) / 7], 310 - 12),
        "aiperf": (100 - 10, (300 - 100) / 7, [(300 - 100) / 7], 300 - 10),
        "inference_perf": (100 - 10, (300 - 100) / 7, [0, 0, 0, 200, 0, 0, 0], 310 - 10),
        "mlperf": (100, (310 - 100) / 7, None, 310),
        "llmperf": (100 - 10, None, [(300 - 10) / 3], 310 - 10),
    },
    "one chunk of many": {  # four tokens at 100 and no more
        "holdfast": (100, None, [], 110),  # nothing came after the first read
        "vllm": (100 - 10, (110 - 100) / 3, [10], 110 - 10),
        "guidellm": (100 - 12, (100 - 12) / 4, [0 / 3], 110 - 12),
        "aiperf": (100 - 10, 0 / 3, [0 / 3], 100 - 10),
        "inference_perf": (100 - 10, 0 / 3, [0, 0, 0], 110 - 10),
        "mlperf": (100, (110 - 100) / 3, None, 110),
        "llmperf": (100 - 10, None, [(100 - 10) / 2], 110 - 10),
    },
    "finish with text": {  # a at 100, b with the finish reason at 200, usage and [DONE] in the same read
        "holdfast": (100, 100, [100], 200),
        "vllm": (100 - 10, 100, [100], 200 - 10),
        "guidellm": (100 - 12, (200 - 12) / 2, [100], 200 - 12),
        "aiperf": (100 - 10, 100, [100], 200 - 10),
        "inference_perf": (100 - 10, 100, [100], 200 - 10),
        "mlperf": (100, 100, None, 200),
        "llmperf": (100 - 10, None, [(200 - 10) / 2], 200 - 10),
    },
    "usage running along": {  # two tokens at 100, one at 200; each event with the count so far
        "holdfast": (100, (200 - 100) / 1, [100], 210),
        "vllm": (100 - 10, (210 - 100) / 2, [100, 10], 210 - 10),
        "guidellm": (100 - 12, (200 - 12) / 3, [(200 - 100) / 2], 210 - 12),
        "aiperf": (100 - 10, (200 - 100) / 2, [(200 - 100) / 2], 200 - 10),
        "inference_perf": (100 - 10, (200 - 100) / 2, [0, 100], 210 - 10),
        "mlperf": (100, (210 - 100) / 2, None, 210),
        "llmperf": (100 - 10, None, [(200 - 10) / 3], 210 - 10),
    },
    "reasoning": {  # thoughts at 100 and 200, text at 500 and 600
        "holdfast": (100, (600 - 100) / 3, [100, 300, 100], 610),
        "vllm": (100 - 10, (610 - 100) / 3, [100, 300, 100, 10], 610 - 10),
        "guidellm": (100 - 12, (600 - 12) / 4, [(600 - 100) / 3], 610 - 12),
        "aiperf": (100 - 10, (600 - 100) / 3, [(600 - 100) / 3], 600 - 10),
        "inference_perf": (500 - 10, (600 - 500) / 1, [100], 610 - 10),  # it sees no thoughts
        "mlperf": (100, (610 - 100) / 3, None, 610),
        "llmperf": (500 - 10, None, [(600 - 10) / 5], 610 - 10),
    },
    "reasoning alone": {  # thoughts at 100 and 200 and nothing else
        "holdfast": (100, 100, [100], 210),
        "vllm": (100 - 10, 110, [100, 10], 210 - 10),
        "guidellm": (100 - 12, (200 - 12) / 2, [100], 210 - 12),
        "aiperf": (100 - 10, 100, [100], 200 - 10),
        "inference_perf": (None, None, [], 210 - 10),
        "mlperf": (100, 110, None, 210),
        "llmperf": (0, None, [0], 210 - 10),  # zeros that stand for nothing
    },
    "tool call": {  # its name at 100, its arguments at 200
        "holdfast": (100, 100, [100], 210),
        "vllm": (100 - 10, 110, [100, 10], 210 - 10),
        "guidellm": (100 - 12, (200 - 12) / 2, [100], 210 - 12),
        "aiperf": (100 - 10, 100, [100], 200 - 10),
        "inference_perf": (None, None, [], 210 - 10),
        "mlperf": (100, 110, None, 210),
        "llmperf": (0, None, [0], 210 - 10),
    },
    "text then tool call": {  # a at 100, b at 200, a call at 300
        "holdfast": (100, (300 - 100) / 2, [100, 100], 310),
        "vllm": (100 - 10, (310 - 100) / 2, [100, 100, 10], 310 - 10),
        "guidellm": (100 - 12, (300 - 12) / 3, [100], 310 - 12),
        "aiperf": (100 - 10, 100, [100], 300 - 10),
        "inference_perf": (100 - 10, (200 - 100) / 1, [100], 310 - 10),
        "mlperf": (100, (310 - 100) / 2, None, 310),
        "llmperf": (100 - 10, None, [(200 - 10) / 4], 310 - 10),
    },
    "no usage": {  # a at 100, b at 200: the events are counted
        "holdfast": (100, 100, [100], 210),
        "vllm": (100 - 10, (210 - 100) / 1, [100, 10], 210 - 10),
        "guidellm": (100 - 12, (200 - 12) / 2, [100], 210 - 12),
        "aiperf": (100 - 10, 100, [100], 200 - 10),
        "inference_perf": (100 - 10, 100, [100], 210 - 10),
        "mlperf": (100, 110, None, 210),
        "llmperf": (100 - 10, None, [(200 - 10) / 3], 210 - 10),
    },
    "pings": {  # comments at 50, and before each of a at 100 and b at 200
        "holdfast": (100, 100, [100], 210),
        "vllm": (100 - 10, 110, [100, 10], 210 - 10),
        "guidellm": (100 - 12, (200 - 12) / 2, [100], 210 - 12),
        "aiperf": (100 - 10, 100, [100], 200 - 10),
        "inference_perf": (100 - 10, 100, [100], 210 - 10),
        "mlperf": (100, 110, None, 210),
        "llmperf": (100 - 10, None, [(200 - 10) / 3], 210 - 10),
    },
    "crlf": {  # lines end in CRLF; a at 100, b at 200
        "holdfast": (100, 100, [100], 210),
        "vllm": (100 - 10, 110, [100, 10], 210 - 10),
        "guidellm": (100 - 12, (200 - 12) / 2, [100], 210 - 12),
        "aiperf": (100 - 10, 100, [100], 200 - 10),
        "inference_perf": (100 - 10, 100, [100], 210 - 10),
        "mlperf": (100, 110, None, 210),
        "llmperf": (100 - 10, None, [(200 - 10) / 3], 210 - 10),
    },
    "split utf-8": {  # half of é at 100, its other half at 120: nobody could have read it before; b at 220
        "holdfast": (120, 100, [100], 230),
        "vllm": (120 - 10, 110, [100, 10], 230 - 10),
        "guidellm": (120 - 12, (220 - 12) / 2, [100], 230 - 12),
        "aiperf": (120 - 10, 100, [100], 220 - 10),
        "inference_perf": (120 - 10, 100, [100], 230 - 10),
        "mlperf": (120, 110, None, 230),
        "llmperf": (120 - 10, None, [(220 - 10) / 3], 230 - 10),
    },
    "coalesced": {  # a, b, c in one read at 100; d, e and the rest in one at 200
        "holdfast": (100, (200 - 100) / 2, [100], 200),  # no invented zeros: two reads, one gap
        "vllm": (100 - 10, (200 - 100) / 4, [0, 0, 100, 0, 0], 200 - 10),
        "guidellm": (100 - 12, (200 - 12) / 5, [(200 - 100) / 4], 200 - 12),
        "aiperf": (100 - 10, 25, [25], 200 - 10),
        "inference_perf": (100 - 10, 25, [0, 0, 100, 0], 200 - 10),
        "mlperf": (100, 25, None, 200),
        "llmperf": (100 - 10, None, [(200 - 10) / 6], 200 - 10),
    },
    "no done": {  # a at 100, b at 200, finish at 210; the connection ends at 220 without [DONE]
        "holdfast": (INF, INF, [100, INF], INF),
        "vllm": (100 - 10, 110, [100, 10], 210 - 10),
        "guidellm": (100 - 12, (200 - 12) / 2, [100], 220 - 12),
        "aiperf": (100 - 10, 100, [100], 200 - 10),
        "inference_perf": (100 - 10, 100, [100], 220 - 10),
        "mlperf": FAILED,
        "llmperf": (100 - 10, None, [(200 - 10) / 3], 220 - 10),
    },
    "done, then a late end": {  # [DONE] at 210, the connection ends at 450
        "holdfast": (100, 100, [100], 450),
        "vllm": (100 - 10, 110, [100, 10], 210 - 10),
        "guidellm": (100 - 12, (200 - 12) / 2, [100], 210 - 12),
        "aiperf": (100 - 10, 100, [100], 200 - 10),
        "inference_perf": (100 - 10, 100, [100], 450 - 10),
        "mlperf": (100, (450 - 100) / 1, None, 450),
        "llmperf": (100 - 10, None, [(200 - 10) / 3], 450 - 10),
    },
    "error inside": {  # a at 100, b at 200, an error event at 250
        "holdfast": (INF, INF, [100, INF], INF),
        "vllm": (100 - 10, 100, [100], 200 - 10),  # three tools take half an answer for a good one
        "guidellm": FAILED,
        "aiperf": (100 - 10, 100, [100], 200 - 10),
        "inference_perf": (100 - 10, 100, [100], 250 - 10),
        "mlperf": FAILED,
        "llmperf": FAILED,
    },
    "cut": dict.fromkeys(("vllm", "guidellm", "aiperf", "inference_perf", "mlperf", "llmperf"), FAILED)
    | {"holdfast": (INF, INF, [100, INF], INF)},  # a at 100, b at 200, a reset at 250
    "stall": {  # a at 100, b at 110, then a second of silence; c at 1110, d at 1120
        "holdfast": (100, (1120 - 100) / 3, [10, 1000, 10], 1130),
        "vllm": (100 - 10, (1130 - 100) / 3, [10, 1000, 10, 10], 1130 - 10),
        "guidellm": (100 - 12, (1120 - 12) / 4, [(1120 - 100) / 3], 1130 - 12),
        "aiperf": (100 - 10, (1120 - 100) / 3, [(1120 - 100) / 3], 1120 - 10),
        "inference_perf": (100 - 10, (1120 - 100) / 3, [10, 1000, 10], 1130 - 10),
        "mlperf": (100, (1130 - 100) / 3, None, 1130),
        "llmperf": (100 - 10, None, [(1120 - 10) / 5], 1130 - 10),
    },
    "one token": {  # a at 100
        "holdfast": (100, None, [], 110),
        "vllm": (100 - 10, None, [10], 110 - 10),
        "guidellm": (100 - 12, 100 - 12, [0], 110 - 12),  # the itl is there with weight 0
        "aiperf": (100 - 10, None, [], 100 - 10),
        "inference_perf": (None, None, [], 110 - 10),  # not even a ttft
        "mlperf": (100, None, None, 110),
        "llmperf": (100 - 10, None, [(100 - 10) / 2], 110 - 10),
    },
    "no token": {  # an empty event at 50, the end at 60, usage 0
        "holdfast": (INF, INF, [], INF),
        "vllm": (50 - 10, None, [10], 60 - 10),  # a success
        "guidellm": FAILED,
        "aiperf": FAILED,
        "inference_perf": (None, None, [], 60 - 10),
        "mlperf": FAILED,
        "llmperf": (0, None, [0], 60 - 10),
    },
    "plain body": {  # four tokens in one JSON body at 210
        "holdfast": (210, None, [], 210),  # its user sees the first token when the body is there
        "vllm": (None, None, [], 210 - 10),
        "guidellm": (None, (210 - 12) / 4, [0], 210 - 12),  # an itl of 0 with weight 3
        "aiperf": (None, None, [], 210 - 10),
        "inference_perf": (None, None, [], 210 - 10),
        "mlperf": (210, 0 / 3, None, 210),
        "llmperf": FAILED,
    },
    "embeddings": {  # a vector at 80
        "holdfast": (80, None, [], 80),
        "vllm": (None, None, [], 80 - 10),
        "guidellm": (None, None, [0], 80 - 12),
        "aiperf": (None, None, [], 80 - 10),
        "inference_perf": (None, None, [], 80 - 10),
        "mlperf": (80, None, None, 80),
        "llmperf": FAILED,
    },
    "rejected": dict.fromkeys(("vllm", "guidellm", "aiperf", "inference_perf", "mlperf", "llmperf"), FAILED)
    | {"holdfast": (INF, INF, [], INF)},
    "silence": dict.fromkeys(("vllm", "guidellm", "aiperf", "inference_perf", "mlperf", "llmperf"), FAILED)
    | {"holdfast": (INF, INF, [], INF)},
    "sent late": {  # due at 0, sent at 510 for want of a free client; a at 600, b at 700
        "holdfast": (600, 100, [100], 710),
        "vllm": (600 - 510, 110, [100, 10], 710 - 510),  # half a second that five tools do not see
        "guidellm": (600 - 512, (700 - 512) / 2, [100], 710 - 512),
        "aiperf": (600 - 510, 100, [100], 700 - 510),
        "inference_perf": (600 - 510, 100, [100], 710 - 510),
        "mlperf": (600, 110, None, 710),
        "llmperf": (600 - 510, None, [(700 - 510) / 3], 710 - 510),
    },
    "slow connection": {  # sent at 10, written at 110 for want of a connection; a at 200, b at 300
        "holdfast": (200, 100, [100], 310),
        "vllm": (200 - 10, 110, [100, 10], 310 - 10),
        "guidellm": (200 - 110, (300 - 110) / 2, [100], 310 - 110),
        "aiperf": (200 - 10, 100, [100], 300 - 10),
        "inference_perf": (200 - 10, 100, [100], 310 - 10),
        "mlperf": (200, 110, None, 310),
        "llmperf": (200 - 10, None, [(300 - 10) / 3], 310 - 10),
    },
}
CASES = [(golden, tool) for golden, tools in EXPECTED.items() for tool in tools]


def told(tool, golden):
    """Row -> the values of one answer in milliseconds."""
    one = find(tool).sample(STREAMS[golden])
    return {row: [value * 1000 for value in values] for row, values in one.times.items()}


@pytest.mark.parametrize(("golden", "tool"), CASES, ids=[f"{golden}: {tool}" for golden, tool in CASES])
def test_a_tool_says_of_an_answer_what_its_definition_says(golden, tool):
    expected, one = EXPECTED[golden][tool], find(tool).sample(STREAMS[golden])
    if expected == FAILED:
        assert one.failed
        return
    assert one.failed is (tool == "holdfast" and STREAMS[golden].outcome != "ok")
    ttft, tpot, itl, e2e = expected
    rows = {TTFT: ttft, TPOT: tpot, E2E: e2e}
    wanted = {row: [] if value is None else [value] for row, value in rows.items()} | {ITL: itl or []}
    found = told(tool, golden)
    assert {row: found.get(row, []) for row in wanted} == {
        row: pytest.approx(values, abs=1e-6) for row, values in wanted.items()
    }


def test_every_tool_has_a_word_on_every_answer_above():
    assert all(set(tools) == set(names()) for tools in EXPECTED.values())
    assert len(EXPECTED) >= 20


@pytest.mark.parametrize(
    ("tool", "visible"),
    [
        ("holdfast", 500),  # from due to the first text
        ("guidellm", 500 - 12),
        ("aiperf", 500 - 10),
    ],
)
def test_the_first_visible_token_of_a_thinker_stands_apart(tool, visible):
    assert told(tool, "reasoning")[VISIBLE] == pytest.approx([visible])
    assert VISIBLE not in told(tool, "reasoning alone")


def test_our_largest_gap_is_the_stall_and_tokens_are_counted_by_read():
    assert told("holdfast", "stall")["largest gap"] == pytest.approx([1110 - 110])
    assert find("holdfast").sample(STREAMS["coalesced"]).times["tokens per read"] == (3, 2)


def test_aiperf_has_every_chunk_in_a_row_of_its_own():
    assert told("aiperf", "reasoning")["inter-chunk"] == pytest.approx([100, 300, 100])


def test_inference_perf_also_divides_the_whole_latency_by_the_tokens():
    assert told("inference_perf", "text")["ntpot"] == pytest.approx([(310 - 10) / 3])
    assert told("inference_perf", "tool call")["ntpot"] == [0]


def test_a_request_that_was_never_sent_is_known_to_ours_and_to_mlperf_alone():
    from holdfast.model.stream import Stream

    dropped = Stream(id=1, due=3.0, outcome="dropped")
    assert [name for name in names() if find(name).sample(dropped) is not None] == ["holdfast", "mlperf"]
    assert find("holdfast").sample(dropped).times[TTFT] == (INF,)


def test_a_word_that_is_no_tool_is_refused_with_the_nearest_one():
    assert find("inference-perf") is find("inference_perf")
    with pytest.raises(UsageError, match="vlm") as refused:
        find("vlm")
    assert "vllm" in refused.value.hint


@pytest.mark.parametrize("tool", names())
def test_every_row_that_a_tool_fills_is_said_in_one_line(tool):
    said = find(tool).says
    filled = {row for stream in STREAMS.values() for row in find(tool).sample(stream).times}
    assert filled - set(said) == set()
    assert all(words and "\n" not in words for words in said.values())
