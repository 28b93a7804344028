"""`holdfast load`: one file a verb, found by name."""

from __future__ import annotations

import click

from holdfast.cli.groups import Verbs, one_a_file

_WHERE = one_a_file(__name__, __path__)
_WHERE["import"] = _WHERE.pop("importing")  # no module can have a keyword for its name


@click.group(cls=Verbs, where=_WHERE)
def load() -> None:
    """Offer load without a scenario, and compare what came back."""
