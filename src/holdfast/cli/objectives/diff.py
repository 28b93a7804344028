"""slo diff: what a change of SLO files means for whoever relies on them."""

from __future__ import annotations

import json
from pathlib import Path

import click

from holdfast.cli.options import JSON, say, table


@click.command("diff")
@click.argument("old", metavar="A")
@click.argument("new", metavar="B")
@click.option(
    "--uses", multiple=True, type=click.Path(path_type=Path), help="Dashboards, rules, scenarios that name SLOs."
)
@click.option("--retired", multiple=True, metavar="ID", help="This SLO was removed on purpose.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print a comment for a pull request.")
@JSON
def command(
    old: str, new: str, uses: tuple[Path, ...], retired: tuple[str, ...], *, as_markdown: bool, as_json: bool
) -> int:
    """Compare two versions of SLO files.  Example: holdfast slo diff HEAD:slos slos --uses scenarios

    A and B are files, folders, or Git revisions (HEAD~1:slos). What became looser fails until the new file says why.
    """
    from holdfast.objectives.diff import diff_of
    from holdfast.slo.diff import words

    found = diff_of(old, new, here=Path.cwd(), uses=uses, retired=retired)
    if as_json:
        click.echo(json.dumps(words.to_dict(found), indent=2, allow_nan=False))
    elif as_markdown:
        click.echo(words.markdown(found), nl=False)
    else:
        for one in found.changes:
            click.echo(words.line(one))
        if found.changes:
            click.echo()
            table(list(words.HEAD), words.rows(found))
        say(words.summary(found))
    return found.state.exit_code
