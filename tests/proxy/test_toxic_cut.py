"""`cut`: the connection ends in the middle of an answer."""

from __future__ import annotations

import pytest

from answered import text


@pytest.mark.parametrize("tokens", [0, 3])
def test_so_many_tokens_come_and_then_the_body_breaks_off(talk, tokens):
    talk.toxic("cut", tokens=tokens)
    status, _, body, end, _ = talk.client().ask(6)
    assert (status, end) == (200, "cut")
    assert text(body) == [f"w{number} é" for number in range(tokens)]
    assert talk.counts("cut") == (1, 1, 1)


def test_an_answer_that_is_shorter_loses_its_end(talk):
    talk.toxic("cut", tokens=6)
    _, _, body, end, _ = talk.client().ask(6)
    assert (len(text(body)), end, b"[DONE]" in body) == (6, "cut", False)


def test_of_an_answer_that_is_no_stream_not_a_byte_comes(talk):
    talk.toxic("cut", tokens=3)
    assert talk.client().ask(stream=False)[0] is None
