"""What is being judged: the Git commit of a project, and a digest of everything that differs from it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_LENGTHS: Final = (40, 64)
"""Hex digits of a commit: SHA-1, SHA-256."""
_DIGITS: Final = 12
_CHANGED: Final = ("-c", "diff.relative=false", "diff", "HEAD", "--name-only", "--no-renames", "-z")
_OTHERS: Final = ("ls-files", "--others", "--exclude-standard", "-z", "--", ".")


def subject_of(root: Path, apart: Iterable[Path] = ()) -> str:
    """`git:COMMIT`, with `+DIGEST` when tracked files differ from it or others are there that Git does not ignore.

    The same change has the same digest, another change another one. Files that Git does not know do not count in the
    folders `apart`, such as those that a run writes, nor where Python compiles to. Empty outside a checkout.
    """
    git = shutil.which("git")
    top = _ask(git, root, "rev-parse", "--show-toplevel") if git else None
    if git is None or top is None:
        return ""
    whole = Path(os.fsdecode(top.rstrip(b"\n")))
    commit = (_ask(git, whole, "rev-parse", "--verify", "HEAD") or b"").decode(errors="replace").strip()
    changed = _ask(git, whole, *_CHANGED)
    others = _ask(git, whole, *_OTHERS, *_excluded(whole, apart))
    if len(commit) not in _LENGTHS or changed is None or others is None:
        return ""
    names = sorted(filter(None, {*changed.split(b"\0"), *others.split(b"\0")}))
    return f"git:{commit}" + (f"+{_digest(whole, names)[:_DIGITS]}" if names else "")


def _ask(git: str, where: Path, *words: str) -> bytes | None:
    """What Git prints, or None when it refuses."""
    done = subprocess.run([git, "-C", str(where), *words], capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def _excluded(whole: Path, apart: Iterable[Path]) -> list[str]:
    below = [one.resolve().relative_to(whole) for one in apart if one.resolve().is_relative_to(whole)]
    folders = [f":(exclude,top,literal){one}" for one in below if one != Path()]
    return [*folders, ":(exclude,top,glob)**/__pycache__/**"]


def _digest(whole: Path, names: list[bytes]) -> str:
    # Names and contents, not Git's own text of the change, which depends on a user's configuration.
    total = hashlib.sha256()
    for name in names:
        total.update(b"%s\0%s\0" % (name, _content(whole / os.fsdecode(name))))
    return total.hexdigest()


def _content(path: Path) -> bytes:
    """Digest of a file, with whether it may be executed; where a link points; the subject of a checkout inside."""
    try:
        if path.is_symlink():
            return b"link " + os.fsencode(path.readlink())
        if (path / ".git").exists():
            return b"checkout " + subject_of(path).encode()
        with path.open("rb") as file:
            executable = b"x " if os.fstat(file.fileno()).st_mode & 0o100 else b"- "
            return executable + hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return b"gone"
