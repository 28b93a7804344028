"""chaos run: one experiment by itself on the running platform, or a dry run of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from holdfast.cli.load.report import Seconds
from holdfast.cli.options import JSON, RUNS, STATE, say, workplace
from holdfast.errors import ExitCode, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from holdfast.app import Workplace
    from holdfast.chaos.ledger import Entry
    from holdfast.experiments.play import Played, Wanted
    from holdfast.model.scenario import Experiment


@click.command("run")
@click.argument("name")
@click.option("--for", "length", type=Seconds(), help="Hold the fault for so long instead of what the file says.")
@click.option("--seed", default=0, show_default=True, help="Chooses among the replicas: same seed, same targets.")
@click.option("--lease", type=Seconds(), default="20s", show_default=True, help="How long faults may outlive us.")
@click.option("--dry-run", is_flag=True, help="Say what would be struck, how, and how it would be taken back.")
@STATE
@RUNS
@JSON
def command(
    name: str,
    length: float | None,
    seed: int,
    lease: float,
    state: Path | None,
    runs: Path | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Play one experiment, without load.  Example: holdfast chaos run engine-hang --for 15s --dry-run

    NAME is one of chaos/, or a path. Exit code 0 says that each fault was seen to bite and seen gone, and that the
    file's own steady state held; 1 that this did not hold; 10 that a fault was not seen to bite; 11 that one was not
    seen gone. Ctrl-C once lets go and plays the rollbacks, twice undoes everything at once. No load is offered and
    nothing else is judged: that takes a scenario, and `holdfast run`.
    """
    from holdfast.experiments.play import Wanted

    place = workplace(state, runs)
    experiment = _experiment(name, place.root, length)
    if dry_run:
        return _aim(experiment, place, seed, as_json=as_json)
    wanted = Wanted(experiment=experiment, state=place.state, runs=place.runs, seed=seed, lease=lease)
    return _play(wanted, place, as_json=as_json)


def _experiment(name: str, root: Path, length: float | None) -> Experiment:
    """Checked first, so that nothing is struck that could not be taken back."""
    from dataclasses import replace

    from holdfast import project
    from holdfast.experiments.check import problems
    from holdfast.spec.experiment import lasting

    experiment, source = project.load_experiment(name, root)
    if found := problems(experiment, source):
        raise SpecError(tuple(found))
    return experiment if length is None else replace(experiment, document=lasting(experiment.document, length))


def _aim(experiment: Experiment, place: Workplace, seed: int, *, as_json: bool) -> int:
    from dataclasses import asdict

    from holdfast.experiments.aim import aim, aim_text
    from holdfast.platforms.connect import meant

    found = aim(experiment, meant(place.state, experiment.driver), seed)
    told = {"schema": "holdfast/chaos-aim/v1", **asdict(found)}
    click.echo(json.dumps(told, indent=2, default=str) if as_json else aim_text(found))
    return ExitCode.USAGE if found.refused else ExitCode.PASS


def _play(wanted: Wanted, place: Workplace, *, as_json: bool) -> int:
    from holdfast.experiments.play import play, to_dict
    from holdfast.signals import stoppable

    say(f"{wanted.experiment.title} ({wanted.experiment.name})")
    with stoppable() as stop:
        played = play(wanted, clock=place.clock, stop=stop, heard=_teller())
    if as_json:
        click.echo(json.dumps(to_dict(played), indent=2, default=str))
    else:
        _show(played)
    return played.exit_code


def _teller() -> Callable[[Entry], None]:
    """Tells a person each step, with the seconds since the first one."""
    zero: list[float] = []

    def tell(entry: Entry) -> None:
        zero.append(entry.monotonic)
        at = f"{entry.monotonic - zero[0]:6.1f}s"
        say(f"{at}  {entry.fault} of {entry.name}: {entry.step}" + (f"  ({entry.detail})" if entry.detail else ""))

    return tell


def _show(played: Played) -> None:
    if played.left:
        told = ", ".join(f"{one.fault} of {one.name} ({one.step})" for one in played.left)
        click.echo(f"not restored: {told}; try holdfast chaos undo")
    if played.failed_rollbacks:
        click.echo(f"not restored: {played.failed_rollbacks}")
    for why in played.unseen:
        click.echo(f"not seen to bite: {why}")
    if played.signal:
        click.echo(f"let go by {played.signal}")
    elif played.error:
        click.echo(f"not played whole: {played.error}")
    elif played.deviated:
        click.echo("the steady state that the file names did not hold")
    if played.exit_code == ExitCode.PASS:
        click.echo("each fault was seen to bite and seen gone")
    click.echo(f"record    {played.folder}")
