"""`holdfast chaos`: one file a verb, found by name."""

from __future__ import annotations

import click

from holdfast.cli.groups import Verbs, one_a_file

_WHERE = one_a_file(__name__, __path__)
_WHERE["list"] = _WHERE.pop("listed")  # a module named so would hide Python's own list


@click.group(cls=Verbs, where=_WHERE)
def chaos() -> None:
    """Faults on the running platform."""
