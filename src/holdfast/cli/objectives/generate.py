"""slo generate: Prometheus rules from the files in slos/."""

from __future__ import annotations

import click

from holdfast.cli.options import workplace
from holdfast.errors import ExitCode


@click.command("generate")
@click.option("--check", "only_check", is_flag=True, help="Only say whether the committed rules are up to date.")
def command(*, only_check: bool) -> int:
    """Write Prometheus rules to slos/rules/.  Example: holdfast slo generate --check"""
    from holdfast.objectives.generate import rule_files
    from holdfast.store.folder import write_whole

    root = workplace().root
    folder = root / "slos" / "rules"
    stale = []
    for name, text in rule_files(root).items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
        if not only_check:
            write_whole(path, text)
    for name in stale:
        click.echo(f"{'stale' if only_check else 'wrote'} slos/rules/{name}")
    return ExitCode.FAIL if only_check and stale else ExitCode.PASS
