"""The store: add a version, list, verify, choose the one in use and switch back, collect what nobody refers to.

blobs/AB/ABCDEF...          content, by digest
manifests/NAME/VERSION.json one version; appears last, in one move
used/NAME.json              the version in use and the one before it
tmp/, lock                  what grows; who adds shares the lock, who collects holds it alone
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import orjson

from refplatform.store.blobs import Blobs, growing, sync
from refplatform.store.manifest import File, Manifest, Profile, read_manifest
from refplatform.store.reference import Reference, StoreError, read_reference

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUFFIX: Final = ".json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """One thing wrong with one model: the file of it, the blob behind that file, and what is wrong."""

    model: str
    path: str
    sha256: str
    what: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.model}: {self.path}: blob {self.sha256} {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """Which version of a model is in use, and which one was before it."""

    version: str
    previous: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a collection took away: versions, blobs, their bytes."""

    versions: tuple[str, ...]
    blobs: int
    size: int


class ModelStore:
    """A folder of models; every change is one rename, so readers need no lock."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._blobs = Blobs(root)
        self._manifests = root / "manifests"
        self._used = root / "used"

    # Versions.

    def add(self, reference: Reference, source: Path, profile: Profile) -> Manifest:
        """Take in a file or the files of a folder as a new version; the same content again changes nothing.

        Raises StoreError when the version exists with another content or the source has no files, OSError when the
        disk refuses. Either way the store is as before, but for blobs that nobody refers to.
        """
        if reference.version is None:
            raise StoreError(f"{reference}: a new model needs a version, as in name@version")
        with self._locked(fcntl.LOCK_SH):
            manifest = Manifest(
                name=reference.name,
                version=reference.version,
                files=tuple(self._take(path, name) for name, path in _files(source)),
                profile=profile,
            )
            self._publish(manifest)
        return manifest

    def manifests(self) -> tuple[Manifest, ...]:
        """Every version, by name and in the order of time. Raises StoreError for a manifest that is damaged."""
        found = sorted(self._manifests.rglob(f"*{SUFFIX}"), key=lambda path: (path.parent, path.stat().st_mtime_ns))
        return tuple(map(self._read, found))

    def find(self, reference: Reference) -> Manifest:
        """The version that is meant; for a name alone the one in use. Raises StoreError when there is none."""
        if reference.digest is not None:
            for manifest in self.manifests():
                if (manifest.name, manifest.digest) == (reference.name, reference.digest):
                    return manifest
            raise StoreError(f"{reference}: no version has this digest")
        version = reference.version
        if version is None:
            used = self.used(reference.name)
            if used is None:
                raise StoreError(f"{reference}: no version is in use; choose one with `use {reference}@VERSION`")
            version = used.version
        return self._read(self._manifest_path(reference.name, version))

    def verify(self, manifest: Manifest, *, deep: bool = True) -> tuple[Flaw, ...]:
        """What is wrong with a version, nothing when it is as it was added; `deep` reads every byte of it."""
        model = f"{manifest.name}@{manifest.version}"
        flaws = [(file, self._blobs.flaw(file.sha256, file.size, deep=deep)) for file in manifest.files]
        return tuple(Flaw(model=model, path=file.path, sha256=file.sha256, what=what) for file, what in flaws if what)

    def checkout(self, manifest: Manifest, target: Path) -> None:
        """Lay a version out as a folder of hard links, which take no space. Raises OSError; then no folder is there."""
        hidden = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            for file in manifest.files:
                path = hidden / file.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.hardlink_to(self._blobs.path(file.sha256))
            hidden.rename(target)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)

    # The version in use.

    def used(self, name: str) -> Used | None:
        """The version of a model that is in use. Raises StoreError when the note of it is damaged."""
        try:
            return Used(**orjson.loads(self._used_path(name).read_bytes()))
        except FileNotFoundError:
            return None
        except (orjson.JSONDecodeError, TypeError) as error:
            raise StoreError(f"{name}: the note of the version in use is damaged: {error}") from error

    def use(self, reference: Reference) -> Used:
        """Put a verified version in use. Raises StoreError when there is none, or when it is not as it was added."""
        manifest = self.find(reference)
        self._demand(manifest, deep=True)
        return self.choose(manifest)

    def use_previous(self, name: str) -> Used:
        """Switch back to the version before, at once: only the sizes are looked at, for an engine reads every byte.

        Raises StoreError when there is none, or when it is no longer whole.
        """
        manifest = self.previous(name)
        self._demand(manifest, deep=False)
        return self.choose(manifest)

    def previous(self, name: str) -> Manifest:
        """The version that was in use before. Raises StoreError when there is none."""
        used = self.used(name)
        if used is None or used.previous is None:
            raise StoreError(f"{name}: there is no previous version to switch back to")
        return self.find(Reference(name, used.previous))

    def _demand(self, manifest: Manifest, *, deep: bool) -> None:
        if flaws := self.verify(manifest, deep=deep):
            raise StoreError(str(flaws[0]))

    def choose(self, manifest: Manifest) -> Used:
        """Put a version in use that somebody else has verified. Raises StoreError when it is gone."""
        with self._locked(fcntl.LOCK_SH), self._locked(fcntl.LOCK_EX, "lock.use"):
            self.find(Reference(manifest.name, manifest.version))  # it may have been collected meanwhile
            before = self.used(manifest.name)
            if before is not None and before.version == manifest.version:
                return before
            used = Used(version=manifest.version, previous=before.version if before else None)
            path = self._used_path(manifest.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            with growing(self._root / "tmp") as (temporary, out):
                out.write(orjson.dumps(asdict(used)))
                out.flush()
                os.fsync(out.fileno())
                temporary.rename(path)
                sync(path.parent)
        return used

    # Space.

    def gc(self, *, keep: int | None = None) -> Collected:
        """Take away blobs without a version and what killed processes left.

        `keep` also takes away all but the newest so many versions of each model; never the one in use, nor the one
        before it. Waits until nobody adds.
        """
        with self._locked(fcntl.LOCK_EX):
            gone = [] if keep is None else self._forget(keep)
            needed = {file.sha256 for manifest in self.manifests() for file in manifest.files}
            dropped = [path for path in self._blobs.all() if path.name not in needed]
            size = sum(path.stat().st_size for path in dropped)
            for path in (*dropped, *self._blobs.stale()):
                path.unlink()
        return Collected(versions=tuple(gone), blobs=len(dropped), size=size)

    def _forget(self, keep: int) -> list[str]:
        by_name: dict[str, list[Manifest]] = {}
        for manifest in self.manifests():
            by_name.setdefault(manifest.name, []).append(manifest)
        gone = []
        for name, versions in by_name.items():
            used = self.used(name)
            held = {used.version, used.previous} if used else set()
            for manifest in versions[: len(versions) - keep]:
                if manifest.version not in held:
                    self._manifest_path(name, manifest.version).unlink()
                    gone.append(f"{name}@{manifest.version}")
        return gone

    def _take(self, path: Path, name: str) -> File:
        with path.open("rb") as source:
            sha256, size = self._blobs.put(source)
        return File(path=name, sha256=sha256, size=size)

    def _publish(self, manifest: Manifest) -> None:
        path = self._manifest_path(manifest.name, manifest.version)
        path.parent.mkdir(parents=True, exist_ok=True)
        with growing(self._root / "tmp") as (temporary, out):
            out.write(manifest.content)
            out.flush()
            os.fsync(out.fileno())
            try:
                path.hardlink_to(temporary)  # unlike a rename, this never replaces
            except FileExistsError:
                if path.read_bytes() != manifest.content:
                    raise StoreError(
                        f"{manifest.name}@{manifest.version} exists with another content; a version never changes"
                    ) from None
            sync(path.parent)

    def _read(self, path: Path) -> Manifest:
        expected = f"{path.parent.relative_to(self._manifests)}@{path.name.removesuffix(SUFFIX)}"
        try:
            manifest = read_manifest(path.read_bytes())
        except FileNotFoundError:
            raise StoreError(f"{expected}: not in the store {self._root}") from None
        except StoreError as error:
            raise StoreError(f"{expected}: {error}") from error
        if f"{manifest.name}@{manifest.version}" != expected:
            raise StoreError(f"{expected}: the manifest is that of {manifest.name}@{manifest.version}")
        return manifest

    def _manifest_path(self, name: str, version: str) -> Path:
        return self._manifests / name / f"{version}{SUFFIX}"

    def _used_path(self, name: str) -> Path:
        return self._used / f"{name}{SUFFIX}"

    @contextlib.contextmanager
    def _locked(self, how: int, name: str = "lock") -> Iterator[None]:
        """Hold a lock of the store; the kernel lets go of it when the process dies."""
        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / name).open("ab") as handle:
            fcntl.flock(handle, how)
            yield


def _files(source: Path) -> list[tuple[str, Path]]:
    """Plain files of a source with their names in the model, in the order of their names."""
    if source.is_file():
        return [(source.name, source)]
    if not source.is_dir():
        raise StoreError(f"{source}: there is no such file or folder")
    found = []
    for folder, _, names in os.walk(source):
        for name in names:
            path = source.__class__(folder) / name
            if not path.is_file():
                raise StoreError(f"{path}: not a plain file")
            found.append((path.relative_to(source).as_posix(), path))
    if not found:
        raise StoreError(f"{source}: no files")
    return sorted(found)


def open_model(root: Path, text: str) -> tuple[ModelStore, Manifest]:
    """A store and the version that a text means. Raises StoreError."""
    store = ModelStore(root)
    return store, store.find(read_reference(text))
