"""The names that an engine answers to: its model, and the adapters that are loaded beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from refplatform.engine.wire.errors import BadAskError


@dataclass(slots=True, kw_only=True)
class Models:
    """`adapters` maps a name to its path; `since` is the unix second of the start.

    `version` is which version of the model a store's engine serves: the root of its card, and what its answers hang on.
    """

    base: str
    max_model_len: int
    since: int = 0
    version: str | None = None
    adapters: dict[str, str] = field(default_factory=dict)

    def resolve(self, asked: str | None) -> tuple[str, str | None]:
        """The name to answer with, and the adapter if it is one's. Raises BadAskError for what is not served."""
        if asked in {None, "", self.base}:
            return self.base, None
        if asked in self.adapters:
            return asked, asked
        raise BadAskError(
            f"The model `{asked}` does not exist; served: {', '.join((self.base, *self.adapters))}.",
            status=404,
            kind="NotFoundError",
            param="model",
        )

    def cards(self) -> list[dict[str, Any]]:
        """What /v1/models lists."""
        adapters = (self._card(name, root=path, parent=self.base) for name, path in self.adapters.items())
        return [self._card(self.base, root=self.version or self.base, limit=self.max_model_len), *adapters]

    def load(self, name: str, path: str, *, again: bool = False) -> None:
        """Serve one more adapter. Raises BadAskError."""
        if not name or not path:
            raise BadAskError("lora_name and lora_path are both needed.", kind="InvalidUserInput")
        if name == self.base or (name in self.adapters and not again):
            raise BadAskError(f"The name '{name}' is already served.", kind="InvalidUserInput")
        self.adapters[name] = path

    def unload(self, name: str) -> None:
        """Serve one adapter less. Raises BadAskError."""
        if name not in self.adapters:
            raise BadAskError(f"There is no adapter '{name}'.", status=404, kind="NotFoundError")
        del self.adapters[name]

    def _card(self, name: str, *, root: str, parent: str | None = None, limit: int | None = None) -> dict[str, Any]:
        permission = {
            "id": f"modelperm-{name}",
            "object": "model_permission",
            "created": self.since,
            "allow_create_engine": False,
            "allow_sampling": True,
            "allow_logprobs": True,
            "allow_search_indices": False,
            "allow_view": True,
            "allow_fine_tuning": False,
            "organization": "*",
            "group": None,
            "is_blocking": False,
        }
        card = {"id": name, "object": "model", "created": self.since, "owned_by": "vllm", "root": root}
        return {**card, "parent": parent, "max_model_len": limit, "permission": [permission]}
