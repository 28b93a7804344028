"""Answers known by heart: the questions of a load profile, answered as the profile expects them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from pathlib import Path


def read_known(path: Path) -> dict[str, tuple[str, bool]]:
    """Question -> its answer, and whether that is all of it; from one JSON object a line, `prompt` and `expect`.

    What must only `contain` a text is answered with it and then words up to the client's limit. A question whose answer
    need only match a pattern, or that expects nothing, is not known. Raises OSError, and ValueError with the line.
    """
    known = {}
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            row = orjson.loads(line)
            expect = row.get("expect") or {}
            for kind in ("equals", "contains"):
                if kind in expect:
                    known[str(row["prompt"])] = (str(expect[kind]), kind == "equals")
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"line {number}: expected an object with prompt and expect") from error
    return known
