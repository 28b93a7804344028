"""What an SLI's query reads, and the same query as a count of events."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.slo.promql import (
    Matcher,
    counted,
    counts,
    may_be_idle,
    needs_all,
    of_tenant,
    parse,
    selectors,
    subtracts,
)

NEW = 'x{a="b"} unless x{a="b"} offset 5m and on(job, instance) (up_total and up_total offset 5m)'


def test_every_selector_is_found_once_with_its_matchers():
    query = 'sum(rate(x{a="b",c=~"5..|4.."}[{{.window}}])) - sum(rate(y[{{ .window }}])) / sum(rate(y[{{.window}}]))'
    first, second = selectors(query)
    assert (first.name, first.matchers) == ("x", (Matcher("a", "=", "b"), Matcher("c", "=~", "5..|4..")))
    assert (second.name, second.matchers, second.text) == ("y", (), "y")


def test_a_selector_without_a_name_is_called_by_its_label():
    (found,) = selectors('sum(rate({__name__="x",a!="b"}[{{.window}}]))')
    assert (found.name, found.text) == ("x", '{__name__="x",a!="b"}')


@given(st.text(max_size=20))
def test_a_selectors_text_is_promql_again_whatever_stands_in_a_label(value):
    quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    (found,) = selectors(f"x{{a={quoted}}}")
    assert found.matchers == (Matcher("a", "=", value),)
    assert selectors(found.text) == (found,)


def test_a_rate_becomes_an_increase_with_what_new_series_begin_with():
    query = 'sum(rate(x{a="b"}[{{.window}}]))'
    assert counted(query, "5m", "up_total") == f'sum(({NEW} or increase(x{{a="b"}}[5m])))'
    assert counted(query, "5m") == 'sum(increase(x{a="b"}[5m]))'
    parse(counted(query, "5m", "up_total"))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sum(increase(x[{{.window}}]))", "sum(increase(x[5m]))"),
        ("sum( rate ( x [ {{ .window }} ] ) )", "sum( increase(x[5m]) )"),
        ("sum(rate(x[{{.window}}] offset 1h))", "sum(increase(x[5m] offset 1h))"),
        ("sum(rate(x[1m])) / count_over_time(y[{{.window}}])", "sum(rate(x[1m])) / count_over_time(y[5m])"),
        ('sum(rate(x{a="}[(\\""}[{{.window}}]))', 'sum(increase(x{a="}[(\\""}[5m]))'),
        ("sum(irate(x[{{.window}}]))", "sum(irate(x[5m]))"),
        ("my_rate(x[{{.window}}])", "my_rate(x[5m])"),
    ],
)
def test_only_rates_over_the_window_are_counted(query, expected):
    assert counted(query, "5m") == expected


def test_nothing_is_new_behind_an_offset():
    assert "unless" not in counted("sum(rate(x[{{.window}}] offset 1h))", "5m", "x")


def test_a_new_native_histogram_counts_from_its_beginning_like_a_counter():
    found = counted("histogram_count(sum(rate(x[{{.window}}])))", "5m", "x")
    assert found.startswith("histogram_count(sum((x unless x offset 5m and ")


def test_whether_a_query_counts_events():
    assert counts("sum(rate(x[{{.window}}]))")
    assert not counts("avg_over_time(x[{{.window}}])")


def test_whether_a_query_takes_one_from_the_other():
    assert subtracts("clamp_min(sum(rate(a[{{.window}}])) - sum(rate(b[{{.window}}])), 0)")
    assert not subtracts("sum(rate(a[{{.window}}])) + sum(rate(b[{{.window}}] offset -5m)) / -1")


def test_whether_a_query_is_silent_as_soon_as_a_part_of_it_is():
    assert needs_all("sum(rate(a[{{.window}}])) - sum(rate(b[{{.window}}]))")
    assert not needs_all("(sum(rate(a[{{.window}}])) or vector(0)) - sum(rate(b[{{.window}}]))")
    assert not needs_all("sum(rate(a[{{.window}}])) - absent(b)")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sum(rate(a[{{.window}}])) + sum(rate(b[{{.window}}])) / 60", False),
        ("sum(rate(a[{{.window}}])) * on(pod) group_left() info or vector(0)", False),
        ("sum(rate(a[{{.window}}])) > bool 0", False),
        ("sum(rate(a[{{.window}}])) > 0", True),
        ("sum(rate(a[{{.window}}]) > 0) or vector(0)", True),
        ("sum(rate(a[{{.window}}])) and on() day", True),
        ("sum(rate(a[{{.window}}])) unless on() night", True),
        ("sum(rate(a[{{.window}}])) / sum(rate(b[{{.window}}]))", True),
        ("sum(rate(a[{{.window}}])) % sum(rate(b[{{.window}}]))", True),
    ],
)
def test_whether_a_query_may_give_no_number_where_nothing_happens(query, expected):
    assert may_be_idle(query) is expected


def test_what_is_no_promql_is_refused_with_the_parsers_words():
    with pytest.raises(ValueError, match="unclosed"):
        selectors("sum(rate(x[{{.window}}])")


def test_a_query_of_one_tenant_asks_it_of_every_selector_and_keeps_what_knows_no_tenants():
    query = 'sum(rate(x{a="b"}[5s])) - sum(rate(y[5s] offset 1m)) / sum(z)'
    own = Matcher("tenant", "=~", "acme|")
    x, y, z = (one.matchers for one in selectors(of_tenant(query, "acme")))
    assert (x, y, z) == ((Matcher("a", "=", "b"), own), (own,), (own,))
    assert "offset 1m" in of_tenant(query, "acme")


@pytest.mark.parametrize("value", ["a", 'a"b', "a\\b", "5\\d\\d", "a\nb", "a'b", "{}[5s]"])
@pytest.mark.parametrize("shape", ["x{}", "rate(x{}[5m])", "rate(x{}[5m] offset 1m)", "max_over_time(x{}[5m:1m])"])
def test_a_query_of_one_tenant_keeps_every_value_as_it_was(value, shape):
    quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    (found,) = selectors(of_tenant(shape.replace("x{}", f"x{{a={quoted}}}"), "acme"))
    assert found.matchers == (Matcher("a", "=", value), Matcher("tenant", "=~", "acme|"))


@given(st.text(min_size=1, max_size=20))
def test_a_tenants_name_is_taken_literally_whatever_it_is(tenant):
    (found,) = selectors(of_tenant("x", tenant))
    (matcher,) = found.matchers
    assert re.fullmatch(matcher.value, tenant)
    assert re.fullmatch(matcher.value, "")
    assert not re.fullmatch(matcher.value, tenant + "x")
