"""JSON Schema of a scenario, so that editors complete and check the file as it is written."""

from __future__ import annotations

from typing import Any

from holdfast.expect import kinds, shape_of
from holdfast.spec.scenario import ScenarioShape


def scenario_schema() -> dict[str, Any]:
    """Draft 2020-12; every kind of expectation is one alternative of an item under `expect`."""
    schema = ScenarioShape.model_json_schema(by_alias=True)
    alternatives = []
    for kind in kinds():
        one = shape_of(kind).model_json_schema(by_alias=True)
        schema.setdefault("$defs", {}).update(one.pop("$defs", {}))
        alternatives.append({**one, "title": kind})
    schema["properties"]["expect"]["items"] = {"anyOf": alternatives}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Holdfast scenario", **schema}
