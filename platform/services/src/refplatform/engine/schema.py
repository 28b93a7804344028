"""A value that fits a JSON schema, always the same for the same source: what a model with guided decoding would say."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final

from refplatform.engine.answers import WORDS

DEPTH: Final = 8
"""Schemas that refer to themselves end here."""

MOST_VALUES: Final = 2000
MOST_ITEMS: Final = 64
MOST_CHARACTERS: Final = 1024

Schema = dict[str, Any]


def value_of(schema: Schema, source: str) -> Any:
    """A value for the schema; of keywords that only forbid (pattern, format, not) it knows nothing.

    Raises ValueError for what is no schema, or one that wants more than anybody would write.
    """
    try:
        return _Maker(schema).value(schema, source, DEPTH)
    except (TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        raise ValueError("this is no JSON schema that can be followed") from error


class _Maker:
    """The values of one schema, of which there are not to be too many."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._left = MOST_VALUES

    def value(self, schema: Schema | bool, source: str, depth: int) -> Any:
        """The value of one part, `depth` levels above the deepest."""
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"the schema wants more than {MOST_VALUES} values")
        if isinstance(schema, bool) or depth < 0:
            return None
        if chosen := schema.get("enum") or [schema[key] for key in ("const", "default") if key in schema]:
            return chosen[_number(source) % len(chosen)]
        parts = [schema[key][0] for key in ("anyOf", "oneOf", "allOf") if schema.get(key)]
        if "$ref" in schema or parts:
            return self.value(self._referred(schema["$ref"]) if "$ref" in schema else parts[0], source, depth - 1)
        match _type(schema):
            case "object":
                inner = schema.get("properties", {}).items()
                return {name: self.value(part, f"{source}/{name}", depth - 1) for name, part in inner}
            case "array":
                part, wanted = schema.get("items", {"type": "string"}), min(MOST_ITEMS, schema.get("minItems", 1))
                return [self.value(part, f"{source}/{index}", depth - 1) for index in range(max(1, wanted))]
            case kind:
                return _plain(kind, schema, _number(source))

    def _referred(self, reference: str) -> Schema:
        part: Any = self._root
        for name in reference.removeprefix("#").strip("/").split("/"):
            part = part.get(name, {}) if name else part
        return {} if not isinstance(part, dict) else part


def _plain(kind: str, schema: Schema, number: int) -> Any:
    match kind:
        case "string":
            text = WORDS[number % len(WORDS)].strip()
            text = text.ljust(min(MOST_CHARACTERS, schema.get("minLength", 0)), "x")
            return text[: schema.get("maxLength", len(text))]
        case "integer" | "number":
            low = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
            high = schema.get("maximum", schema.get("exclusiveMaximum", low + 100) - 1)
            return low + number % max(1, int(high - low) + 1)
        case "boolean":
            return bool(number % 2)
    return None


def _type(schema: Schema) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "array" if "items" in schema else "string")
    return str(kind[0] if isinstance(kind, list) else kind)


def _number(source: str) -> int:
    return int.from_bytes(blake2b(source.encode("utf-8", "surrogatepass"), digest_size=6).digest())
