"""A Prometheus is asked for what it has and how it is set; one that does not answer is no evidence of anything."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

import pytest
from click.testing import CliRunner

from bench import until
from holdfast.cli.objectives import slo as command
from holdfast.errors import ExitCode, InfrastructureError, UsageError
from holdfast.objectives.lint import lint_files
from holdfast.objectives.plan import Traffic, plans_of
from holdfast.platforms import ports
from holdfast.platforms.tools import cache_folder, locate
from holdfast.slo.lint.findings import lint
from holdfast.slo.lint.metricsfile import from_server
from holdfast.slo.lint.server import Server, seconds, server
from holdfast.sources.server import Asking, UnansweredError
from holdfast.testing import an_slo

SLOS = """\
version: prometheus/v1
service: gateway
slos:
  - name: availability
    objective: 99
    sli:
      events:
        error_query: sum(rate(gateway_requests_total{outcome="failed"}[{{.window}}]))
        total_query: sum(rate(gateway_requests_total[{{.window}}]))
    alerting: {page_alert: {disable: true}, ticket_alert: {disable: true}}
  - name: ttft
    objective: 95
    sli:
      events:
        error_query: |-
          sum(rate(gateway_ttft_seconds_count[{{.window}}]))
          - sum(rate(gateway_ttft_seconds_bucket{le="0.4"}[{{.window}}]))
        total_query: sum(rate(gateway_ttft_seconds_count{job="gatewy"}[{{.window}}]))
    alerting: {page_alert: {disable: true}, ticket_alert: {disable: true}}
"""
METRICS = """\
# TYPE gateway_requests_total counter
gateway_requests_total{outcome="ok"} 90
gateway_requests_total{outcome="failed"} 3
# TYPE gateway_ttft_seconds histogram
gateway_ttft_seconds_bucket{le="0.25"} 70
gateway_ttft_seconds_bucket{le="0.5"} 80
gateway_ttft_seconds_bucket{le="+Inf"} 94
gateway_ttft_seconds_sum 20
gateway_ttft_seconds_count 94
"""
RULES = """\
groups:
  - name: gateway
    rules:
      - {record: "gateway:queue:max", expr: max(gateway_queue)}
"""
DAY = 86400.0


def codes(asked: Server, **changes) -> list[str]:
    series = [{"__name__": "gateway_requests_total", "job": "gateway", "code": "500"}]
    catalog = from_server("", ["gateway_requests_total"], series, {})
    found = lint([an_slo(**changes)], {}, catalog, now=0.0, server=asked)
    return sorted(f"{one.severity} {one.problem.code.removeprefix('lint/')}" for one in found)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("15d", 15 * DAY), ("1m30s", 90.0), ("1y", 365 * DAY), ("4w2d", 30 * DAY), ("512MB", None), ("", None)],
)
def test_durations_are_read_as_prometheus_prints_them(text, wanted):
    assert seconds(text) == wanted


def test_a_server_says_how_it_is_set():
    targets = [
        {"labels": {"job": "gateway"}, "scrapeInterval": "5s"},
        {"labels": {"job": "gateway"}, "scrapeInterval": "15s"},
        {"labels": {"job": "engine"}},
    ]
    read = server("", {"storageRetention": "15d or 512MB"}, {"global": {"evaluation_interval": "1m"}}, targets)
    assert read == Server(source="", retention=15 * DAY, evaluation=60.0, scrape={"gateway": 15.0})
    assert server("", {}, {}, []) == Server(source="")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (Server(source=""), []),
        (Server(source="", retention=30 * DAY, evaluation=60.0, scrape={"gateway": 60.0}), []),
        (Server(source="", retention=15 * DAY), ["error retention"]),
        (Server(source="", scrape={"gateway": 100.0, "other": 900.0}), ["warning scrape-interval"]),
        (Server(source="", scrape={"gateway": 200.0}), ["error scrape-interval"]),
        (Server(source="", evaluation=200.0), ["warning evaluation-interval"]),
        (Server(source="", evaluation=301.0), ["error evaluation-interval"]),
    ],
)
def test_retention_and_intervals_are_held_against_windows(asked, found):
    assert codes(asked) == found


@contextmanager
def answering(answers):
    """A real server of canned answers by path: a page, an object for JSON, or a status; anything else is not there."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            said = answers.get(self.path.removeprefix("/api/v1/"), 404)
            body = said if isinstance(said, str) else json.dumps(said)
            self.send_response(said if isinstance(said, int) else 200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body.encode())

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_):
            pass

    with listening(Handler) as url:
        yield url


@contextmanager
def guarded(heard, elsewhere=""):
    """A server that notes who asks, and lets nobody in but one; it may send everybody elsewhere."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            who = self.headers.get("Authorization", "nobody")
            heard.append(who)
            body = json.dumps(data({"result": [{"value": [0, "1"]}]})).encode()
            self.send_response(302 if elsewhere else 200 if who == "Bearer let-me-in" else 401)
            self.send_header("Location", elsewhere + self.path)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_):
            pass

    with listening(Handler) as url:
        yield url


@contextmanager
def listening(handler):
    """The URL of a server that answers in a thread of its own."""
    listener = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.server_port}"
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


def data(value):
    return {"status": "success", "data": value}


@pytest.fixture
def slos(tmp_path):
    path = tmp_path / "gateway.yaml"
    path.write_text(SLOS, encoding="utf-8")
    return path


def run(*words) -> tuple[int, str]:
    done = CliRunner().invoke(command, [*map(str, words)], standalone_mode=False, catch_exceptions=False)
    return int(done.return_value), done.output


@pytest.mark.parametrize(
    "answers",
    [
        {"label/__name__/values": 500},
        {"label/__name__/values": "<html>not a Prometheus</html>"},
        {"label/__name__/values": {"status": "error", "error": "out of memory"}},
        {"label/__name__/values": ["no", "envelope"]},
        {"label/__name__/values": data([])},
        {},
    ],
)
def test_a_server_that_does_not_answer_as_one_leaves_everything_unknown(slos, answers):
    with answering(answers) as url, pytest.raises(UnansweredError) as told:
        lint_files([slos], prometheus=url, now=0.0)
    assert told.value.exit_code is ExitCode.UNKNOWN


def test_a_server_that_is_not_there_leaves_everything_unknown(slos):
    with pytest.raises(UnansweredError):
        lint_files([slos], prometheus="http://127.0.0.1:1", now=0.0)


def test_an_address_that_is_none_is_a_mistake_of_the_command():
    with pytest.raises(UsageError):
        Asking("file:///etc/passwd").get("rules")


def test_a_server_that_wants_to_know_who_asks_is_told():
    heard = []
    with guarded(heard) as url:
        assert Asking(url, " let-me-in\n").get("rules") is not None
        for named in (url, url.replace("//", "//us:p%40ss@")):
            with pytest.raises(UnansweredError) as told:
                Asking(named).get("rules")
            assert "HOLDFAST_PROMETHEUS_TOKEN" in told.value.hint
            assert "ss@" not in str(told.value)
    # base64 of us:p@ss
    assert heard == ["Bearer let-me-in", "nobody", "Basic dXM6cEBzcw=="]


def test_what_is_in_the_address_is_stronger_and_none_of_it_is_shown():
    asking = Asking("https://us:secret@prometheus.example:9090/base", "let-me-in")
    assert asking.address == "https://prometheus.example:9090/base"
    assert "secret" not in repr(asking)
    assert "let-me-in" not in repr(asking)
    for wrong in ("ftp://us:secret@a", "https://us:secret@:9090", "https://us:secret@[a"):
        with pytest.raises(UsageError) as told:
            Asking(wrong).get("rules")
        assert "secret" not in str(told.value)


def test_who_is_sent_elsewhere_says_nothing_there():
    heard, there = [], []
    with guarded(there) as other, guarded(heard, elsewhere=other) as url, pytest.raises(UnansweredError):
        Asking(url, "let-me-in").get("rules")
    assert (heard, there) == (["Bearer let-me-in"], ["nobody"])


def test_a_token_that_is_none_is_a_mistake_and_not_shown():
    with pytest.raises(UsageError) as told:
        Asking("http://127.0.0.1:1", "let\nme in").get("rules")
    assert "let" not in str(told.value)


def test_the_command_takes_the_token_from_the_environment(slos, monkeypatch):
    monkeypatch.setenv("HOLDFAST_PROMETHEUS_TOKEN", "let-me-in")
    heard = []
    with guarded(heard) as url:
        assert run("plan", slos, "--prometheus", url)[0] == ExitCode.PASS
    assert heard == ["Bearer let-me-in"] * 2


def test_what_a_store_does_not_tell_is_named_and_the_rest_is_checked(slos):
    answers = {
        "label/__name__/values": data(["gateway_requests_total"]),
        "series": data([{"__name__": "gateway_requests_total", "outcome": "ok", "job": "gateway"}]),
        "metadata": data({}),
    }
    with answering(answers) as url:
        linted = lint_files([slos], prometheus=url, now=0.0)
    assert linted.unasked == ("retention", "evaluation interval", "scrape intervals", "loaded rules", "answers")
    assert {one.problem.code for one in linted.findings} == {"lint/no-value", "lint/no-metric", "lint/not-a-part"}


@pytest.mark.parametrize(("result", "found"), [([], {"lint/no-answer"}), ([{"value": [0, "1"]}], set())])
def test_a_total_that_gives_nothing_although_its_series_are_there_is_told(slos, result, found):
    only = SLOS[: SLOS.index("  - name: ttft")]
    slos.write_text(only, encoding="utf-8")
    series = [{"__name__": "gateway_requests_total", "outcome": one, "job": "gateway"} for one in ("ok", "failed")]
    answers = {
        "label/__name__/values": data(["gateway_requests_total"]),
        "series": data(series),
        "query": data({"resultType": "vector", "result": result}),
    }
    with answering(answers) as url:
        linted = lint_files([slos], prometheus=url, now=0.0)
    assert {one.problem.code for one in linted.findings} - {"lint/not-a-part"} == found
    assert [one.problem.where.line for one in linted.findings if one.problem.code == "lint/no-answer"] == [9] * len(
        found
    )


def test_the_command_exits_with_1_on_errors_and_on_warnings_only_when_strict(slos, tmp_path):
    (tmp_path / "metrics.txt").write_text(METRICS, encoding="utf-8")
    against = ["lint", slos, "--metrics", tmp_path / "metrics.txt"]
    code, text = run(*against)
    assert code == ExitCode.FAIL
    assert "gateway_ttft_seconds_bucket has no edge at 0.4" in text
    slos.write_text(
        SLOS.replace('le="0.4"', 'le="0.5"').replace('outcome="failed"', 'outcome="lost"'), encoding="utf-8"
    )
    assert run(*against)[0] == ExitCode.PASS
    assert run(*against, "--strict")[0] == ExitCode.FAIL


def test_machines_read_the_same_findings(slos, tmp_path):
    (tmp_path / "metrics.txt").write_text(METRICS, encoding="utf-8")
    _, text = run("lint", slos, "--metrics", tmp_path / "metrics.txt", "--json")
    document = json.loads(text[: text.rindex("}") + 1])
    assert document["slos"] == 2
    assert [(one["code"], one["line"], one["column"], one["width"]) for one in document["findings"]] == [
        ("lint/not-a-part", 16, 20, 26),
        ("lint/not-an-edge", 17, 50, 8),
    ]


@pytest.mark.parametrize("words", [[], ["--prometheus", "http://127.0.0.1:1", "--metrics", "metrics.txt"]])
def test_there_must_be_exactly_one_thing_to_lint_against(slos, words):
    with pytest.raises(UsageError):
        run("lint", slos, *words)


def test_plan_takes_the_traffic_of_the_last_day_from_a_server(slos):
    def answer(*values):
        return {
            "query": data({"resultType": "vector", "result": [{"metric": {}, "value": [0, one]} for one in values]})
        }

    with answering(answer("288")) as url:  # 288 events in a day are 12 an hour
        found = plans_of([slos], Traffic(asking=Asking(url)), every=60.0)
    assert [one.rate for one in found] == [pytest.approx(12 / 3600)] * 2
    for values in ([], ["0"], ["NaN"], ["1", "2"]):
        with answering(answer(*values)) as url, pytest.raises(UnansweredError):
            plans_of([slos], Traffic(asking=Asking(url)), every=60.0)


@contextmanager
def prometheus(folder, target: str):
    """A real one that scrapes `target` every 100 s after the first time; its URL."""
    try:
        program = locate(["prometheus"], path=os.environ["PATH"], cache=cache_folder(os.environ))["prometheus"]
    except InfrastructureError as error:
        pytest.skip(str(error))
    port = next(port for port in iter(lambda: Random().randint(20_000, 30_000), 0) if ports.free(port))
    (folder / "rules.yaml").write_text(RULES, encoding="utf-8")
    settings = {
        "global": {"evaluation_interval": "200s", "scrape_interval": "1s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [{"job_name": "gateway", "static_configs": [{"targets": [target.removeprefix("http://")]}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(settings), encoding="utf-8")
    started = subprocess.Popen(
        [
            program.path,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--storage.tsdb.retention.time=10d",
        ],
        env={**os.environ, **program.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        started.terminate()
        started.wait(20)


def has_scraped(url: str) -> bool:
    try:
        return (Asking(url).number("sum(count_over_time(gateway_requests_total[1m]))") or 0) > 2 * 2
    except UnansweredError:
        return False


@pytest.mark.e2e
def test_a_real_prometheus_is_asked(slos, tmp_path):
    with answering({"/metrics": METRICS}) as target, prometheus(tmp_path, target) as url:
        until(lambda: has_scraped(url), 40, "a scraped target")
        linted = lint_files([slos], prometheus=url, now=time.time())
    assert linted.unasked == ()
    found = {(one.severity, one.problem.code.removeprefix("lint/"), one.problem.where.line) for one in linted.findings}
    assert found == {
        ("warning", "not-a-part", 16),  # job="gatewy" in the total alone
        ("error", "not-an-edge", 17),
        ("error", "no-value", 18),
        ("error", "retention", 4),  # 10 days of 30
        ("error", "retention", 11),
        ("warning", "evaluation-interval", 4),
        ("warning", "evaluation-interval", 11),
        ("warning", "rule-without-metric", 0),
    }
