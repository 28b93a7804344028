"""Which metric families vLLM exports: read from the committed catalogue, never listed by hand.

`platform/services/tools/vllm_metrics.py` makes the catalogue from a wheel.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

VLLM: Final = "0.33.0"
FEATURES: Final = frozenset({"lora", "kv_cache_metrics", "spec_decode", "sleep_mode", "tool_parser"})
"""Conditions of vLLM that make more families, as far as this engine can have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric family: `when` says under which condition it exists, `values` which series exist from the start."""

    name: str
    type: str
    help: str
    labels: tuple[str, ...]
    when: str
    buckets: str | tuple[float, ...] = ()
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All families of one version of vLLM in its own order, and the bucket edges that several of them share."""

    families: tuple[Family, ...]
    buckets: Mapping[str, tuple[float, ...]]
    handlers: frozenset[str]
    excluded_handlers: tuple[str, ...]

    def present(self, features: Collection[str]) -> tuple[Family, ...]:
        """Families that an engine with these features has. Raises ValueError for a feature that it cannot have."""
        if unknown := set(features) - FEATURES:
            raise ValueError(f"unknown features {sorted(unknown)}, there are {sorted(FEATURES)}")
        return tuple(family for family in self.families if family.when in {"always", "http", *features})

    def edges(self, family: Family, *, max_model_len: int, custom: Mapping[str, tuple[float, ...]]) -> list[float]:
        """Upper bounds of a histogram's buckets without +Inf; `custom` replaces shared edges by their name."""
        shared = family.buckets
        if not isinstance(shared, str):
            return list(shared)
        if shared in custom:
            return list(custom[shared])
        return one_two_five(max_model_len) if shared == "request_tokens" else list(self.buckets[shared])


def one_two_five(largest: int) -> list[float]:
    """1, 2, 5, 10, 20, 50 and so on, up to `largest`: vLLM's edges for numbers of tokens."""
    edges: list[float] = []
    scale = 1
    while True:
        for mantissa in (1, 2, 5):
            if mantissa * scale > largest:
                return edges
            edges.append(mantissa * scale)
        scale *= 10


@functools.cache
def read_catalogue(version: str = VLLM) -> Catalogue:
    """The catalogue of a version, parsed once."""
    raw = orjson.loads(files("refplatform.engine.metrics").joinpath(f"vllm-{version}.json").read_bytes())
    return Catalogue(
        families=tuple(map(_family, raw["families"])),
        buckets={name: tuple(edges) for name, edges in raw["buckets"].items()},
        handlers=frozenset(raw["handlers"]),
        excluded_handlers=tuple(raw["excluded_handlers"]),
    )


def _family(raw: dict[str, object]) -> Family:
    lists = {name: tuple(value) for name, value in raw.items() if isinstance(value, list)}
    return Family(**(raw | lists))  # type: ignore[arg-type]
