"""engine serve: the simulated engine in the foreground, with a calibration by its name."""

from __future__ import annotations

import click

from holdfast.cli.options import say


@click.command("serve", context_settings={"ignore_unknown_options": True})
@click.argument("calibration")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Where it answers.")
@click.option("--model", default="chat", show_default=True, help="The model name that clients ask for.")
@click.argument("more", nargs=-1, type=click.UNPROCESSED)
def command(calibration: str, port: int, model: str, more: tuple[str, ...]) -> None:
    """Serve as vLLM would, without a model.  Example: holdfast engine serve h100 --port 8000 --model chat --seed 7

    CALIBRATION is a name in platform/local/calibrations/, or a file. Options beyond those below are the simulator's
    own: python -m refplatform.engine --help. Ctrl-C ends it.
    """
    import os
    from pathlib import Path

    from holdfast import project
    from holdfast.engines.simulator import calibration_file, command

    path = calibration_file(project.find_root(Path.cwd()), calibration)
    words = command(path, port=port, model=model, more=more)
    say(f"http://127.0.0.1:{port} serves {model} at the pace of {path.stem}; Ctrl-C ends it")
    # It takes this process's place: signals reach it, and its exit status is ours.
    os.execv(words[0], words)  # noqa: S606 - no shell is wanted
