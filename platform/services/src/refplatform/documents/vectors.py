"""Vectors as they are kept: length one, 32-bit floats, so that a product of two is their cosine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH: Final = 4
"""Bytes of a number."""
_KIND: Final = "<f4"


def read_vectors(answer: Any, count: int) -> list[bytes]:
    """The vectors of an answer of `/v1/embeddings` to `count` texts, in the texts' order.

    Raises ValueError unless there is exactly one for each, all of one length, of finite numbers, and none zero.
    """
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list) or not all(isinstance(one, dict) for one in data):
        raise ValueError("the answer has no list of embeddings")
    found = {one.get("index"): one.get("embedding") for one in data}
    if len(data) != count or found.keys() != set(range(count)):
        raise ValueError(f"{count} texts got {len(data)} embeddings, or some twice")
    return _units([found[index] for index in range(count)])


def _units(rows: list[Any]) -> list[bytes]:
    try:
        matrix = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError("the embeddings are not lists of numbers of one length") from error
    if matrix.ndim != 2 or not matrix.size:  # noqa: PLR2004 - texts and their numbers
        raise ValueError("an embedding is not a list of numbers")
    lengths = np.sqrt((matrix * matrix).sum(axis=1))
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise ValueError("an embedding has no direction")
    return [row.tobytes() for row in (matrix / lengths[:, None]).astype(_KIND)]


def nearest(query: bytes, kept: Sequence[bytes], count: int) -> list[tuple[int, float]]:
    """Places in `kept` of the `count` vectors nearest to `query`, with their cosines, best first; equals in order.

    All are of `query`'s length.
    """
    if not kept:
        return []
    matrix = np.frombuffer(b"".join(kept), dtype=_KIND).reshape(len(kept), -1)
    scores = matrix @ np.frombuffer(query, dtype=_KIND)
    best = np.argsort(-scores, kind="stable")[:count]
    return [(int(place), float(scores[place])) for place in best]
