"""What one version of a model consists of: its files by digest, and its profile. Immutable, and has a digest itself."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any, Final

import orjson

from refplatform.store.reference import StoreError

_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file: where it lies inside the model, the SHA-256 of its content, its size in bytes."""

    path: str
    sha256: str
    size: int

    def __post_init__(self) -> None:
        """Refuse what would lead out of the model's folder, and what is no digest."""
        parts = PurePosixPath(self.path)
        if not self.path or parts.is_absolute() or ".." in parts.parts or "\0" in self.path:
            raise StoreError(f"a file of a model cannot be named {self.path!r}")
        if not _SHA256.fullmatch(self.sha256) or self.size < 0:
            raise StoreError(f"{self.path}: no digest or no size")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How the weights are stored (`none`, `fp8`, `int4`, ...), and the calibration of an engine that runs them so."""

    quantization: str = "none"
    calibration: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One version of a model."""

    name: str
    version: str
    files: tuple[File, ...]
    profile: Profile

    def __post_init__(self) -> None:
        """Refuse a model without files, and one with two files of one name."""
        paths = [file.path for file in self.files]
        if not paths or len(set(paths)) < len(paths):
            raise StoreError(f"{self.name}@{self.version}: needs files, each with a name of its own")

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def content(self) -> bytes:
        """The manifest as it is stored."""
        return orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) + b"\n"

    @property
    def digest(self) -> str:
        """Names this manifest, and through it the content of every file."""
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"


def read_manifest(content: bytes) -> Manifest:
    """The manifest in a file's content. Raises StoreError when it is none, or not in the form that is written."""
    try:
        raw: dict[str, Any] = orjson.loads(content)
        manifest = Manifest(
            name=raw["name"],
            version=raw["version"],
            files=tuple(File(**file) for file in raw["files"]),
            profile=Profile(**raw["profile"]),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"the manifest cannot be read: {error}") from error
    if manifest.content != content:
        raise StoreError("the manifest is not as it was written")
    return manifest
