"""`holdfast engine`: one file a verb, found by name."""

from __future__ import annotations

import click

from holdfast.cli.groups import Verbs, one_a_file


@click.group(cls=Verbs, where=one_a_file(__name__, __path__))
def engine() -> None:
    """Measure one engine and simulate it, without a platform around it."""
