"""Mooncake: one JSON object a line, milliseconds, and the hashes of the blocks of 512 tokens that prompts share.

https://github.com/kvcache-ai/Mooncake, FAST25-release/traces, Apache-2.0.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from holdfast.load.traces.base import TICKS, Format, RowError, Stamped
from holdfast.model.load.arrival import BLOCK
from holdfast.model.load.lengths import MOST_TOKENS

if TYPE_CHECKING:
    from collections.abc import Callable

KEYS: Final = ("timestamp", "input_length", "output_length", "hash_ids")
_MOST_MS: Final = 10**12
"""Some thirty years."""
_EXAMPLE: Final = '{"timestamp": 0, "input_length": 6758, "output_length": 500, "hash_ids": [0, 1]}'


def _reader(_: str) -> Callable[[str], Stamped]:
    return _read


def _read(line: str) -> Stamped:
    row = _object(line)
    stamp = _number(line, row, "timestamp", _MOST_MS)
    prompt, answer = (_number(line, row, key, MOST_TOKENS) for key in KEYS[1:3])
    return Stamped(stamp * (TICKS // 1000), prompt, answer, "", _blocks(line, row, prompt))


def _object(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        column = getattr(error, "colno", 1)
        raise RowError(min(column, max(1, len(line))), 1, "not a JSON object", _EXAMPLE) from error
    if not isinstance(row, dict):
        raise RowError(1, len(line), "not a JSON object", _EXAMPLE)
    for key in row:
        if key not in KEYS:
            raise RowError(*_place(line, key), f"unknown key {key!r}", f"keys are {', '.join(KEYS)}")
    missing = [key for key in KEYS if key not in row]
    if missing:
        raise RowError(1, len(line), f"no {', '.join(missing)}")
    return row


def _number(line: str, row: dict[str, Any], key: str, most: int) -> int:
    value = row[key]
    if type(value) is not int or not 0 <= value <= most:
        raise RowError(*_place(line, key), f"{key} is not a whole number from 0 to {most}: {value!r:.40}")
    return value


def _blocks(line: str, row: dict[str, Any], prompt: int) -> tuple[int, ...]:
    blocks = row["hash_ids"]
    if not isinstance(blocks, list) or not all(type(block) is int for block in blocks):
        raise RowError(*_place(line, "hash_ids"), "hash_ids is not a list of whole numbers")
    if (len(blocks) - 1) * BLOCK >= max(prompt, 1):
        raise RowError(*_place(line, "hash_ids"), f"{len(blocks)} blocks of {BLOCK} tokens, but {prompt} tokens")
    return tuple(blocks)


def _place(line: str, key: str) -> tuple[int, int]:
    """Column and width of a key."""
    return max(0, line.find(f'"{key}"')) + 1, len(key) + 2


FORMAT: Final = Format(begins=_EXAMPLE, claims=lambda line: line.lstrip().startswith("{"), reader=_reader, headed=False)
