"""Pages of metrics are read in both text formats; one that is none of them is no evidence that a metric is absent."""

from __future__ import annotations

import pytest

from holdfast.errors import SpecError
from holdfast.slo.lint.metricsfile import from_server, merged, read_metrics

PLAIN = """\
# HELP requests_total All of them.
# TYPE requests_total counter
requests_total{code="200"} 5
requests_total{code="500"} 1
# TYPE ttft_seconds histogram
ttft_seconds_bucket{le="0.5"} 1
ttft_seconds_bucket{le="+Inf"} 2
ttft_seconds_sum 1.5
ttft_seconds_count 2
# TYPE queue gauge
queue NaN
# TYPE old_requests counter
old_requests 3
vllm:num_requests_running 2
bytes_total 2
"""
OPENMETRICS = """\
# TYPE requests counter
requests_total{code="200"} 5.0
# TYPE queue gauge
queue 3
# EOF
"""


def kinds(catalog):
    return {name: metric.kind for name, metric in catalog.metrics.items()}


def test_every_name_has_the_type_of_its_family():
    assert kinds(read_metrics(PLAIN, "")) == {
        "requests_total": "counter",
        "ttft_seconds_bucket": "counter",
        "ttft_seconds_sum": "counter",
        "ttft_seconds_count": "counter",
        "queue": "gauge",
        "old_requests": "counter",
        "vllm:num_requests_running": "unknown",
        "bytes_total": "counter",  # nobody said so, but the name promises it
    }


def test_labels_and_values_are_those_of_the_series():
    requests = read_metrics(PLAIN, "").metrics["requests_total"]
    assert requests.labels == {"code"}
    assert requests.values("code") == {"200", "500"}
    assert requests.values("job") == frozenset()


def test_openmetrics_is_told_by_its_last_line():
    assert kinds(read_metrics(OPENMETRICS, "")) == {"requests_total": "counter", "queue": "gauge"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("<html><body>502 Bad Gateway</body></html>\n", 1),
        (f'{PLAIN}requests_total{{code="200" 5\n', 16),
        (f"{PLAIN}requests_total five\n", 16),
        ("", 0),
        ("# HELP requests_total All of them.\n# TYPE requests_total counter\n", 0),
    ],
)
def test_what_is_no_page_of_metrics_is_refused_at_its_line(text, line):
    with pytest.raises(SpecError) as told:
        read_metrics(text, "metrics.txt")
    (problem,) = told.value.problems
    assert (problem.where.file, problem.where.line) == ("metrics.txt", line)


def test_several_pages_are_one():
    both = merged([read_metrics(PLAIN, "a"), read_metrics('requests_total{code="404"} 1\nother 2\n', "b")])
    assert both.source == "a, b"
    assert both.metrics["requests_total"].values("code") == {"200", "500", "404"}
    assert both.metrics["requests_total"].kind == "counter"
    assert "other" in both.names


def test_a_server_knows_names_whose_series_were_not_asked_for():
    metadata = {"requests_total": [{"type": "counter"}], "ttft_seconds": [{"type": "histogram"}], "empty": []}
    series = [{"__name__": "ttft_seconds_bucket", "le": "0.5", "job": "gateway"}]
    catalog = from_server("", ["requests_total", "ttft_seconds_bucket"], series, metadata)
    assert catalog.scraped
    assert catalog.names == {"requests_total", "ttft_seconds_bucket"}
    assert kinds(catalog) == {"ttft_seconds_bucket": "counter"}
    assert catalog.metrics["ttft_seconds_bucket"].labels == {"le", "job"}
