"""`slicer`: the same bytes in small pieces."""

from __future__ import annotations

import time
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from holdfast.proxy.toxics.slicer import Slicer
from proxied import exchange, rest, sends

TEXT = "häppchenweise ".encode() * 4


def test_the_same_bytes_come_in_small_pieces(ways):
    way = ways(sends(TEXT))
    way.toxic("slicer", average_size=4, size_variation=3, delay=3000)
    client = way.client()
    began = time.monotonic()
    client.sendall(b"go")
    got, end, sizes = rest(client)
    assert (got, end) == (TEXT, "closed")
    assert len(sizes) > 1
    # 60 bytes in pieces of at most 7 are at least 9 pieces, with 3 ms after each but the last.
    assert time.monotonic() - began >= 8 * 0.003


def test_a_neighbour_is_not_sliced(way, ways):
    way.toxic("slicer", average_size=1, delay=100_000)
    assert exchange(ways().client(), b"x" * 100)[1] < 5.0  # a hundred pieces would be 10 s


@given(data=st.binary(max_size=300), size=st.integers(1, 20), variation=st.integers(0, 19))
def test_pieces_are_of_the_sizes_asked_for_and_lose_nothing(data, size, variation):
    if variation >= size:
        with pytest.raises(ValidationError, match="must be less than average_size"):
            Slicer(average_size=size, size_variation=variation)
        return
    pieces = list(Slicer(average_size=size, size_variation=variation, delay=10).stage(Random(1)).take(data, 5.0))
    assert b"".join(piece.what for piece in pieces) == data
    assert all(size - variation <= len(piece.what) <= size + variation for piece in pieces[:-1])
    assert [piece.due for piece in pieces] == pytest.approx([5.0 + 10e-6 * place for place in range(len(pieces))])
