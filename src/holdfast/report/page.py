"""A judged run as one HTML file that needs nothing else: no script, no network, no other file."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from holdfast.model.load import pace
from holdfast.report.plots import plots
from holdfast.report.rows import REQUEST_COLUMNS, cards, failed, second, slowest, story
from holdfast.report.words import MEANING, clean, count, not_passed, summary, tally
from holdfast.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from holdfast.model.timeline import Timeline
    from holdfast.model.verdict import Report


def page(report: Report, timeline: Timeline) -> str:
    """The whole report of one run."""
    failures, how_many = failed(timeline)
    return rendered(
        "page.html.j2",
        report=report,
        meaning=MEANING[report.state],
        summary=summary(report),
        facts=_facts(report, timeline),
        cards=cards(report.verdicts),
        checks=(*not_passed(report.checks), *(one for one in report.checks if one not in not_passed(report.checks))),
        plots=plots(timeline),
        story=story(timeline),
        columns=REQUEST_COLUMNS,
        failures=failures,
        how_many_failed=how_many,
        slowest=slowest(timeline),
        damaged=timeline.damaged,
        command=f"holdfast judge {report.run}",
    )


def index(reports: Iterable[Report], links: Mapping[str, str] | None = None) -> str:
    """A table of several runs, worst first; `links` maps a run to its page's address, relative to this one."""
    ordered = sorted(reports, key=lambda one: (-one.state.severity, one.scenario, one.run))
    rows = [(one, summary(one), tally(verdict.state for verdict in one.verdicts)) for one in ordered]
    overall = tally(one.state for one in ordered)
    return rendered("index.html.j2", rows=rows, overall=overall, links=links or {})


def _facts(report: Report, timeline: Timeline) -> tuple[tuple[str, str], ...]:
    load, scenario = timeline.load, timeline.scenario
    return (
        ("expectations", tally(one.state for one in report.verdicts) or "none"),
        ("checks of trust", tally(one.state for one in report.checks) or "none"),
        ("requests", f"{count(len(load.requests))} of {count(load.planned)} planned"),
        ("load", f"{scenario.load.name}, {pace(scenario.load)}"),
        ("length", show_duration(scenario.length)),
        ("seed", str(scenario.seed)),
    )


def rendered(template: str, **values: Any) -> str:
    """A page from one of the templates of this folder; every value is escaped."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - `--help` need not pay for it
    from markupsafe import Markup  # noqa: PLC0415

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(clean=clean, second=second)
    # The style sheet is ours and the pictures were escaped when they were drawn; nothing else is marked safe.
    environment.filters["drawn"] = Markup
    style = Markup(_resource("style.css"))  # noqa: S704
    return environment.from_string(_resource(template)).render(style=style, **values)


def _resource(name: str) -> str:
    return files("holdfast.report").joinpath(name).read_text(encoding="utf-8")
