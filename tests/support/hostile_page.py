"""What two sets of rules say of the same hostile inputs, as promtool computes it: Sloth's and our own."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml

from holdfast.objectives.compat import Choice, sloth_files
from holdfast.objectives.destinations import places
from holdfast.slo.files.read import read_slos
from holdfast.slo.rules import rule_file
from holdfast.sources.promtool import Promtool, find

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SPEC: Final = """\
version: prometheus/v1
service: myservice
labels: {owner: b}
slos:
  - name: availability
    objective: 99.9
    sli:
      events:
        error_query: sum(rate(http_requests_total{job="myservice",code=~"5..|429"}[{{.window}}]))
        total_query: sum(rate(http_requests_total{job="myservice"}[{{.window}}]))
    alerting: {name: MyServiceAvailability}
"""
_GOOD, _BAD = (f'http_requests_total{{job="myservice",instance="a",code="{code}"}}' for code in (200, 500))
_IDS: Final = 'sloth_id="myservice-availability",sloth_service="myservice",sloth_slo="availability",sloth_window="5m"'
_TOTAL: Final = 'sum(rate(http_requests_total{job="myservice"}[{{.window}}]))'
_NOTHING: Final = "nothing"
_NEVER: Final = -987654321

LEFT: Final = "sum(slo:period_error_budget_remaining:ratio) * 100"
BY_MONTH, BY_DAY, BY_HOUR = (f"sum(slo:sli_error:ratio_rate{window}) * 100" for window in ("30d", "1d", "1h"))
FIRING: Final = 'count(ALERTS{alertstate="firing"}) or vector(0)'
PAGES: Final = 'count(ALERTS{alertstate="firing", sloth_severity="page"}) or vector(0)'

HEAD: Final = """\
# The same hostile inputs, two sets of rules

Each input below is one that generated SLO rules have got wrong in the field. The same SLO file (99.9 % of 30 days)
is made into rules twice: as Sloth 0.16 writes them, `holdfast slo generate --compat sloth`, and as Holdfast does;
promtool plays the same samples, one a minute, to both. Written by `benchmarks/hostile_rules.py`; do not edit.

| what happened | asked | truth | Sloth's rules | Holdfast's rules |
|---|---|---|---|---|
"""
FOOT: Final = """\

A number of firing alerts counts severities and tiers. *Nothing* is a query without an answer: a dashboard shows a gap,
and an alert on it never fires. What is *about* is so because windows begin and end with a record of five minutes.

`holdfast slo test` asks such questions of the rules of every SLO, with its own series: see
[test SLOs](../how-to/test-slos.md).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked at a minute, the true answer, and from where to where ours may lie."""

    asked: str
    expr: str
    minute: int
    truth: str
    least: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """Something that happens to a service, as series, and what one wants to know of it."""

    what: str
    questions: tuple[Question, ...]
    series: Mapping[str, str] = field(default_factory=dict)
    every: str = "1m"
    """How often the rules are evaluated; a day takes less long in steps of five minutes."""
    spec: str = SPEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One question with the answers of both."""

    what: str
    question: Question
    sloth: str
    ours: str


def inputs() -> tuple[Input, ...]:
    """Ten of them."""
    sparse = " ".join(f"{n}x5" for n in range(40))
    return (
        Input(
            what="60 requests a minute, an hour without any, then as before; no errors",
            series={_GOOD: "0+60x60 3600+0x60 3600+60x600", _BAD: "0+0x722"},
            every="5m",
            questions=(_left("budget left, % after 10 h", 600, "100", 100, 100),),
        ),
        Input(
            what="60 requests a minute, and never an error: there is no error series",
            series={_GOOD: "0+60x600"},
            every="5m",
            questions=(_left("budget left, % after 8 h", 480, "100", 100, 100),),
        ),
        Input(
            what="dead after 2 h at 60 requests a minute",
            series={_GOOD: "0+60x120 stale", _BAD: "0+0x120 stale"},
            questions=(
                Question(asked="pages, 30 min later", expr=PAGES, minute=150, truth="at least 1", least=1, most=9),
                Question(
                    asked="errors of the day, % 4 h later", expr=BY_DAY, minute=360, truth="about 67", least=63, most=69
                ),
            ),
        ),
        Input(
            what="12 h at 1000 requests a minute with 1 % errors, then 12 h at 2 a minute with none",
            series={_GOOD: "0+990x720 712802+2x720", _BAD: "0+10x720 7200+0x720"},
            every="5m",
            questions=(
                Question(
                    asked="errors of the month, %", expr=BY_MONTH, minute=1440, truth="0.998", least=0.997, most=0.999
                ),
            ),
        ),
        Input(
            what="10 requests an hour, one of them fails",
            series={_GOOD: sparse, _BAD: "0x150 1x80"},
            questions=(Question(asked="alerts, 5 min later", expr=FIRING, minute=155, truth="0", least=0, most=0),),
        ),
        Input(
            what="10 requests an hour; three errors, all at once, are the first ever",
            series={_GOOD: sparse, _BAD: "0x150 3x80"},
            questions=(
                Question(asked="pages, 5 min later", expr=PAGES, minute=155, truth="at least 1", least=1, most=9),
            ),
        ),
        Input(
            what="all requests are those of two services; one of them dies after 2 h, and the other fails",
            spec=SPEC.replace(_TOTAL, f"{_TOTAL} + sum(rate(other_total[{{{{.window}}}}]))"),
            series={_GOOD: "0+60x120 7200x60", _BAD: "0x120 0+60x60", 'other_total{job="other"}': "0+60x120 stale"},
            questions=(
                Question(asked="pages, 30 min later", expr=PAGES, minute=150, truth="at least 1", least=1, most=9),
            ),
        ),
        Input(
            what="100 requests a minute; after 2 h the first errors ever, a series that begins at 50",
            series={_GOOD: "0+100x240", _BAD: "_x120 50x120"},
            questions=(
                Question(
                    asked="errors of the hour, % after 30 min",
                    expr=BY_HOUR,
                    minute=150,
                    truth="about 0.83",
                    least=0.8,
                    most=0.85,
                ),
            ),
        ),
        Input(
            what="the SLO's label owner was renamed from a to b an hour ago",
            series={
                f'slo:sli_error:ratio_rate5m{{{_IDS},owner="a"}}': "0x60",
                _GOOD: "_x60 0+60x120",
                _BAD: "_x60 0+0x120",
            },
            questions=(_left("budget left, %", 120, "100", 100, 100),),
        ),
        Input(
            what="the process restarts every half hour, its counters begin again; 1 % errors",
            series={_GOOD: " ".join(["0+99x29"] * 6), _BAD: " ".join(["0+1x29"] * 6)},
            questions=(
                Question(asked="errors of the month, %", expr=BY_MONTH, minute=175, truth="1", least=0.99, most=1.01),
            ),
        ),
    )


def _left(asked: str, minute: int, truth: str, least: float, most: float) -> Question:
    return Question(asked=asked, expr=LEFT, minute=minute, truth=truth, least=least, most=most)


def measured() -> list[Row]:
    """Both answers to every question. Raises InfrastructureError without promtool."""
    promtool, rows = find(os.environ), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for one in inputs():
            said = {who: _answers(one, text, folder, promtool) for who, text in _rules(one.spec, folder).items()}
            pairs = zip(one.questions, said["sloth"], said["ours"], strict=True)
            rows += [Row(what=one.what, question=asked, sloth=sloth, ours=ours) for asked, sloth, ours in pairs]
    return rows


def _rules(spec: str, folder: Path) -> dict[str, str]:
    """The rules of both."""
    (folder / "slo.yaml").write_text(spec, encoding="utf-8")
    choice = Choice(labels={}, period="30d", windows=None, version="v0.16.0", alerts=True, recordings=True)
    made = sloth_files(places((folder / "slo.yaml",), None), choice)
    slos, _ = read_slos(spec, "slo.yaml")
    return {"sloth": next(iter(made.values())), "ours": rule_file(slos, datetime(2026, 11, 22, tzinfo=UTC))}


def _answers(one: Input, rules: str, folder: Path, promtool: Promtool) -> list[str]:
    """What the rules say, got from promtool by expecting what cannot be."""
    (folder / "rules.yaml").write_text(rules, encoding="utf-8")
    groups = [group["name"] for group in yaml.safe_load(rules)["groups"]]
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in one.series.items()],
        "promql_expr_test": [
            {
                "expr": f"# {number}\n{question.expr}",
                "eval_time": f"{question.minute}m",
                "exp_samples": [{"labels": "{}", "value": _NEVER}],
            }
            for number, question in enumerate(one.questions)
        ],
    }
    whole = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": one.every,
        "group_eval_order": groups,
        "tests": [test],
    }
    (folder / "test.yaml").write_text(yaml.safe_dump(whole), encoding="utf-8")
    answer = promtool.test(folder / "test.yaml")
    if "same labelset" in answer.text:
        return ["error: same labelset"] * len(one.questions)
    got = {failed.case: failed.got for failed in answer.failed}
    return [_number(got[str(number)]) for number in range(len(one.questions))]


def _number(text: str) -> str:
    if text in {"", "nil"}:
        return _NOTHING
    value = text.removeprefix("{}").strip()
    return "NaN" if value == "NAN" else f"{float(value):.3g}"


def page(rows: list[Row]) -> str:
    """The whole document, without a date: the same rules write the same page."""
    return HEAD + "\n".join(_lines(rows)) + "\n" + FOOT


def _lines(rows: list[Row]) -> Iterator[str]:
    for row in rows:
        shown = [row.sloth if right(row.question, row.sloth) else f"**{row.sloth}**", row.ours]
        yield f"| {row.what} | {row.question.asked} | {row.question.truth} | {' | '.join(shown)} |"


def right(question: Question, answer: str) -> bool:
    """Whether an answer is within what is true."""
    try:
        return question.least <= float(answer) <= question.most
    except ValueError:
        return False
