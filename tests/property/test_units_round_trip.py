"""Parsing and printing of quantities are inverse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import units


@given(st.integers(0, 90 * 86_400 * 1000))
def test_every_duration_in_milliseconds_reads_back(milliseconds):
    seconds = milliseconds / 1000
    assert units.duration(units.show_duration(seconds)) == pytest.approx(seconds, abs=5e-4)


@given(st.integers(0, 1_000_000))
def test_every_share_reads_back(millionths):
    share = millionths / 1_000_000
    assert units.ratio(units.show_ratio(share, 12)) == pytest.approx(share, abs=1e-12)


@given(st.text(max_size=12))
def test_any_text_is_a_value_or_a_value_error(text):
    for reader in (units.duration, units.ratio, units.rate):
        try:
            assert reader(text) >= 0
        except ValueError as error:
            assert "expected" in str(error)  # noqa: PT017 - either outcome is right
