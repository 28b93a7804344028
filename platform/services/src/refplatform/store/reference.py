"""How a model is named: `name`, `name@version`, or `name@sha256:...`, which no change of the store can redirect."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_WORD: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
_NAME: Final = re.compile(rf"{_WORD}(?:/{_WORD}){{0,2}}")
_VERSION: Final = re.compile(_WORD)
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


class StoreError(Exception):
    """The store cannot do what was asked; the message says why in one line."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A model's name, and what follows its @: a version, a manifest's digest, or nothing for the one in use."""

    name: str
    version: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        """As it is typed."""
        tail = self.version or self.digest
        return f"{self.name}@{tail}" if tail else self.name


def read_reference(text: str) -> Reference:
    """The reference in a text. Raises StoreError."""
    name, at, tail = text.partition("@")
    if not _NAME.fullmatch(name) or ".." in name or ".json" in name:
        raise StoreError(
            f"{text!r}: a model's name has letters, digits and . _ -, in at most three parts with / between"
        )
    if not at:
        return Reference(name)
    if _DIGEST.fullmatch(tail):
        return Reference(name, digest=tail)
    if not _VERSION.fullmatch(tail) or ".." in tail:
        raise StoreError(
            f"{text!r}: after the @ comes a version of letters, digits and . _ -, or sha256: and 64 digits"
        )
    return Reference(name, version=tail)
