"""`holdfast budget report` from a file of samples, and a gate that its budgets stop; no platform is needed."""

from __future__ import annotations

import json

import pytest

from bench import make_bench

pytestmark = pytest.mark.slow

NOVEMBER = 1793491200  # 2026-11-01T00:00:00Z
IDS = 'sloth_id="gateway-availability",sloth_service="gateway",sloth_slo="availability"'
SLO = """\
version: prometheus/v1
service: gateway
slos:
  - name: availability
    objective: 99
    sli:
      events:
        error_query: sum(rate(requests_total{outcome="failed"}[{{.window}}]))
        total_query: sum(rate(requests_total[{{.window}}]))
    alerting: {name: A, page_alert: {}, ticket_alert: {}}
"""
INCIDENTS = "incidents:\n  - {name: INC-1, start: 2026-11-01T01:00:00Z, end: 2026-11-01T02:00:00Z}\n"


def samples():
    """Two hours of minutes: 100 events in each 5 minutes, one of them bad in the second hour; and the raw counters."""

    def series(name, labels, value):
        return [f"# TYPE {name} gauge"] + [f"{name}{{{labels}}} {value(k)} {NOVEMBER + 60 * k}" for k in range(1, 121)]

    lines = [
        *series("slo:sli_total:increase5m", IDS, lambda k: 100),
        *series("slo:sli_bad:increase5m", IDS, lambda k: 1 if k > 60 else 0),
        "# TYPE requests counter",
        *(f'requests_total{{outcome="ok"}} {20 * k} {NOVEMBER + 60 * k}' for k in range(121)),
        "# EOF",
    ]
    return "\n".join(lines) + "\n"


@pytest.fixture
def bench(tmp_path):
    bench = make_bench(tmp_path)
    for path in (bench.root / "slos").glob("*.yaml"):
        path.unlink()
    (bench.root / "slos" / "gateway.yaml").write_text(SLO, encoding="utf-8")
    (bench.root / "samples.om").write_text(samples(), encoding="utf-8")
    (bench.root / "incidents.yaml").write_text(INCIDENTS, encoding="utf-8")
    return bench


REPORT = ("budget", "report", "--metrics", "samples.om", "--month", "2026-11")


def test_a_review_counts_each_cell_once_and_leaves_three_files(bench):
    code, text = bench.do(*REPORT, "--incidents", "incidents.yaml", "--out", "out", "--json")
    told = json.loads(text[text.index("{") :])
    (slo,) = told["slos"]
    # 24 cells of 100 events; those 12 of the second hour have one bad event each.
    assert (slo["total"], slo["bad"]) == (2400, 12)
    assert {part["name"]: part["bad"] for part in slo["parts"]} == {"INC-1": 12, "no known cause": 0}
    # The other days of the month, as far as it has come, are missing: nothing is proved.
    assert (code, told["verdict"]) == (10, "UNKNOWN")
    assert sorted(path.suffix for path in (bench.root / "out").glob("budget-2026-11.*")) == [".html", ".json", ".md"]


def test_the_own_queries_of_an_slo_count_the_same_events(bench):
    _, text = bench.do(*REPORT, "--raw", "--json")
    (slo,) = json.loads(text)["slos"]
    assert slo["total"] == pytest.approx(2400, rel=1e-6)
    # There is no error series: none failed.
    assert slo["bad"] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("budget", "report"), "name one source of counts"),
        ((*REPORT, "--prometheus", "http://127.0.0.1:9"), "name one source of counts"),
        ((*REPORT[:3], "nowhere.om"), "cannot be read"),
        ((*REPORT[:5], "2026-13"), "expected a month"),
        ((*REPORT[:5], "2199-01"), "has not begun"),
        ((*REPORT, "--zone", "Mars"), "no such time zone"),
        ((*REPORT, "--runs", "nowhere"), "no such folder"),
    ],
)
def test_what_cannot_be_reviewed_is_a_mistake(bench, words, said):
    code, text = bench.do(*words)
    assert code == 2
    assert said in text


def test_a_server_that_is_not_there_leaves_the_review_unknown(bench):
    code, text = bench.do("budget", "report", "--prometheus", "http://127.0.0.1:9", "--month", "2026-11")
    assert code == 10
    assert "did not answer" in text


def test_a_gate_whose_budgets_cannot_be_read_plays_nothing_and_is_unknown(bench):
    (bench.root / "pyproject.toml").write_text(
        "[tool.holdfast.freeze]\nbudget-left = '10%'\nreview = 'budget.json'\n", encoding="utf-8"
    )
    witnessed = SLO.replace("objective: 99\n", "objective: 99\n    labels: {sli: availability}\n")
    (bench.root / "slos" / "gateway.yaml").write_text(witnessed + TTFT, encoding="utf-8")
    for path in (bench.root / "scenarios").glob("*.yaml"):
        if path.stem != "quickstart":  # others name SLOs that are now gone
            path.unlink()
    code, text = bench.do("gate", "quickstart")
    assert code == 10
    assert "whether it is frozen cannot be read: gateway/availability: budget.json" in text
    told = json.loads((bench.runs / "gate-quickstart.json").read_text(encoding="utf-8"))
    assert (told["verdict"], told["runs"], told["freeze"]["state"]) == ("UNKNOWN", {}, "UNKNOWN")
    assert not (bench.runs / "attempts.ndjson").exists()
    assert bench.do("gate", "quickstart", "--despite-freeze", " ")[0] == 2


TTFT = """\
  - name: ttft
    objective: 95
    labels: {sli: ttft, bound: 500ms}
    sli:
      events:
        error_query: sum(rate(slow_total[{{.window}}]))
        total_query: sum(rate(requests_total[{{.window}}]))
    alerting: {name: B, page_alert: {}, ticket_alert: {}}
"""
