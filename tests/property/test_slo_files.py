"""Whatever a file holds, reading it gives SLOs, or problems with a place; never a traceback, and never neither."""

from __future__ import annotations

from random import Random

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import SpecError
from holdfast.slo.files.read import named_in, read_slos
from holdfast.spec import source
from slo_mutants import GOOD, mutant

KEYS = [
    "version", "service", "labels", "slos", "slo_plugins", "chain", "name", "objective", "sli", "events", "raw",
    "plugin", "error_query", "total_query", "alerting", "page_alert", "disable", "apiVersion", "kind",
    "metadata", "spec", "annotations", "indicator", "indicatorRef", "ratioMetric", "good", "bad", "total",
    "thresholdMetric", "objectives", "target", "budgetingMethod", "timeWindow", "alertPolicies", "x-holdfast",
    "period", "calendar", "exclude", "budgeting",
]  # fmt: skip
VALUES = [
    "prometheus/v1", "sloth.slok.dev/v1", "openslo/v1", "openslo/v1alpha", "SLO", "SLI",
    "PrometheusServiceLevel", "AlertWindows", "AlertPolicy", "Occurrences", "aa", "30d", "month", "UTC",
]  # fmt: skip


def quoted(tree):
    """A tree as YAML in flow style, for the YAML itself is always good here."""
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{key}: {quoted(value)}" for key, value in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(map(quoted, tree)) + "]"
    return f"'{tree}'" if isinstance(tree, str) else {None: "null", True: "true", False: "false"}.get(tree, str(tree))


LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-1, 101), st.floats(0, 100), st.sampled_from(VALUES))
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=25,
)
HEADS = st.sampled_from(
    [
        {"version": "prometheus/v1"},
        {"apiVersion": "sloth.slok.dev/v1", "kind": "PrometheusServiceLevel"},
        {"apiVersion": "openslo/v1", "kind": "SLO"},
        {"apiVersion": "openslo/v1", "kind": "AlertPolicy"},
        {"apiVersion": "openslo/v1alpha", "kind": "SLO"},
    ]
)


def answered(text):
    """The SLOs or the problems of a text, after checking that there are some, and that each has its place."""
    try:
        slos, problems = read_slos(text, "f")
        named_in(text, "f")
    except SpecError as error:
        slos, problems = [], list(error.problems)
    lines = text.splitlines()
    for problem in problems:
        assert problem.where.file == "f"
        assert 1 <= problem.where.line <= len(lines) + 1
        assert problem.where.column >= 1
        assert problem.what
        assert str(problem)
    for slo in slos:
        assert 0 < slo.objective < 1
        assert 1 <= slo.where.line <= len(lines)
    return slos, problems


@pytest.mark.parametrize("text", GOOD)
def test_the_files_that_are_changed_are_good_to_begin_with(text):
    slos, problems = answered(text.format(n=1))
    assert (bool(slos), [str(one) for one in problems]) == (True, [])


@settings(max_examples=80, deadline=None)
@given(HEADS, st.dictionaries(st.sampled_from(KEYS), TREES, max_size=6))
def test_any_tree_is_answered(head, rest):
    slos, problems = answered(quoted({**rest, **head}))
    assert slos or problems


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_any_change_to_a_good_file_is_answered(seed):
    text = mutant(Random(seed))
    slos, problems = answered(text)
    assert slos or problems or not text.strip("-.\n ")


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_answered(text):
    answered(text)


def places(text, loader):
    """(path, value, line, column, width) of everything in a text that stands somewhere; None where it is refused."""
    found = []

    def walk(node, path):
        if not isinstance(node, yaml.ScalarNode) or node.value or node.style:
            found.append((path, node.value if isinstance(node, yaml.ScalarNode) else "", source._width(node)))
        for index, inner in enumerate(node.value if isinstance(node, yaml.CollectionNode) else ()):
            for part in inner if isinstance(inner, tuple) else (inner,):
                walk(part, (*path, index))

    try:
        for node in yaml.compose_all(text, Loader=loader):
            walk(node, ())
    except (yaml.YAMLError, source._TooDeepError):
        return None
    return found


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_the_loader_in_c_sees_everything_at_the_same_place(seed):
    text = mutant(Random(seed)).replace("\ufeff", "")
    fast, plain = places(text, source._Fast), places(text, source._Plain)
    assert fast is None or plain is None or fast == plain
