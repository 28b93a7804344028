"""Groups of commands whose files are imported when a command is asked for, so that none pays for the others."""

from __future__ import annotations

from pkgutil import iter_modules, resolve_name
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Verbs(click.Group):
    """A group that knows where each of its commands is: verb -> "module:name"."""

    def __init__(self, *, where: Mapping[str, str], **words: Any) -> None:
        super().__init__(**words)
        self.where = where

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        """All verbs, sorted."""
        return sorted(self.where)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Import one command; None for a word that is no verb."""
        found = resolve_name(self.where[cmd_name]) if cmd_name in self.where else None
        assert found is None or isinstance(found, click.Command)  # noqa: S101 - `where` names nothing else
        return found


def one_a_file(package: str, path: Iterable[str]) -> dict[str, str]:
    """Where the commands of a package are that has a file for each verb, with `command` in it."""
    return {file.name: f"{package}.{file.name}:command" for file in iter_modules(path)}
