"""Quantities as people write them."""

from __future__ import annotations

import pytest

from holdfast import units


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("40s", 40),
        ("5m", 300),  # 5 x 60
        ("1m30s", 90),  # 60 + 30
        ("1.5h", 5400),  # 1.5 x 3600
        ("30d", 2_592_000),  # 30 x 86 400
        ("2w", 1_209_600),  # 14 x 86 400
        (" 5s ", 5),
    ],
)
def test_a_duration_is_seconds(text, seconds):
    assert units.duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "5 parsecs", "5S", "-5s", "s", "1,5s", "5s and more", "1e3s", "nan", "inf"])
def test_what_is_no_duration_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="expected a duration such as 250ms, 40s or 5m, got"):
        units.duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0ms"), (0.25, "250ms"), (1, "1s"), (90, "1m30s"), (3600, "1h"), (86400, "1d"), (61.5, "1m1.5s")],
)
def test_a_duration_is_shown_short(seconds, text):
    assert units.show_duration(seconds) == text


@pytest.mark.parametrize(("text", "share"), [("99.9%", 0.999), ("1 %", 0.01), ("0%", 0), ("100%", 1)])
def test_a_ratio_is_a_share_of_one(text, share):
    assert units.ratio(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["0.999", "99.9", "101%", "100.1%", "-1%", "%", "nan%", ""])
def test_a_ratio_without_a_percent_sign_or_beyond_100_is_refused(text):
    with pytest.raises(ValueError, match="expected a percentage"):
        units.ratio(text)


@pytest.mark.parametrize(("text", "rate"), [("40/s", 40), ("90/m", 1.5), ("7200 / h", 2), ("0.5/s", 0.5)])
def test_a_rate_is_events_per_second(text, rate):
    assert units.rate(text) == pytest.approx(rate)  # 90 / 60 = 1.5; 7200 / 3600 = 2


@pytest.mark.parametrize("text", ["40", "40/d", "/s", "-1/s", "40 per second"])
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(ValueError, match="expected a rate such as 40/s"):
        units.rate(text)


def test_a_share_is_shown_with_few_digits():
    assert units.show_ratio(0.999) == "99.9%"
    assert units.show_ratio(0.0123456, 3) == "1.23%"
