"""Scenarios from the command line: check, schema, plan, run, judge, report, gate."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.embedded import bring_up
from holdfast.cli.options import JSON, PROFILE, RUNS, SET, STATE, pairs, say, token, workplace
from holdfast.errors import ExitCode, NotHereError, SpecError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from holdfast.app import Outcome, Workplace
    from holdfast.attempts import Standing
    from holdfast.freeze import Freeze
    from holdfast.gate import Decision
    from holdfast.model.scenario import Trial
    from holdfast.model.verdict import Report
    from holdfast.play import Played
    from holdfast.run import Stop


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@JSON
def check(paths: tuple[Path, ...], *, as_json: bool) -> int:
    """Are all files valid? All problems at once.  Example: holdfast check scenarios/quickstart.yaml"""
    from holdfast import app

    place = workplace()
    chosen, problems = app.check(paths, place.root)
    if as_json:
        click.echo(json.dumps([{"where": str(one.where), "what": one.what, "hint": one.hint} for one in problems]))
    elif problems:
        raise SpecError(tuple(problems))
    else:
        click.echo(f"{len(chosen)} scenario{'s' if len(chosen) != 1 else ''} and all they name are valid")
    if not chosen:
        say("there is nothing to check")
    return ExitCode.USAGE if problems or not chosen else ExitCode.PASS


@click.command()
def schema() -> int:
    """JSON Schema of a scenario, for editors.  Example: holdfast schema > scenario.schema.json"""
    from holdfast.schema import scenario_schema

    click.echo(json.dumps(scenario_schema(), indent=2))
    return ExitCode.PASS


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@JSON
def plan(paths: tuple[Path, ...], *, as_json: bool) -> int:
    """What a run will cost and can prove; touches nothing.  Example: holdfast plan scenarios/quickstart.yaml"""
    import shutil
    from dataclasses import asdict

    from holdfast import app
    from holdfast.report.plan import plans_text, total

    plans = [app.plan(path, workplace()) for path in paths]
    if as_json:
        takes, requests = total(plans)
        told = [asdict(one) for one in plans]
        whole = {"schema": "holdfast/plan/v1", "takes": takes, "requests": requests, "plans": told}
        click.echo(json.dumps(whole, indent=2, allow_nan=False))
    else:
        click.echo(plans_text(plans, shutil.get_terminal_size((100, 24)).columns))
    return ExitCode.UNKNOWN if any(one.problems for one in plans) else ExitCode.PASS


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@STATE
@RUNS
@JSON
@click.option("--subject", default="", help="Digest of what is being judged.")
@click.option("--undecided-ok", is_flag=True, help="Also run what `holdfast plan` says cannot be decided.")
def run(
    paths: tuple[Path, ...],
    state: Path | None,
    runs: Path | None,
    subject: str,
    *,
    as_json: bool,
    undecided_ok: bool,
) -> int:
    """Load the running platform, break it, judge it.  Example: holdfast run scenarios/quickstart.yaml"""
    from holdfast import app

    place = workplace(state, runs)
    if not undecided_ok:
        app.refuse_undecidable(paths, place)
    decision, stop = _run_all("", list(paths), place, subject, as_json=as_json, undecided_ok=undecided_ok)
    return _exit_code(decision.state.exit_code, stop)


def _run_all(
    gate: str,
    paths: list[Path],
    place: Workplace,
    subject: str,
    *,
    as_json: bool,
    undecided_ok: bool = False,
    freeze: Freeze | None = None,
) -> tuple[Decision, Stop]:
    """Run scenarios one after another; the first that leaves the platform broken, or a signal, ends it.

    Only those of a gate are counted as attempts.
    """
    from holdfast import project
    from holdfast.gate import decide
    from holdfast.model.verdict import State
    from holdfast.play import Stage, play
    from holdfast.signals import stoppable

    names = [project.load_scenario(path, place.root).name for path in paths]
    answers: list[Standing] = []
    with stoppable() as stop:
        stage = Stage(watching=_watcher, stop=stop, heard=_heard if not as_json else lambda *_: None)
        for path in () if freeze and freeze.stops else paths:
            if stop.signal or any(one.state is State.NOT_RESTORED for one in answers):
                break
            try:
                played = play(path, place, stage, gate=gate, subject=subject, undecided_ok=undecided_ok)
            except NotHereError as error:
                say(f"{error}: UNKNOWN")  # without an answer it is missing, and the decision no PASS
                continue
            answers.append(played.standing)
            if played.series and not as_json:
                _show_series(played)
    decision = decide(gate or "run", subject, names, answers, freeze)
    if as_json:
        click.echo(json.dumps(decision.to_dict()))
    return decision, stop


def _heard(outcome: Outcome, trial: Trial | None) -> None:
    """A run by itself is shown whole, a trial of many on one line."""
    if trial is None:
        _show(outcome.report, outcome.folder)
        return
    from holdfast.report.words import summary

    click.echo(f"{outcome.report.state:<12} trial {trial}  {outcome.folder.name}  {summary(outcome.report)}")


def _show_series(played: Played) -> None:
    from holdfast.trials import series_text

    if played.series:
        click.echo(f"\n{series_text(played.series)}\n{'':<12} {played.folder}")


def _watcher(title: str, length: float) -> Any:
    from rich.console import Console

    from holdfast.watch import Watcher

    return Watcher(Console(stderr=True), title, length)


def _show(report: Report, folder: Path) -> None:
    import shutil
    from dataclasses import replace

    from holdfast.report.terminal import verdict_table

    width = shutil.get_terminal_size((100, 24)).columns
    placed = replace(report, provenance={**report.provenance, "report": str(folder / "report.html")})
    click.echo(verdict_table(placed, width, color=sys.stdout.isatty()))


@click.command()
@click.argument("run_folder", metavar="RUN")
@RUNS
@JSON
def judge(run_folder: str, runs: Path | None, *, as_json: bool) -> int:
    """Judge a run or a series again from its record alone.  Example: holdfast judge runs/latest"""
    from holdfast import app
    from holdfast.play import find_series
    from holdfast.report.data import to_dict

    place = workplace(runs=runs)
    series = find_series(run_folder, place)
    if series:
        return _judge_series(series, as_json=as_json)
    outcome = app.judge_folder(app.open_run(run_folder, place))
    if as_json:
        click.echo(json.dumps(to_dict(outcome.report), allow_nan=False))
    else:
        _show(outcome.report, outcome.folder)
    return outcome.report.state.exit_code


def _judge_series(file: Path, *, as_json: bool) -> int:
    from holdfast.play import judge_series

    played = judge_series(file)
    if as_json:
        click.echo(json.dumps(dict(played.standing.series or {}), allow_nan=False))
    else:
        _show_series(played)
    return played.standing.state.exit_code


@click.command()
@click.argument("run_folder", metavar="RUN")
@click.argument("expectation")
@RUNS
def explain(run_folder: str, expectation: str, runs: Path | None) -> int:
    """One verdict from raw counts to state.  Example: holdfast explain runs/latest slo:gateway/ttft"""
    from holdfast import app
    from holdfast.report.explain import explain as told

    outcome = app.judge_folder(app.open_run(run_folder, workplace(runs=runs)))
    verdict = app.verdict_named(outcome.report, expectation)
    click.echo(told(outcome.report, outcome.timeline, verdict))
    return verdict.state.exit_code


@click.command()
@click.argument("run_folders", metavar="RUN...", nargs=-1, required=True)
@RUNS
def report(run_folders: tuple[str, ...], runs: Path | None) -> int:
    """Write verdict.json, junit.xml and report.html again.  Example: holdfast report runs/latest"""
    from holdfast import app

    place = workplace(runs=runs)
    for text in run_folders:
        outcome = app.judge_folder(app.open_run(text, place), write=True)
        click.echo(f"{outcome.report.state:<12} {outcome.folder / 'report.html'}")
    return ExitCode.PASS


@click.command()
@click.argument("name")
@click.option("--subject", default="", help="Digest of what is being judged; the Git commit by default.")
@click.option("--up", "bring_up", is_flag=True, help="Bring the platform up first and take it down afterwards.")
@click.option("--despite-freeze", metavar="REASON", help="Pass over a freeze, as for a fix; stands in the decision.")
@PROFILE
@STATE
@RUNS
@SET
@JSON
def gate(
    name: str,
    subject: str,
    profile: str,
    state: Path | None,
    runs: Path | None,
    settings: tuple[str, ...],
    despite_freeze: str | None,
    *,
    bring_up: bool,
    as_json: bool,
) -> int:
    """Run every scenario labelled `gate: NAME` and decide.  Example: holdfast gate quickstart --up

    Attempts at the same subject are counted: a FAIL stands until the subject changes, and a later attempt passes only
    on the evidence of all.
    """
    from holdfast import app
    from holdfast.gate import attempts_text, freeze_text

    place = workplace(state, runs)
    paths = app.scenarios_of_gate(name, place.root)
    subject = subject or app.subject_of(place)
    app.forget_decision(place, name, subject, paths)
    app.refuse_undecidable(paths, place)
    freeze = _freeze(place, name, despite_freeze)
    going_up = bring_up and not (freeze and freeze.stops)
    with _platform(place, profile, pairs(settings)) if going_up else _as_it_is():
        decision, stop = _run_all(name, paths, place, subject, as_json=as_json, freeze=freeze)
    app.keep_decision(place, decision)
    for line in freeze_text(decision.freeze):
        say(line)
    for line in attempts_text(decision):
        say(line)
    say(
        f"gate {name}: {decision.state}" + (f" (no verdict: {', '.join(decision.missing)})" if decision.missing else "")
    )
    return _exit_code(decision.state.exit_code, stop)


def _freeze(place: Workplace, gate: str, despite: str | None) -> Freeze | None:
    """What the error budgets say. Raises UsageError for a reason that is none."""
    from holdfast.objectives.freeze import freeze_of

    if despite is not None and not despite.strip():
        raise UsageError("--despite-freeze needs a reason", hint='--despite-freeze "fixes the outage of today"')
    return freeze_of(place.root, place.state, gate, place.clock.wall(), (despite or "").strip(), token=token())


@contextmanager
def _platform(place: Workplace, profile: str, settings: Mapping[str, str]) -> Iterator[None]:
    """A platform for as long as it is needed; one that was up before stays up."""
    from holdfast import app
    from holdfast.platforms import lifecycle

    was_up = app.is_up(place)
    bring_up(place, profile, settings, {})
    try:
        yield
    finally:
        if not was_up:
            lifecycle.down(place.state)


@contextmanager
def _as_it_is() -> Iterator[None]:
    yield


def _exit_code(report_code: ExitCode, stop: Stop) -> ExitCode:
    """A signal has its own code, but never hides a platform that was not restored; a halt has what was judged."""
    from holdfast.run import HALT
    from holdfast.signals import exit_code

    if stop.signal is None or stop.signal == HALT or report_code is ExitCode.NOT_RESTORED:
        return report_code
    return exit_code(stop.signal)
