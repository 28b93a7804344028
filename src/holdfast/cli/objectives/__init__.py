"""`holdfast slo`: one file a verb, found by name."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

import click


@click.group()
def slo() -> None:
    """What follows from the files in slos/."""


for _module in iter_modules(__path__):
    slo.add_command(import_module(f"{__name__}.{_module.name}").command)
