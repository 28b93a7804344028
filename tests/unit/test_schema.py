"""The JSON Schema that editors check scenarios with: it knows every key and every kind that the reader knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from holdfast.expect import kinds, shape_of
from holdfast.schema import scenario_schema
from holdfast.spec.scenario import ScenarioShape
from holdfast.spec.source import read

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def schema():
    return scenario_schema()


def resolved(schema, node):
    return schema["$defs"][node["$ref"].rsplit("/", 1)[1]] if "$ref" in node else node


def fits(schema, node, value):
    """The few words of JSON Schema that the schema uses, checked by hand: no validator is installed for one test."""
    node = resolved(schema, node)
    if "anyOf" in node:
        return any(fits(schema, one, value) for one in node["anyOf"])
    if "const" in node and value != node["const"]:
        return False
    kind = node.get("type")
    if kind == "object":
        return isinstance(value, dict) and object_fits(schema, node, value)
    if kind == "array":
        return isinstance(value, list) and all(fits(schema, node["items"], one) for one in value)
    if kind == "string":
        return isinstance(value, str) and re.search(node.get("pattern", ""), value) is not None
    expected = {"integer": int, "boolean": bool, "number": (int, float), "null": type(None)}
    return isinstance(value, expected[kind]) if kind else True


def object_fits(schema, node, value):
    known, more = node.get("properties", {}), node.get("additionalProperties", True)
    if set(node.get("required", ())) - value.keys() or (more is False and value.keys() - known.keys()):
        return False
    return all(fits(schema, known.get(key, more if isinstance(more, dict) else {}), one) for key, one in value.items())


@pytest.mark.parametrize("path", sorted((ROOT / "scenarios").rglob("*.yaml")), ids=lambda path: path.name)
def test_every_scenario_of_the_project_fits(schema, path):
    assert fits(schema, schema, read(path.read_text(encoding="utf-8"), path.name).tree)


def test_it_offers_every_key_of_the_reader(schema):
    assert set(schema["properties"]) == {one.alias or name for name, one in ScenarioShape.model_fields.items()}


def test_it_offers_every_kind_of_expectation(schema):
    offered = {one["title"]: one for one in schema["properties"]["expect"]["items"]["anyOf"]}
    assert tuple(sorted(offered)) == kinds()
    for kind, one in offered.items():
        assert kind in one["required"]
        assert set(one["properties"]) == {f.alias or name for name, f in shape_of(kind).model_fields.items()}


def test_it_allows_no_key_that_the_reader_refuses(schema):
    objects = [schema, *schema["$defs"].values(), *schema["properties"]["expect"]["items"]["anyOf"]]
    assert all(one["additionalProperties"] is False for one in objects if one.get("type") == "object")


@pytest.mark.parametrize(
    ("old", "new"),
    [("for: 5s", "for: 5 parsecs"), ("seed: 7", "seed: x"), ("spend: 1%", "spend: 1"), ("load:", "lod:")],
)
def test_it_refuses_what_the_reader_refuses(schema, old, new):
    text = (ROOT / "scenarios" / "quickstart.yaml").read_text(encoding="utf-8")
    assert not fits(schema, schema, read(text.replace(old, new, 1), "f").tree)
