"""The second witness: what Prometheus and the receiver say, and that their silence is never a zero."""

from __future__ import annotations

import json
import math
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest

from holdfast.expect.metric import StaysWithin
from holdfast.sources.alerts import notifications
from holdfast.sources.prometheus import Prometheus, RefusedError, connect
from holdfast.testing import ANCHOR, a_place, a_scenario, some_expectations, some_phases


def answering(value):
    """A server that answers every instant query with `value`, and range queries with two samples."""

    def query(promql, at):
        if promql.endswith("s]") and not promql.startswith("sum"):
            return [{"metric": {"job": "gateway"}, "values": [[ANCHOR.wall + 1, "1"], [ANCHOR.wall + 2, "NaN"]]}]
        return value

    return Prometheus(query)


def one(text):
    return [{"metric": {}, "value": [0, text]}]


def counts(value):
    metrics = answering(value).take(a_scenario(), ANCHOR)
    assert metrics.trouble == ""
    return {(found.total, found.bad) for found in metrics.counted}


def test_a_rate_over_a_phase_is_its_count():
    # 0.5/s over 20 s (baseline, fault) = 10, over 25 s (recovery) = 12.5
    assert counts(one("0.5")) == {(10.0, 10.0), (12.5, 12.5)}


@pytest.mark.parametrize(
    "value", [[], one("NaN"), one("+Inf"), one("-Inf"), one("1") + one("2")], ids=["empty", "nan", "inf", "-inf", "two"]
)
def test_what_is_no_single_number_is_none_and_never_zero(value):
    assert counts(value) == {(None, None)}


def test_a_zero_is_a_number():
    assert counts(one("0")) == {(0.0, 0.0)}


def test_only_judged_phases_of_each_slo_are_asked_at_their_ends():
    asked = []

    def query(promql, at):
        asked.append((promql, round(at - ANCHOR.wall, 3)))
        return []

    scenario = a_scenario()
    metrics = Prometheus(query).take(scenario, ANCHOR)
    # Two SLOs x baseline, fault, recovery
    assert [(found.slo, found.phase) for found in metrics.counted] == [
        (slo, phase) for slo in ("gateway/availability", "gateway/ttft") for phase in ("baseline", "fault", "recovery")
    ]
    assert ("sum(rate(gateway_requests_total[20s]))", 30.0) in asked
    assert ("sum(rate(gateway_requests_total[25s]))", 75.0) in asked
    assert not any("{{" in promql for promql, _ in asked)


def test_where_a_platform_tells_tenants_apart_only_our_own_requests_are_counted():
    asked = []
    Prometheus(lambda promql, _: asked.append(promql) or one("1"), tenant="harness").take(a_scenario(), ANCHOR)
    assert 'sum(rate(gateway_requests_total{tenant=~"harness|"}[20s]))' in asked
    assert any(one.startswith('up{job=~"gateway|engine"}[') for one in asked)  # whether it looked is asked of all


def test_a_phase_of_any_length_is_asked_in_whole_milliseconds_because_promql_knows_no_fractions():
    asked = []
    played = a_scenario(stop="early").ending("baseline", 23.4567).ending("recovery", 60.0)
    Prometheus(lambda promql, at: asked.append((promql, round(at - ANCHOR.wall, 3))) or []).take(played, ANCHOR)
    assert ("sum(rate(gateway_requests_total[13457ms]))", 23.457) in asked
    assert ("sum(rate(gateway_requests_total[16543ms]))", 60.0) in asked


def test_samples_are_placed_on_the_runs_clock_and_gaps_stay_gaps():
    up = next(series for series in answering(one("1")).take(a_scenario(), ANCHOR).series if series.name == "up")
    assert up.points == ((1.0, 1.0),)  # the NaN sample is left out


@pytest.mark.parametrize(
    "error", [ConnectionError("refused"), ValueError("x" * 500), KeyError("value"), TimeoutError()]
)
def test_a_server_that_does_not_answer_is_trouble_by_name(error):
    def query(promql, at):
        raise error

    metrics = Prometheus(query).take(a_scenario(), ANCHOR)
    assert metrics.counted == ()
    assert metrics.trouble.startswith(f"Prometheus did not answer: {type(error).__name__}")
    assert len(metrics.trouble) < 200


@pytest.mark.parametrize("value", [[{}], [{"value": []}], [{"value": [0, "many"]}], None, 5])
def test_an_answer_of_the_wrong_shape_is_trouble(value):
    metrics = answering(value).take(a_scenario(), ANCHOR)
    assert metrics.trouble.startswith("Prometheus did not answer")


def test_a_server_that_fails_half_way_gives_nothing_rather_than_half():
    answers = iter([one("1"), one("1"), one("1")])
    metrics = Prometheus(lambda promql, at: next(answers)).take(a_scenario(), ANCHOR)
    assert (metrics.counted, metrics.series) == ((), ())
    assert metrics.trouble


QUEUE = "sum(vllm:num_requests_waiting)"


def asking(*queries, during=("baseline",)):
    """The default scenario, which also asks for these expressions over some phases."""
    wanted = tuple(
        StaysWithin(query=query, name=query, during=during, at_most=5.0, where=a_place()) for query in queries
    )
    return a_scenario(expect=(*some_expectations(), *wanted))


def ranges(answer):
    """A server that answers range queries with what `answer(promql)` gives or raises, and everything else with 1."""
    asked = []

    def query_range(promql, start, end):
        asked.append((promql, round(start - ANCHOR.wall, 3), round(end - ANCHOR.wall, 3)))
        return answer(promql)

    return Prometheus(answering(one("1")).query, query_range), asked


def test_an_expression_is_asked_over_each_phase_but_not_at_its_start():
    server, asked = ranges(lambda _: [])
    server.take(asking(QUEUE, during=("baseline", "fault")), ANCHOR)
    # baseline is second 10 to 30: the sample at 10 was scraped in the warmup
    assert asked == [(QUEUE, 11.0, 30.0), (QUEUE, 31.0, 50.0)]


def test_two_expectations_with_the_same_expression_ask_once():
    server, asked = ranges(lambda _: [])
    assert len(server.take(asking(QUEUE, QUEUE), ANCHOR).answers) == 1
    assert len(asked) == 1


def test_a_scenario_that_asks_for_nothing_asks_nothing():
    server, asked = ranges(lambda _: [])
    assert (server.take(a_scenario(), ANCHOR).answers, asked) == ((), [])


def test_a_long_phase_is_asked_for_in_pieces_that_prometheus_does_not_refuse():
    lengths = {"warmup": 10.0, "baseline": 25_000.0, "fault": 20.0, "recovery": 25.0}
    server, asked = ranges(lambda _: [])
    scenario = asking(QUEUE)
    server.take(replace(scenario, phases=some_phases(lengths)), ANCHOR)
    # 25,000 samples from second 11 to 25,010: 10,000 at a time
    assert [(start, end) for _, start, end in asked] == [(11, 10_010), (10_011, 20_010), (20_011, 25_010)]


def test_every_series_is_kept_with_what_is_no_number_and_what_is_infinite():
    at = ANCHOR.wall
    values = [[at + 11, "2"], [at + 12, "NaN"], [at + 13, "+Inf"], [at + 14, "-Inf"]]
    server, _ = ranges(lambda _: [{"metric": {"instance": "engine-1"}, "values": values}])
    (answer,) = server.take(asking(QUEUE), ANCHOR).answers
    (series,) = answer.series
    assert (answer.query, answer.phase, answer.trouble) == (QUEUE, "baseline", "")
    assert series.labels == {"instance": "engine-1"}
    assert series.points == ((11.0, 2.0), (12.0, None), (13.0, math.inf), (14.0, -math.inf))


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (RefusedError("unknown function with name nosuch"), "Prometheus refused it: unknown function"),
        (TimeoutError("too slow"), "Prometheus did not answer: TimeoutError: too slow"),
        ([{"metric": {}, "histograms": []}], "Prometheus did not answer: KeyError"),
        (None, "Prometheus did not answer: TypeError"),
    ],
)
def test_one_expression_that_fails_spoils_no_other_answer(trouble, told):
    def answer(promql):
        if promql == "bad":
            if isinstance(trouble, Exception):
                raise trouble
            return trouble
        return [{"metric": {}, "values": [[ANCHOR.wall + 11, "2"]]}]

    metrics = ranges(answer)[0].take(asking("bad", QUEUE), ANCHOR)
    bad, good = metrics.answers
    assert (metrics.trouble, good.trouble, bad.series) == ("", "", ())
    assert bad.trouble.startswith(told)
    assert good.series[0].points == ((11.0, 2.0),)
    assert metrics.counted
    assert metrics.series


def test_a_server_that_does_not_answer_leaves_every_expression_with_its_trouble():
    def query(promql, at):
        raise ConnectionError("refused")

    metrics = Prometheus(query).take(asking(QUEUE), ANCHOR)
    assert [one.trouble for one in metrics.answers] == [metrics.trouble]
    assert "ConnectionError" in metrics.trouble


@pytest.fixture
def web():
    """A server on a free port that keeps what it was asked and answers what it is told; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            url = urlsplit(self.path)
            self.server.asked.append((url.path, dict(parse_qsl(url.query))))
            status, body = self.server.answer
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.answer = [], (200, b"")
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_range_is_asked_to_the_millisecond(web):
    # the client library rounds to whole seconds: half a second of another phase would be judged with this one
    web.answer = 200, json.dumps({"data": {"result": [{"metric": {}, "values": [[11.5, "2"]]}]}}).encode()
    found = connect(web.url).query_range(QUEUE, 1_772_360_111.498, 1_772_360_130.502)
    (path, asked), *_ = web.asked
    assert found == [{"metric": {}, "values": [[11.5, "2"]]}]
    assert path == "/api/v1/query_range"
    assert asked == {"query": QUEUE, "start": "1772360111.498", "end": "1772360130.502", "step": "1"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"status":"error","errorType":"bad_data","error":"it\'s \\"bad\\"\\nreally"}', """it's "bad" really"""),
        (b"<html>a proxy</html>", "HTTP Status Code 400 (b'<html>a proxy</html>')"),
        (b'{"message": "other"}', """HTTP Status Code 400 (b'{"message": "other"}')"""),
        (b'["error"]', """HTTP Status Code 400 (b'["error"]')"""),
    ],
)
def test_what_is_refused_is_refused_in_the_servers_words(web, body, words):
    web.answer = 400, body
    with pytest.raises(RefusedError) as caught:
        connect(web.url).query_range("up +", 0.0, 1.0)
    assert str(caught.value) == words


def test_notifications_are_those_of_the_run(tmp_path):
    path = tmp_path / "alerts.ndjson"
    lines = [json.dumps({"wall": wall, "name": "EngineDown"}) for wall in (99.0, 100.0, 150.0, 200.0, 201.0)]
    path.write_text("\n".join([*lines, "{torn", "5", "[]", '{"name": "x"}', '{"wall": "soon"}']), encoding="utf-8")
    assert notifications(str(path), 100.0, 200.0) == lines[1:4]


def test_a_receiver_that_never_ran_is_an_error_and_not_silence(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        notifications(str(tmp_path / "none.ndjson"), 0, math.inf)
