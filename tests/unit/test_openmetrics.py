"""OpenMetrics text as series: what is read, and that whatever cannot be read is said, never left out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from holdfast.errors import SpecError
from holdfast.slo.evaluate.openmetrics import read_openmetrics


def read(text):
    return read_openmetrics(text.splitlines(keepends=True), "metrics.txt")


def as_plain(text):
    return {
        tuple(sorted(one.labels.items())): list(zip(one.times.tolist(), one.values.tolist(), strict=True))
        for one in read(text)
    }


def problems(text):
    with pytest.raises(SpecError) as error:
        read(text)
    return [f"{one.where}: {one.what}" for one in error.value.problems]


def test_samples_of_a_series_are_read_in_order_of_time():
    text = '# TYPE x counter\nx_total{a="1"} 3 20\nx_total{a="1"} 1 10.5\nx_total 7e2 5\n# EOF\n'
    assert as_plain(text) == {
        (("__name__", "x_total"), ("a", "1")): [(10.5, 1.0), (20.0, 3.0)],
        (("__name__", "x_total"),): [(5.0, 700.0)],
    }


def test_labels_in_another_order_are_the_same_series():
    found = as_plain('x{a="1",b="2"} 1 1\nx{b="2",a="1"} 2 2\n# EOF\n')
    assert found == {(("__name__", "x"), ("a", "1"), ("b", "2")): [(1.0, 1.0), (2.0, 2.0)]}


def test_odd_label_values_are_kept_and_an_empty_one_is_no_label():
    text = r'x{a="} # {\"",b="c\\d\ne",f=""} 1 1' + "\n# EOF\n"
    assert as_plain(text) == {(("__name__", "x"), ("a", '} # {"'), ("b", "c\\d\ne")): [(1.0, 1.0)]}


def test_an_exemplar_is_not_a_sample():
    assert as_plain('x_bucket{le="1"} 3 10 # {trace_id="a b"} 0.5 9\nx_bucket{le="1"} 4 20\n# EOF\n') == {
        (("__name__", "x_bucket"), ("le", "1")): [(10.0, 3.0), (20.0, 4.0)]
    }


def test_what_is_no_number_stays_so():
    (track,) = read("x NaN 1\nx +Inf 2\nx -Inf 3\n# EOF\n")
    assert math.isnan(track.values[0])
    assert track.values[1:].tolist() == [math.inf, -math.inf]


def test_the_same_sample_twice_is_one_but_two_values_at_one_time_are_a_problem():
    (track,) = read("x 1 1\nx 1 1\nx NaN 2\nx NaN 2\n# EOF\n")
    assert track.times.tolist() == [1.0, 2.0]
    assert problems("x 1 1\nx 2 1\n# EOF\n") == ["metrics.txt: two values of x{} at 1"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "metrics.txt:1:1: the text does not end in # EOF: was it cut off?"),
        ("x 1 1\n", "metrics.txt:1:1: the text does not end in # EOF: was it cut off?"),
        ("x 1\n# EOF\n", "metrics.txt:1:3: a sample without a timestamp"),
        ("x 1 1\nx one 2\n# EOF\n", "metrics.txt:2:3: expected a value and a timestamp in seconds"),
        # Four numbers in two lines, but not two in each.
        ("x 1\nx 2 3 4\n# EOF\n", "metrics.txt:1:3: a sample without a timestamp"),
        ("x 1 2\nx 1 2 3 4\n# EOF\n", "metrics.txt:2:3: expected a value and a timestamp in seconds"),
        ("x 1 1\n# EOF\nx 2 2\n", "metrics.txt:3:1: text after # EOF"),
        ("x 1 1\n\n# EOF\n", "metrics.txt:2:1: expected a series, its value and a timestamp"),
        ("# a note\nx 1 1\n# EOF\n", "metrics.txt:1:1: a comment that OpenMetrics does not know"),
        ('x{a="1} 1 1\n# EOF\n', "metrics.txt:1:1: expected a series, its value and a timestamp"),
        ('x{a="1",a="2"} 1 1\n# EOF\n', "metrics.txt: labels that cannot be read"),
        ("x 1 1767225600000\n# EOF\n", "metrics.txt: x{} has a timestamp beyond all time"),
        ("x 1 NaN\n# EOF\n", "metrics.txt: x{} has a timestamp beyond all time"),
        ("9x 1 1\n# EOF\n", "metrics.txt:1:1: expected a series, its value and a timestamp"),
    ],
)
def test_a_text_that_cannot_be_read_is_refused_with_its_place(text, said):
    assert said in problems(text)


def test_there_are_never_more_problems_than_someone_reads():
    assert len(problems("x\n" * 1000)) == 20


def test_many_samples_are_read_exactly():
    times, values = np.arange(20_000) * 15.0 + 1_767_225_600.123, np.arange(20_000) / 7
    lines = [f'x{{a="1"}} {value!r} {time:.3f}\n' for time, value in zip(times.tolist(), values.tolist(), strict=True)]
    (track,) = read_openmetrics([*lines, "# EOF\n"], "metrics.txt")
    assert np.array_equal(track.values, values)
    assert np.allclose(track.times, times, atol=1e-6)
