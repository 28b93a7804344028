"""Certificates of an authority of the platform's own, made by openssl at `up`: good ones, and ones to be refused."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.errors import InfrastructureError
from holdfast.platforms import layout

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_KEY: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_DAYS: Final = 397
"""As long as browsers let a certificate last; a platform that is up for longer needs a new one anyway."""
_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """One certificate of each name: signed by whom, for how many days, and for which host."""

    signer: str
    days: int
    host: str


def kinds(host: str) -> dict[str, _Kind]:
    """By the names that the fault proxy knows them by."""
    return {
        "good": _Kind(signer="ca", days=_DAYS, host=host),
        "expired": _Kind(signer="ca", days=-1, host=host),
        "other_ca": _Kind(signer="other", days=_DAYS, host=host),
        "other_name": _Kind(signer="ca", days=_DAYS, host=f"not-{host}"),
    }


def make(folder: Path, hosts: Mapping[str, str], openssl: str) -> None:
    """Fill a new folder: ca.pem, and NAME.KIND.pem with its key for each name and its host.

    Raises InfrastructureError with what openssl says, PlatformError when the folder cannot be written.
    """
    with layout.naming(folder):
        folder.mkdir(mode=0o700)
        for name, about in (("ca", "holdfast platform"), ("other", "somebody else")):
            words = ("req", "-x509", *_KEY, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", str(_DAYS))
            _run(openssl, folder, *words, "-subj", f"/CN={about}")
        for name, host in hosts.items():
            _run(openssl, folder, "req", *_KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
            for kind, one in kinds(host).items():
                _sign(openssl, folder, name, kind, one)


def _sign(openssl: str, folder: Path, name: str, kind: str, one: _Kind) -> None:
    # Who checks the platform itself comes by its address, unless the certificate is to be another's.
    address = "" if kind == "other_name" else ",IP:127.0.0.1"
    names = folder / f"{name}.{kind}.names"
    names.write_text(f"subjectAltName=DNS:{one.host}{address}\n", encoding="ascii")
    file = folder / f"{name}.{kind}.pem"
    words = ("x509", "-req", "-in", f"{name}.csr", "-CA", f"{one.signer}.pem", "-CAkey", f"{one.signer}.key")
    _run(openssl, folder, *words, "-CAcreateserial", "-days", str(one.days), "-extfile", names.name, "-out", file.name)
    file.write_bytes(file.read_bytes() + (folder / f"{name}.key").read_bytes())
    names.unlink()


def _run(openssl: str, folder: Path, *words: str) -> None:
    try:
        done = subprocess.run([openssl, *words], cwd=folder, capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InfrastructureError(f"openssl cannot make certificates: {error}") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise InfrastructureError(f"openssl {words[0]} failed: {said[-1] if said else done.returncode}")
