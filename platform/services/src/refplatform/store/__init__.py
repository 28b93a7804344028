"""A model store: versions of models as lists of files whose content is kept once, by its SHA-256, and checked."""

from refplatform.store.manifest import Manifest, Profile
from refplatform.store.models import Flaw, ModelStore
from refplatform.store.reference import Reference, StoreError, read_reference

__all__ = ["Flaw", "Manifest", "ModelStore", "Profile", "Reference", "StoreError", "read_reference"]
