"""Traces in the Azure 2023 format, and the one we ship: made up, seeded, with the statistics of the real one."""

from __future__ import annotations

import statistics
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from holdfast.errors import SpecError
from holdfast.load.trace import HEADER, read_trace
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
        "Timestamp,Request tokens",
    ],
)
def test_another_header_is_refused_at_its_place(header):
    (problem,) = problems_in(THREE.replace(HEADER, header))
    assert problem.startswith("t.csv:1:1: not an Azure 2023 trace")
    assert HEADER in problem


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
    assert "ends after 13.3194s, before 60s" in problems_in(THREE, start=60.0)[0]


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
