"""Debian's Alertmanager outside of /usr: a copy that looks for its templates in the state folder.

The package compiles the folder of its notification templates in and does not start without them, whether a template is
used or not. Unpacked into a cache instead of installed, it would need root to put them in place; so the path is
overwritten in a copy of the program, by one of the same length, which leaves everything else where it is.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

COMPILED_IN: Final = "/usr/share/prometheus/alertmanager"
FOLDER: Final = "programs"
"""In the state folder."""
_FROM_DATA: Final = f"../../{FOLDER}/templates"
"""The same folder as seen from data/NAME of the state folder, where processes start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relocation:
    """A program to copy, and the folder with its templates."""

    program: Path
    templates: Path

    def target(self, state: Path) -> Path:
        """Where the copy will be."""
        return state / FOLDER / self.program.name


def needed(program: Path) -> Relocation | None:
    """What to relocate when `program` lies in an unpacked package whose templates are not installed, else None."""
    if program.parent.parts[-2:] != ("usr", "bin") or Path(COMPILED_IN, "default.tmpl").exists():
        return None
    templates = program.parents[2] / COMPILED_IN.lstrip("/")
    return Relocation(program=program, templates=templates) if (templates / "default.tmpl").is_file() else None


def patched(program: bytes) -> bytes:
    """The program with its templates' folder replaced; any other path that begins alike stays."""
    old = COMPILED_IN.encode()
    new = _FROM_DATA.encode().ljust(len(old), b"/")
    return re.sub(re.escape(old) + rb"(?!/)", new, program)


def relocate(what: Relocation, state: Path) -> None:
    """Write the copy and its templates. Raises OSError."""
    target = what.target(state)
    target.write_bytes(patched(what.program.read_bytes()))
    target.chmod(0o755)
    shutil.copytree(what.templates, target.parent / "templates", ignore=shutil.ignore_patterns("*ui*"))
