"""What a command about load was asked: a profile and an address, found or refused in the same words by all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from holdfast.errors import UsageError
from holdfast.project import name_in
from holdfast.spec.source import did_you_mean

if TYPE_CHECKING:
    from pathlib import Path


def profile_file(root: Path, asked: str) -> tuple[str, str]:
    """The name of loadtests/ASKED.conf, as messages say it, and its text. Raises UsageError when there is none."""
    folder = root / "loadtests"
    path = folder / f"{bare(asked)}.conf"
    if not path.is_file():
        known = [one.stem for one in sorted(folder.glob("*.conf"))]
        raise UsageError(f"no such profile: {path}", hint=did_you_mean(asked, known))
    return name_in(root, path), path.read_text(encoding="utf-8", errors="replace")


def bare(asked: str) -> str:
    """A profile's name, also where somebody gave the path of its file."""
    return asked.removesuffix(".conf").removeprefix("loadtests/")


def check_address(url: str) -> None:
    """Raises UsageError for what is no http address, and for a password in it, which the record would keep."""
    try:
        host = urlsplit(url)
        known = host.scheme in {"http", "https"} and host.hostname and host.port != 0
    except ValueError:  # a port that is no number, or half a bracket
        known = False
    if not known:
        raise UsageError(f"not an address: {url.rpartition('@')[2]}", hint="--host http://127.0.0.1:8080")
    if host.username or host.password:
        raise UsageError("an address with a password would be kept in the record", hint="set HOLDFAST_API_KEY")
