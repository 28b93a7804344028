"""A percentile of a whole is not the mean of its parts' percentiles: nothing in the sources averages one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for folder in ("src", "platform", "loadtests") for path in (ROOT / folder).rglob("*.py"))

AVERAGES = {"mean", "fmean", "nanmean", "average", "harmonic_mean", "geometric_mean"}
PERCENTILE = re.compile(r"(nan)?(quantiles?|percentiles?|median)|p\d\d+s?|.*_p\d\d+s?", re.IGNORECASE)


def name_of(node: ast.AST) -> str:
    return getattr(node, "id", "") or getattr(node, "attr", "")


def names_in(node: ast.AST):
    return (name_of(inner) for inner in ast.walk(node))


def averaged(source: str):
    """Lines on which a mean is taken of something that a percentile goes into."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and name_of(node.func) in AVERAGES:
            # x.mean() averages x; np.mean(x) averages its argument.
            parts = [*node.args, *([node.func.value] if isinstance(node.func, ast.Attribute) else [])]
            if any(PERCENTILE.fullmatch(name) for part in parts for name in names_in(part)):
                yield node.lineno
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and is_sum_of_percentiles(node.left):
            yield node.lineno


def is_sum_of_percentiles(node: ast.AST) -> bool:
    is_sum = isinstance(node, ast.Call) and name_of(node.func) in {"sum", "fsum"}
    return is_sum and any(PERCENTILE.fullmatch(name) for name in names_in(node))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_averages_percentiles(path):
    assert list(averaged(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "np.mean([worker.p99 for worker in workers])",
        "fmean(quantile(one, 0.99) for one in parts)",
        "frame.groupby('worker')['ttft'].quantile(0.99).mean()",
        "sum(part.percentile(99) for part in parts) / len(parts)",
        "np.average(p99s, weights=counts)",
        "statistics.mean(ttft_p95 for ttft_p95 in seen)",
    ],
)
def test_it_would_be_seen(wrong):
    assert list(averaged(wrong)) == [1]


@pytest.mark.parametrize("right", ["np.mean(values)", "merged(parts).quantile(0.99)", "sum(counts) / len(counts)"])
def test_what_is_right_is_left_alone(right):
    assert list(averaged(right)) == []
