"""Which Python a command of a Python package runs on: its first line says so."""

from __future__ import annotations

import shutil
from pathlib import Path


def interpreter(program: Path) -> Path | None:
    """The Python that a console script names, None when it is another kind of program."""
    try:
        with program.open("rb") as file:
            first = file.readline(1024)
    except OSError:
        return None
    words = first.removeprefix(b"#!").decode("utf-8", "replace").split() if first.startswith(b"#!") else []
    if words and Path(words[0]).name == "env":
        words = [shutil.which(words[-1]) or ""]
    return Path(words[0]) if words and Path(words[0]).name.startswith("python") else None
