"""Backtests: what alerts and budgets would have been, how incidents were told, and that nothing missing looks good."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import numpy as np
import pytest

from holdfast.errors import ExitCode, SpecError, UsageError
from holdfast.model.slo import AlertPolicy, Events
from holdfast.objectives.backtest import History, Span, backtest_files, backtested, span_of, tried
from holdfast.report.backtest import notes, page, row, to_dict
from holdfast.slo.evaluate.backtest import Firing, backtest, reach, reads
from holdfast.slo.evaluate.score import scores
from holdfast.slo.evaluate.vectors import Track, UnsupportedError
from holdfast.slo.review.model import Cause
from holdfast.sources.server import UnansweredError
from holdfast.testing import an_slo

HOUR = 3600.0
DAY = 24 * HOUR
START = 1_767_225_600.0
FILE = """\
version: prometheus/v1
service: gateway
slos:
- name: availability
  objective: 99
  sli:
    events:
      error_query: sum(rate(gateway_requests_total{code=~"5.."}[{{.window}}]))
      total_query: sum(rate(gateway_requests_total[{{.window}}]))
  alerting: {name: Gateway, page_alert: {}, ticket_alert: {}}
"""


def alerting(**changes):
    return an_slo(**{"alert": "Gateway", "page": AlertPolicy(), "ticket": AlertPolicy(), **changes})


def counters(length, bad=(), rate=60.0, instance="a"):
    """`rate` requests a minute for `length` seconds, all of them bad from one minute of `bad` up to another."""
    times = START + np.arange(int(length / 60) + 1) * 60.0
    minutes = np.arange(len(times))
    wrong = np.zeros(len(times), dtype=bool)
    for first, after in bad:
        wrong |= (minutes >= first) & (minutes < after)
    values = {"200": np.cumsum(np.where(wrong, 0.0, rate)), "500": np.cumsum(np.where(wrong, rate, 0.0))}
    name = "gateway_requests_total"
    return [
        Track(labels={"__name__": name, "code": code, "instance": instance}, times=times, values=counted)
        for code, counted in values.items()
    ]


def grid(length, start=START):
    return start + np.arange(int(length / 60) + 1) * 60.0


def played(slo, tracks, at):
    return backtest(slo, tracks, at, step=60.0)


def cause(name, first, after, slos=()):
    start, end = START + first * 60, START + after * 60
    return Cause(kind="incident", name=name, start=start, end=end, slos=frozenset(slos))


def firing(first, after, severity="page"):
    end = None if after is None else START + after * 60
    return Firing(alert="Gateway", severity=severity, tiers=("quick",), start=START + first * 60, end=end)


def test_an_outage_spends_its_share_of_the_budget_and_pages_until_it_is_over():
    # 30 of 1440 minutes are bad: 2.08 % of events, 208 % of a budget of 1 %.
    result = played(alerting(), counters(DAY, bad=[(600, 630)]), grid(DAY))
    assert result.error_ratio == pytest.approx(30 / 1440, rel=0.01)
    assert result.left == pytest.approx(1 - 30 / 14.4, abs=0.03)
    assert result.decided
    (page_,) = [one for one in result.firings if one.severity == "page"]
    # 14.4 % of an hour are 8.64 minutes of it. The slow tier's short window is 30 minutes long, and 6 % of that little.
    assert START + 606 * 60 <= page_.start <= START + 611 * 60
    assert START + 655 * 60 <= page_.end <= START + 665 * 60
    assert page_.tiers == ("quick", "slow")


def test_a_service_that_is_gone_counts_as_bad_and_is_said_to_be():
    gone = [
        Track(labels=one.labels, times=one.times[:600], values=one.values[:600]) for one in counters(DAY, bad=[(1, 2)])
    ]
    result = played(alerting(), gone, grid(DAY))
    assert result.left < 0
    assert result.minutes(result.silent) > 800
    assert any("count as an outage" in note for note in notes(result))
    assert {one.alert for one in result.firings} == {"Gateway", "GatewayNoData"}
    assert result.firings[-1].end is None


def test_without_any_sample_nothing_is_known():
    result = played(alerting(), [], grid(HOUR))
    assert (result.decided, result.left, result.error_ratio, result.least_left) == (False, None, None, None)
    assert result.missing.all()
    assert row(result)[2:5] == ["–", "–", "–"]  # noqa: RUF001 - what tables show for no number


def test_before_the_first_sample_nothing_is_known():
    result = played(alerting(), counters(DAY), grid(HOUR, start=START - DAY))
    assert not result.decided


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_what_is_no_number_is_missing_and_not_good(odd):
    tracks = counters(4 * HOUR)
    for one in tracks:
        one.values[60:120] = odd
    result = played(alerting(), tracks, grid(4 * HOUR))
    assert result.minutes(result.missing) >= 50
    assert result.minutes(result.missing) <= 70


def test_minutes_that_prometheus_would_have_refused_leave_the_slo_undecided():
    queries = {
        "error_query": 'rate(gateway_requests_total{code="500"}[{{.window}}]) * on(code) gateway_requests_total',
        "total_query": "sum(rate(gateway_requests_total[{{.window}}]))",
    }
    slo = alerting(indicator=Events(**queries))
    twice = counters(HOUR) + counters(HOUR / 2, instance="b")
    result = played(slo, twice, grid(HOUR))
    assert not result.decided
    assert "many-to-many" in result.troubles[0]


def test_what_cannot_be_evaluated_is_named():
    slo = alerting(
        indicator=Events(
            error_query="sum(predict_linear(gateway_requests_total[{{.window}}], 60))",
            total_query="sum(rate(gateway_requests_total[{{.window}}]))",
        )
    )
    with pytest.raises(UnsupportedError, match=r"predict_linear\(\)"):
        played(slo, counters(HOUR), grid(HOUR))
    with pytest.raises(UsageError, match=r"slos/gateway.yaml:7:5: gateway/availability cannot be backtested"):
        backtested([slo], counters(HOUR), grid(HOUR), 60.0)


def test_rules_read_the_users_series_and_not_their_own():
    today = datetime.fromtimestamp(START, UTC)
    assert {one.name for one in reads(alerting(), today)} == {"gateway_requests_total"}
    # It is dead after 14.4 % of an hour, 9 minutes, without a sample. Whether samples of 5 minutes gave no total is
    # asked 5 minutes later than that; and a sample may be 5 minutes old.
    assert reach(alerting(), today) == (9 + 5 + 5 + 5) * 60


def test_alerts_are_scored_by_the_incidents_they_fire_in():
    incidents = [cause("outage", 10, 40), cause("slow", 100, 200), cause("elsewhere", 0, 300, slos=["other/slo"])]
    fired = [firing(15, 30), firing(50, 60), firing(190, None), firing(90, 110, "ticket")]
    pages, tickets = scores(fired, incidents, "gateway/availability", START, START + DAY)
    assert [(one.name, one.after) for one in pages.found] == [("outage", 300.0), ("slow", 5400.0)]
    assert (pages.recall, pages.precision, pages.slowest) == (1.0, 2 / 3, 5400.0)
    # It fired ten minutes before the incident began.
    assert [(one.name, one.after) for one in tickets.found] == [("outage", None), ("slow", 0.0)]
    assert (tickets.recall, tickets.precision) == (0.5, 1.0)


def test_no_alert_and_no_incident_give_no_score():
    (pages,) = scores([], [], "gateway/availability", START, START + DAY)
    assert (pages.recall, pages.precision, pages.slowest) == (None, None, None)


def test_an_incident_outside_of_the_time_span_does_not_count():
    (pages,) = scores([], [cause("late", 2000, 2100)], "gateway/availability", START, START + DAY)
    assert pages.found == ()


def test_a_stricter_objective_leaves_less_of_the_budget():
    tracks = counters(DAY, bad=[(600, 605)])
    found = backtested([alerting()], tracks, grid(DAY), 60.0, objectives=(0.95, 0.99, 0.999))
    assert [one.result.slo.objective for one in found.others] == [0.95, 0.999]
    loose, strict = (one.result.left for one in found.others)
    assert loose > found.trials[0].result.left > strict


@pytest.mark.parametrize(
    ("words", "span"),
    [
        (("", "", "1m"), (START - 30 * DAY, START, 60.0)),
        (("2d", "1d", "30s"), (START - 2 * DAY, START - DAY, 30.0)),
        (("2026-01-01", "2026-01-01T01:00+01:00", "5m"), (START, START, 300.0)),
    ],
)
def test_times_are_dates_or_how_long_ago(words, span):
    found = span_of(*words, now=START, recorded=False)
    assert (found.start, found.end, found.step) == span


@pytest.mark.parametrize("words", [("yesterday", "", "1m"), ("", "", "often"), ("", "", "10ms")])
def test_other_words_are_no_times(words):
    with pytest.raises(UsageError):
        span_of(*words, now=START, recorded=True)


def test_objectives_are_percentages():
    assert tried("99, 99.9%,99") == (0.99, 0.999)
    for wrong in ("100", "0", "many"):
        with pytest.raises(UsageError):
            tried(wrong)


@pytest.fixture
def slo_file(tmp_path):
    path = tmp_path / "gateway.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


def metrics_file(folder, tracks):
    lines = [
        f'gateway_requests_total{{code="{one.labels["code"]}"}} {value} {at}\n'
        for one in tracks
        for at, value in zip(one.times.tolist(), one.values.tolist(), strict=True)
    ]
    path = folder / "metrics.txt"
    path.write_text("".join([*lines, "# EOF\n"]), encoding="utf-8")
    return path


def test_a_file_is_read_as_far_as_it_goes(slo_file, tmp_path):
    path = metrics_file(tmp_path, counters(2 * HOUR, bad=[(60, 90)]))
    found = backtest_files([slo_file], History(metrics=path), Span(start=None, end=None))
    assert (found.start, found.end, found.undecided) == (START, START + 2 * HOUR, ())
    pairs = [(one.result, one.scores) for one in found.trials]
    document = json.loads(json.dumps(to_dict(found.source, pairs), allow_nan=False))
    assert document["slos"][0]["verdict"] == "PASS"
    assert {one["severity"] for one in document["slos"][0]["alerts"]} == {"page", "ticket"}
    assert "Backtest of 1 SLO" in page(found.source, pairs)


def test_an_empty_file_is_refused(slo_file, tmp_path):
    path = tmp_path / "metrics.txt"
    path.write_text("", encoding="utf-8")
    with pytest.raises(SpecError, match="was it cut off"):
        backtest_files([slo_file], History(metrics=path), Span(start=None, end=None))
    path.write_text("# EOF\n", encoding="utf-8")
    with pytest.raises(UnansweredError) as error:
        backtest_files([slo_file], History(metrics=path), Span(start=None, end=None))
    assert error.value.exit_code == ExitCode.UNKNOWN


def test_an_empty_time_span_and_two_sources_are_refused(slo_file, tmp_path):
    path = metrics_file(tmp_path, counters(HOUR))
    for history, span in [
        (History(metrics=path), Span(start=START + HOUR, end=START)),
        (History(metrics=path), Span(start=0.0, end=START, step=1.0)),
        (History(), Span(start=START, end=START + HOUR)),
        (History(metrics=path, prometheus="http://127.0.0.1:9"), Span(start=START, end=START + HOUR)),
    ]:
        with pytest.raises(UsageError):
            backtest_files([slo_file], history, span)


@contextmanager
def a_server(tracks, *, dies_after=10**6, more=()):
    """Answers raw range queries as Prometheus does; after some answers it hangs up in the middle of one."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer({"version": "2.42.0"})

        def do_POST(self):
            body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            end, window = float(body["time"][0]), 6 * HOUR
            result = [
                {
                    "metric": dict(one.labels),
                    "values": [
                        [at, str(value)]
                        for at, value in zip(one.times.tolist(), one.values.tolist(), strict=True)
                        if end - window <= at <= end
                    ],
                }
                for one in tracks
            ]
            bad = "5.." in body["query"][0]
            kept = [one for one in result if one["values"] and (one["metric"]["code"] == "500" or not bad)]
            self.answer({"resultType": "matrix", "result": [*kept, *more]})

        def answer(self, data):
            asked.append(self.path)
            text = json.dumps({"status": "success", "data": data}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text if len(asked) <= dies_after else text[: len(text) // 2])
            self.close_connection = True

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_server_gives_what_a_file_gives(slo_file, tmp_path):
    tracks = counters(14 * HOUR, bad=[(300, 330)])
    span = Span(start=START, end=START + 14 * HOUR)
    path = metrics_file(tmp_path, tracks)
    with a_server(tracks) as url:
        asked = backtest_files([slo_file], History(prometheus=url), span).trials[0].result
    read = backtest_files([slo_file], History(metrics=path), span).trials[0].result
    assert np.array_equal(asked.total, read.total, equal_nan=True)
    assert np.array_equal(asked.remaining, read.remaining, equal_nan=True)
    assert asked.firings == read.firings
    assert asked.firings


@pytest.mark.parametrize("answers", [0, 1, 3])
def test_a_server_that_dies_meanwhile_is_unknown(slo_file, answers):
    span = Span(start=START, end=START + 14 * HOUR)
    with a_server(counters(14 * HOUR), dies_after=answers) as url, pytest.raises(UnansweredError) as error:
        backtest_files([slo_file], History(prometheus=url), span)
    assert error.value.exit_code == ExitCode.UNKNOWN


def test_native_histograms_are_refused_by_name(slo_file):
    native = {
        "metric": {"__name__": "ttft_seconds"},
        "histograms": [[START, {"count": "1", "sum": "1", "buckets": []}]],
    }
    span = Span(start=START, end=START + HOUR)
    with a_server(counters(HOUR), more=[native]) as url, pytest.raises(UsageError, match="native histograms"):
        backtest_files([slo_file], History(prometheus=url), span)


def test_a_file_is_evaluated_as_by_the_prometheus_that_is_asked_for(slo_file, tmp_path):
    # Samples a minute apart: since 3 a window of five minutes has five of them, and a burst of 60 is in four records
    # instead of five. Each would be five fourths, but nobody extrapolates to before a counter was 0: 4 x 60 / 5.
    path = metrics_file(tmp_path, counters(3 * HOUR, bad=[(60, 61)]))
    span = Span(start=START, end=START + 3 * HOUR)
    two, three = (
        backtest_files([slo_file], History(metrics=path, like=like), span).trials[0].result for like in (None, 3)
    )
    assert [int(np.count_nonzero(one.bad > 0)) for one in (two, three)] == [5, 4]
    assert [one.bad_events for one in (two, three)] == pytest.approx([60, 48])
