"""The key file, which the gateway replicas and the document service read again whenever it is replaced."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from holdfast.errors import TargetError
from holdfast.platforms import keys, layout

if TYPE_CHECKING:
    from holdfast.model.platform import Identity
    from holdfast.platforms.embedded import EmbeddedPlatform

_READERS: Final = frozenset({"gateway", "documents"})


@dataclass(frozen=True, slots=True)
class Configuration:
    """Implements `model.hands.Configuration`; what is kept aside lies beside the file, as KEYS.NAME."""

    platform: EmbeddedPlatform

    def read(self, identity: Identity) -> bytes:
        """The file. Raises TargetError when this replica reads none, or may not be touched."""
        return self._file(identity).read_bytes()

    def replace(self, identity: Identity, content: bytes, aside: str) -> None:
        """Each step whole: killed between the two, the bytes are kept aside and still in place."""
        file, kept = self._file(identity), self._kept(identity, aside)
        if others := [one.name for one in keys.aside(self.platform.where) if one != kept]:
            raise TargetError(f"the configuration of {identity.name} is held by {', '.join(others)}")
        with layout.naming(self.platform.where.state):
            if not kept.exists():
                _write(kept, file.read_bytes())
            _write(file, content)

    def aside(self, identity: Identity, name: str) -> bytes | None:
        """What lies beside the file."""
        kept = self._kept(identity, name)
        return kept.read_bytes() if kept.exists() else None

    def put_back(self, identity: Identity, name: str) -> None:
        """One rename: there is no moment without the file, and none with both."""
        kept = self._kept(identity, name)
        if kept.exists():
            kept.replace(self._file(identity))

    def _kept(self, identity: Identity, name: str) -> Path:
        file = self._file(identity)
        return file.with_name(f"{file.name}.{Path(name).name}")

    def _file(self, identity: Identity) -> Path:
        if identity.role not in _READERS & self.platform.allowed:
            raise TargetError(f"{identity.name} has no configuration that faults may touch")
        return self.platform.where.keys


def _write(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


HAND = Configuration
