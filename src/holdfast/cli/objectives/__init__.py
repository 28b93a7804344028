"""`holdfast slo`: one file a verb, found by name."""

from __future__ import annotations

import click

from holdfast.cli.groups import Verbs, one_a_file

_WHERE = one_a_file(__name__, __path__)
_WHERE["test"] = _WHERE.pop("trial")  # what is named test belongs to pytest


@click.group(cls=Verbs, where=_WHERE)
def slo() -> None:
    """What follows from the files in slos/."""
