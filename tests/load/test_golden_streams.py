"""Every shape of answer: its events with their times and tokens, its outcome, and the same again from the record."""

from __future__ import annotations

import pytest

from golden_streams import GOLDEN, Golden
from holdfast.load.endpoint import Endpoint
from holdfast.load.outcome import outcome_of
from holdfast.load.record import RecordWriter
from holdfast.load.seen import asked, seen
from holdfast.load.spread import shares, spread
from holdfast.load.transport import Exchange
from holdfast.model.load import Arrival
from holdfast.store.load import LINES, to_parquet
from holdfast.store.streams import read_streams, streams_of

EPOCH = 5000.0
"""Second 0 of the run on the monotonic clock; requests are due and sent one second later."""
ENDPOINTS = {"stream": Endpoint(), "text": Endpoint(stream=False), "vectors": Endpoint(name="embeddings")}


def exchanged(golden: Golden) -> Exchange:
    chunks = tuple((EPOCH + 1 + t, data) for t, data in golden.reads)
    return Exchange(
        status=200,
        content_type=golden.content_type,
        chunks=chunks,
        sent=EPOCH + 1,
        written=EPOCH + 1.001,
        headers=EPOCH + 1.002,
        ended=chunks[-1][0],
        failure=golden.failure,
        error=golden.error if golden.failure else "",
    )


def recorded(golden: Golden, number: int = 0):
    exchange = exchanged(golden)
    *_, answer = ENDPOINTS[golden.wanted].reading(exchange)
    arrival = Arrival(due=1.0, prompt_tokens=9, answer_tokens=50, tenant="blue", session="3")
    return seen(exchange, answer, asked(number, arrival, "sim"), epoch=EPOCH, wanted=golden.wanted)


@pytest.fixture
def folder(tmp_path):
    """A run folder whose record holds every golden stream."""
    writer = RecordWriter(tmp_path / LINES)
    for number, golden in enumerate(GOLDEN):
        writer.request(recorded(golden, number))
    writer.end(t=1.0, planned=len(GOLDEN), sent=len(GOLDEN), dropped=0)
    writer.close()
    return tmp_path


def check(stream, golden: Golden) -> None:
    found = [(round(piece.t - 1, 6), piece.kind, piece.tokens) for piece in stream.pieces]
    assert found == [tuple(piece) for piece in golden.pieces]
    assert (stream.outcome, stream.answer_tokens) == (golden.outcome, golden.answer_tokens)
    assert stream.prompt_tokens == (None if golden.counted == "events" else 1200 if golden.cached_tokens else 7)
    assert stream.cached_tokens == golden.cached_tokens
    assert golden.error in stream.error
    assert (stream.due, stream.sent, stream.written, stream.headers) == (1.0, 1.0, 1.001, 1.002)
    assert (stream.status, stream.asked_tokens, stream.tenant, stream.session) == (200, 50, "blue", "3")


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.name)
def test_every_event_has_its_time_its_kind_and_its_tokens(golden):
    exchange = exchanged(golden)
    *_, answer = ENDPOINTS[golden.wanted].reading(exchange)
    counts, counted = spread(answer)
    found = [(round(piece.t - EPOCH - 1, 6), piece.kind, piece.tokens) for piece in answer.pieces(counts)]
    assert found == [tuple(piece) for piece in golden.pieces]
    assert counted == golden.counted
    assert answer.finish_reason or golden.finish == ""
    outcome, error = outcome_of(exchange, answer, golden.wanted)
    assert (outcome, golden.error in error) == (golden.outcome, True)
    if golden.text:
        assert "".join(answer.token_texts) == golden.text


def test_the_lines_of_a_record_say_the_same(folder):
    with (folder / LINES).open("rb") as lines:
        for stream, golden in zip(streams_of(lines), GOLDEN, strict=True):
            check(stream, golden)


def test_its_tables_say_the_same(folder):
    lines = list(read_streams(folder))
    assert to_parquet(folder)
    assert list(read_streams(folder)) == lines
    for stream, golden in zip(lines, GOLDEN, strict=True):
        check(stream, golden)


def test_the_columns_of_a_record_follow_from_its_events():
    (golden,) = [one for one in GOLDEN if one.name == "a stall of two seconds"]
    record = recorded(golden)
    # Tokens at 0.1, 0.2 and 2.2 s after second 1; the finish reason and [DONE] at 2.3 s.
    assert (record.first, record.last, record.done, record.max_gap) == (1.1, 3.2, 3.3, 2.0)
    assert (record.tokens, record.finish, record.kinds) == (3, "stop", "cccfd")
    assert record.at == [100_000, 200_000, 2_200_000, 2_300_000, 2_300_000]


def test_shares_are_whole_and_sum_to_the_total():
    # 8/3: 2, 5, 8 when summed up.
    assert (shares(8, 3), shares(3, 3), shares(1, 3), shares(0, 2), shares(5, 0)) == (
        [2, 3, 3],
        [1, 1, 1],
        [0, 0, 1],
        [0, 0],
        [],
    )
