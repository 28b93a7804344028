"""A replica's wall clock, shifted by libfaketime with which it was started: the offset lies in a file that it reads."""

from __future__ import annotations

import http.client
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from holdfast.errors import TargetError
from holdfast.model.hands import Places

if TYPE_CHECKING:
    from holdfast.model.platform import Identity
    from holdfast.platforms.embedded import EmbeddedPlatform

_ANSWER: Final = 2.0
FILE: Final = "clock"
"""In the data folder; a process that knows it has it in FAKETIME_TIMESTAMP_FILE."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """Implements `model.hands.Clocks`."""

    platform: EmbeddedPlatform

    def shift(self, identity: Identity, mark: str, seconds: float) -> None:
        """Raises TargetError when it was started without libfaketime."""
        who, file = self.platform.process(identity), self._file(identity)
        if not _listens(who.pid, file):
            raise TargetError(
                f"{identity.name} reads the machine's own clock",
                hint="holdfast up --set faketime=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
            )
        draft = file.with_name(f".holdfast-{mark}.{os.getpid()}")
        draft.write_text(f"{seconds:+g}\n# holdfast-{mark}\n", encoding="ascii")
        draft.replace(file)

    def ahead(self, identity: Identity) -> float:
        """By the Date of an answer to its readiness probe. Raises TargetError when it gives none."""
        member = next((one for one in self.platform.record.processes if one.name == identity.name), None)
        url = urlsplit(member.ready if member else "")
        asked = http.client.HTTPConnection(url.hostname or "", url.port or 0, timeout=_ANSWER)
        try:
            asked.request("GET", url.path or "/")
            told = asked.getresponse().getheader("Date", "")
            return (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise TargetError(f"{identity.name} does not say what time it is: {error or 'no Date'}") from error
        finally:
            asked.close()

    def right(self, identity: Identity, mark: str) -> None:
        """Only its own shift: another fault's stays."""
        file = self._file(identity)
        if file.is_file() and f"holdfast-{mark}" in file.read_text(encoding="utf-8", errors="replace"):
            file.unlink(missing_ok=True)

    def _file(self, identity: Identity) -> Path:
        return Path(self.platform.hand(Places).folder(identity)) / FILE


def _listens(pid: int, file: Path) -> bool:
    """Whether the library is in its memory and looks at this file."""
    try:
        told = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        loaded = "libfaketime" in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return loaded and os.fsencode(f"FAKETIME_TIMESTAMP_FILE={file}") in told


HAND = Clocks
