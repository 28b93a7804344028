"""Traces in the formats of Azure, BurstGPT and Mooncake, and the one we ship: made up, with a real one's statistics."""

from __future__ import annotations

import statistics
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from holdfast.errors import SpecError
from holdfast.load.trace import read_trace
from holdfast.load.traces import formats
from holdfast.load.traces.azure import HEADER
from holdfast.model.load import TraceRow

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "loadtests/traces/chat-small.csv"
THREE = f"""{HEADER}
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,396,109
2023-11-16 18:16:00.0000000,5,6
"""


def problems_in(text: str, **options) -> list[str]:
    with pytest.raises(SpecError) as caught:
        read_trace(text, "t.csv", **options)
    return [str(problem) for problem in caught.value.problems]


def test_offsets_count_from_the_first_row_to_a_ten_millionth():
    # 50.9951690 - 46.6805900 = 4.3145790; 60 - 46.68059 = 13.31941.
    assert read_trace(THREE, "t.csv") == (
        TraceRow(offset=0.0, prompt_tokens=374, answer_tokens=44),
        TraceRow(offset=4.314579, prompt_tokens=396, answer_tokens=109),
        TraceRow(offset=13.31941, prompt_tokens=5, answer_tokens=6),
    )


def test_windows_line_ends_are_read_too():
    assert read_trace(THREE.replace("\n", "\r\n"), "t.csv") == read_trace(THREE, "t.csv")


def test_a_start_skips_rows_and_counts_from_there():
    rows = read_trace(THREE, "t.csv", start=4.0)
    assert [row.offset for row in rows] == pytest.approx([0.314579, 9.31941])


@pytest.mark.parametrize(
    "header",
    [
        "",
        "timestamp,ContextTokens,GeneratedTokens",
        "TIMESTAMP;ContextTokens;GeneratedTokens",
        "[1, 2]",
    ],
)
def test_another_header_is_refused_at_its_place(header):
    (problem,) = problems_in(THREE.replace(HEADER, header))
    assert problem.startswith("t.csv:1:1: not a trace: no known format begins like this")
    assert all(known.begins in problem for known in formats())


def test_every_bad_row_is_told_with_line_column_and_caret():
    rows = [
        "2023-11-16 18:15:46.68,374,44",
        "yesterday,1,2",
        "2023-11-16 18:15:47,x,-1",
        "2023-11-16 18:15:45,1,2",
        "1,2",
    ]
    found = problems_in("\n".join([HEADER, *rows]))
    assert [problem.split(": ")[0] for problem in found] == ["t.csv:3:1", "t.csv:4:21", "t.csv:5:1", "t.csv:6:1"]
    assert "not a number of tokens: 'x'" in found[1]
    # The caret stands under the x: 8 characters of line number, then 20 of time and comma.
    assert " " * 28 + "^" in found[1]
    assert "earlier than the row before" in found[2]


def test_a_month_that_does_not_exist_is_no_time():
    (problem,) = problems_in(f"{HEADER}\n2023-13-16 18:15:46.0000000,1,2\n")
    assert "not a time" in problem


def test_a_trace_with_nothing_to_replay_is_refused():
    assert "no rows" in problems_in(f"{HEADER}\n")[0]
    assert "the trace ends before 60s" in problems_in(THREE, start=60.0)[0]
    assert "no rows between 1s and 3s" in problems_in(THREE, start=1.0, until=2.0)[0]


# Azure 2024: the same columns, times with an offset from UTC, and no point on a full second.


def test_times_with_an_offset_are_read_as_moments():
    text = f"""{HEADER}
2024-05-10 00:00:00.009930+00:00,2162,5
2024-05-10 00:00:01+00:00,2399,6
2024-05-10 02:00:01.500000+02:00,76,15
"""
    assert [row.offset for row in read_trace(text, "t.csv")] == pytest.approx([0.0, 0.99007, 1.49007])


def test_only_the_window_is_read():
    rows = read_trace(f"{THREE}2023-11-16 18:17:00,5,6\nnonsense\n", "t.csv", start=1.0, until=5.0, width=0.0)
    # The second row is 4.314579 s after the first; the third, at 13.3 s, ends the window: the nonsense is never met.
    assert [row.offset for row in rows] == pytest.approx([3.314579])


def test_lines_are_taken_one_by_one_as_from_an_open_file():
    import tracemalloc

    start = datetime(2024, 5, 10, tzinfo=UTC)

    def lines():
        yield f"{HEADER}\n"
        for second in range(20_000):
            yield f"{start + timedelta(seconds=second)},5,6\n"

    tracemalloc.start()
    try:
        rows = read_trace(lines(), "week.csv", start=15_000.0, until=60.0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [row.offset for row in rows] == [float(second) for second in range(60)]
    # The sample of 2,000 rows and the 60 of the window; 20,000 rows would be more than 4 MB.
    assert peak < 2e6


# BurstGPT.

BURSTGPT = """\
Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type
5.0,s1,2.1,ChatGPT,472,18,490,Conversation log
5.0,,1.0,GPT-4,1087,0,1087,API log
45.5,s1,0.5,ChatGPT,900,230,1130,Conversation log
"""


def test_burstgpt_rows_have_sessions_and_failures():
    rows = read_trace(BURSTGPT, "b.csv", width=0.0)
    assert [(row.offset, row.prompt_tokens, row.answer_tokens, row.session) for row in rows] == [
        (0.0, 472, 18, "s1"),
        (0.0, 1087, 0, ""),
        (40.5, 900, 230, "s1"),
    ]


def test_the_first_version_of_burstgpt_has_no_sessions():
    text = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,API log\n"
    assert read_trace(text, "b.csv") == (TraceRow(offset=0.0, prompt_tokens=472, answer_tokens=18),)


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        (BURSTGPT.replace("Elapsed", "Passed"), "1:22", "unknown column 'Passed time'"),
        (BURSTGPT.replace("Model", "Timestamp"), "1:35", "column 'Timestamp' stands there twice"),
        ("Timestamp,Model\n5,x\n", "1:1", "no column Request tokens, Response tokens"),
        (BURSTGPT.replace("\n5.0,s1", "\n-5.0,s1"), "2:1", "a time before the trace's zero: -5.0"),
        (BURSTGPT.replace("\n45.5", "\nnan"), "4:1", "not a number of seconds: 'nan'"),
        (BURSTGPT.replace("\n45.5", "\n4.5"), "4:1", "this row is earlier than the row before it"),
        (BURSTGPT.replace("1087,0", f"{9**99},0"), "3:16", "not a number of tokens: '"),
        (BURSTGPT.replace("1087,0", ",0"), "3:16", "not a number of tokens: ''"),
        (BURSTGPT.replace("5.0,,", "\n5.0,,"), "3:1", "expected 8 fields, got 0"),
    ],
)
def test_what_is_wrong_in_a_burstgpt_trace_is_told_at_its_place(text, place, what):
    assert problems_in(text)[0].startswith(f"t.csv:{place}: {what}")


# Mooncake.

MOONCAKE = """\
{"timestamp": 0, "input_length": 1100, "output_length": 500, "hash_ids": [0, 1, 2]}
{"timestamp": 0, "input_length": 600, "output_length": 490, "hash_ids": [0, 14]}
{"timestamp": 3000, "input_length": 10, "output_length": 3, "hash_ids": []}
"""


def test_mooncake_rows_have_milliseconds_and_blocks():
    rows = read_trace(MOONCAKE, "m.jsonl", width=0.0)
    assert [(row.offset, row.prompt_tokens, row.answer_tokens, row.blocks) for row in rows] == [
        (0.0, 1100, 500, (0, 1, 2)),
        (0.0, 600, 490, (0, 14)),
        (3.0, 10, 3, ()),
    ]


@pytest.mark.parametrize(
    ("old", "new", "place", "what"),
    [
        ('"timestamp": 3000', '"timestamp": -1', "3:2", "timestamp is not a whole number from 0 to 1000000000000: -1"),
        ('"timestamp": 3000', '"time": 3000', "3:2", "unknown key 'time'"),
        ('"output_length": 490, ', "", "2:1", "no output_length"),
        ('"output_length": 490, ', '"output_length": 490 ', "2:60", "not a JSON object"),
        ('"timestamp": 3000', f'"timestamp": {10**400}', "3:2", "timestamp is not a whole number from 0 to"),
        ('"input_length": 10', '"input_length": true', "3:21", "input_length is not a whole number from 0 to"),
        ("[0, 14]", "[" * 100_000, "2:1", "not a JSON object"),
        ("[0, 14]", '"all"', "2:61", "hash_ids is not a list of whole numbers"),
        ("[0, 14]", "[0, 14, 15]", "2:61", "3 blocks of 512 tokens, but 600 tokens"),
        ("[0, 14]", "[0, 14.5]", "2:61", "hash_ids is not a list of whole numbers"),
    ],
)
def test_what_is_wrong_in_a_mooncake_trace_is_told_at_its_place(old, new, place, what):
    assert problems_in(MOONCAKE.replace(old, new))[0].startswith(f"t.csv:{place}: {what}")


# Coarse stamps.


def test_stamps_that_many_rows_share_stand_for_the_smallest_step_between_two():
    # Mooncake's conversation trace steps by 2997 to 3003 ms; after a gap of 60 s the bin is still one step wide.
    stamps = [0, 0, 0, 3000, 3000, 5997, 8997, 8997, 68997, 68997]
    line = '{{"timestamp": {}, "input_length": 10, "output_length": 3, "hash_ids": [1]}}'
    rows = read_trace("\n".join(line.format(stamp) for stamp in stamps), "m.jsonl")
    assert {row.width for row in rows} == {2.997}
    # What is said in the profile counts more; and no row is moved beyond the next stamp.
    assert {row.width for row in read_trace("\n".join(map(line.format, stamps)), "m.jsonl", width=0.0)} == {0.0}
    wide = read_trace("\n".join(map(line.format, stamps)), "m.jsonl", width=5.0)
    assert [row.width for row in wide] == [3.0, 3.0, 3.0, 2.997, 2.997, 3.0, 5.0, 5.0, 5.0, 5.0]


def test_stamps_that_hardly_two_rows_share_are_believed():
    assert {row.width for row in read_trace(SHIPPED.read_text(), "t.csv")} == {0.0}


# The one we ship.


def test_the_shipped_trace_is_what_its_generator_writes(tmp_path):
    made = tmp_path / "made.csv"
    subprocess.run([sys.executable, ROOT / "loadtests/generate_trace.py", "--out", made], check=True)
    assert made.read_bytes() == SHIPPED.read_bytes()
    assert SHIPPED.stat().st_size < 150_000


def test_the_shipped_trace_has_the_statistics_of_azure_2023_conversations():
    rows = read_trace(SHIPPED.read_text(), "chat-small.csv")
    gaps = [later.offset - earlier.offset for earlier, later in pairwise(rows)]
    # 5.5/s for 600 s: 3,300 rows, whose mean gap has a standard error of 1.09 / sqrt(3300) = 1.9 %: two of them.
    assert len(gaps) / sum(gaps) == pytest.approx(5.5, rel=0.038)
    assert statistics.pstdev(gaps) / statistics.mean(gaps) == pytest.approx(1.09, rel=0.03)
    assert percentiles([row.prompt_tokens for row in rows]) == pytest.approx([1020, 2734, 4142], rel=0.01)
    assert percentiles([row.answer_tokens for row in rows]) == pytest.approx([129, 424, 601], rel=0.01)


def percentiles(values: list[int]) -> list[int]:
    ordered = sorted(values)
    return [ordered[int(share * len(ordered))] for share in (0.5, 0.9, 0.99)]
