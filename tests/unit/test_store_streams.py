"""Requests with all their events in a run folder: in order, in bounded memory, and readable from older records."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.model.stream import KINDS, Piece
from holdfast.store import tables
from holdfast.store.load import LINES, PIECES, REQUESTS, read_load, to_parquet
from holdfast.store.pieces import KIND_OF, LETTERS, loads, pieces_of
from holdfast.store.streams import read_streams

ASKED = {"due": 1.0, "outcome": "ok", "prompt_tokens": 9, "asked_tokens": 5, "tokens": 2, "model": "sim"}


def a_line(number: int | None, **more: object) -> dict:
    """A request sent at second 1 with two tokens, 20 and 45 ms later."""
    events = {"sent": 1.0, "at": [20_000, 45_000, 45_000], "kinds": "ccd", "counts": None, "counted": "server"}
    return {"kind": "request", "id": number, **ASKED, **events, **more}


def written(folder, lines) -> None:
    text = "".join(f"{json.dumps(line)}\n" for line in [*lines, {"kind": "end", "dropped": 0}])
    (folder / LINES).write_text(text)


def test_every_kind_of_event_has_a_letter_of_its_own():
    assert set(LETTERS) == set(KINDS)
    assert {letter: kind for kind, letter in LETTERS.items()} == KIND_OF


def test_pieces_are_microseconds_after_the_request_was_sent():
    assert pieces_of(a_line(0)) == (
        Piece(t=1.02, kind="content", tokens=1),
        Piece(t=1.045, kind="content", tokens=1),
        Piece(t=1.045, kind="done"),
    )
    assert [piece.tokens for piece in pieces_of(a_line(0, counts=[3, 4, 0]))] == [3, 4, 0]


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2], [0, 3, 1]])
def test_tables_stand_in_the_order_of_numbers_whatever_ended_first(tmp_path, order):
    written(tmp_path, [a_line(number) for number in order])
    assert to_parquet(tmp_path)
    assert [stream.id for stream in read_streams(tmp_path)] == sorted(order)
    assert pd.read_parquet(tmp_path / PIECES)["id"].tolist() == sorted(order)


def test_a_number_that_came_twice_is_kept_twice(tmp_path):
    written(tmp_path, [a_line(0), a_line(1), a_line(0)])
    to_parquet(tmp_path)
    assert sorted(read_load(tmp_path)[0].requests["id"]) == [0, 0, 1]


def test_requests_of_many_groups_of_rows_are_all_there(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "ROWS", 3)
    written(tmp_path, [a_line(number, error="x" * number) for number in range(10)])
    to_parquet(tmp_path)
    assert [len(stream.error) for stream in read_streams(tmp_path)] == list(range(10))


def test_a_run_without_events_is_read_without_them(tmp_path):
    old = {key: value for key, value in a_line(0).items() if key not in {"at", "kinds", "counts", "counted"}}
    written(tmp_path, [old])
    (stream,) = read_streams(tmp_path)
    to_parquet(tmp_path)
    (tmp_path / PIECES).unlink()
    # As runs were kept before there were events: fourteen columns, no second table.
    judged = pd.read_parquet(tmp_path / REQUESTS)[["id", "due", "sent", "outcome", "error", "model", "tokens"]]
    judged.to_parquet(tmp_path / REQUESTS, index=False)
    (later,) = read_streams(tmp_path)
    assert (stream.pieces, later.pieces) == ((), ())
    assert (later.sent, later.ended, later.answer_tokens, later.tenant) == (1.0, None, None, "")


def test_two_tables_of_different_runs_are_refused(tmp_path):
    written(tmp_path, [a_line(0), a_line(1)])
    to_parquet(tmp_path)
    kept = (tmp_path / PIECES).read_bytes()
    written(tmp_path, [a_line(5), a_line(6)])
    to_parquet(tmp_path)
    (tmp_path / PIECES).write_bytes(kept)
    with pytest.raises(ValueError, match=r"pieces.parquet does not belong to requests.parquet: 0.0 is not 5.0"):
        list(read_streams(tmp_path))


def test_no_record_at_all_is_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(read_streams(tmp_path))


def test_a_torn_line_is_left_out_and_the_others_are_there(tmp_path):
    text = json.dumps(a_line(0)) + "\n" + json.dumps(a_line(1))[:-30]
    (tmp_path / LINES).write_text(text)
    assert [stream.id for stream in read_streams(tmp_path)] == [0]
    assert to_parquet(tmp_path) is False
    assert [stream.id for stream in read_streams(tmp_path)] == [0]


def test_a_closed_loop_is_told_from_an_open_one(tmp_path):
    for arrivals, loop in (("closed", "closed"), ("poisson", "open")):
        written(tmp_path, [{"kind": "start", "planned": 0, "profile": {"arrivals": arrivals}}, a_line(0)])
        to_parquet(tmp_path)
        assert json.loads((tmp_path / "load.json").read_text())["loop"] == loop


def test_half_a_surrogate_pair_is_json_all_the_same():
    assert loads(b'{"a": "\\ud83c"}') == {"a": "\ud83c"}
    with pytest.raises(UnicodeDecodeError):
        loads(b'"\xff"')


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 10**9), st.sampled_from(sorted(KIND_OF)), st.integers(0, 300)), max_size=40))
def test_what_is_kept_is_what_comes_back(tmp_path_factory, events):
    folder = tmp_path_factory.mktemp("run")
    at, kinds, counts = ([event[index] for event in events] for index in range(3))
    line = a_line(0, at=sorted(at), kinds="".join(kinds), counts=counts)
    written(folder, [line])
    before = list(read_streams(folder))
    to_parquet(folder)
    assert list(read_streams(folder)) == before
    assert [(piece.kind, piece.tokens) for piece in before[0].pieces] == [
        (KIND_OF[kind], tokens) for kind, tokens in zip(kinds, counts, strict=True)
    ]
