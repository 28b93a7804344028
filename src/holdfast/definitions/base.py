"""What a definition is: one tool's reading of a stream, and how that tool makes one number out of many."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final

from holdfast.definitions.spread import linear
from holdfast.model.stream import TOKEN_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from holdfast.definitions.spread import Values
    from holdfast.model.stream import Piece, Stream

TTFT: Final = "ttft"
VISIBLE: Final = "ttft visible"
TPOT: Final = "tpot"
ITL: Final = "itl"
E2E: Final = "e2e"
REQUESTS: Final = "requests/s"
TOKENS: Final = "tokens/s"
GOODPUT: Final = "goodput"
ROWS: Final = (TTFT, VISIBLE, TPOT, ITL, E2E, REQUESTS, TOKENS, GOODPUT)
"""What most tools have a figure for; a tool may have rows of its own besides."""

CHOICES: Final[frozenset[str]] = TOKEN_KINDS | {"role", "finish"}
"""Events that carry `choices`, with or without text."""

_BODY_CAME: Final = (
    "the stream ended without",
    "the answer ended without",
    "error in the stream",
    "the answer has no token",
)
"""How the load engine's words begin where HTTP was in order and only the answer inside was not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One request as one tool sees it.

    `start` and `end` bound it for rates, in seconds from the run's epoch. `times` has the values that it puts into each
    row, in seconds; a row it has no value for is not there. `weights` is what each value of a row counts, else 1.
    """

    failed: bool = False
    start: float
    end: float
    times: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    tokens: int = 0
    prompt: int = 0

    def one(self, row: str) -> float | None:
        """The row's value, where the tool has exactly one a request."""
        values = self.times.get(row, ())
        return values[0] if len(values) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a good request must keep, in seconds; None asks nothing. `gap` bounds the longest silence in an answer."""

    ttft: float | None = None
    tpot: float | None = None
    e2e: float | None = None
    gap: float | None = None

    def asked(self) -> bool:
        """Whether anything is asked."""
        return any(one is not None for one in (self.ttft, self.tpot, self.e2e, self.gap))


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodput:
    """Good requests, out of how many where the tool says a share, and per second where it has a window."""

    good: int
    of: int | None
    per_second: float | None

    @property
    def share(self) -> float | None:
        """Good ones among those it is a share of; None where there are none, or the tool prints no share."""
        return self.good / self.of if self.of else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Requests and output tokens per second; None where the tool has no window."""

    requests: float | None
    tokens: float | None


class Tool(ABC):
    """One tool's definitions. A file in `definitions/tools/` with `TOOL` adds one, under the file's name."""

    title: ClassVar[str]
    """Its name and the version that was read."""
    says: ClassVar[Mapping[str, str]]
    """Row -> its definition in one line, in the tool's order. A row of ROWS that is not here it does not print."""

    @abstractmethod
    def sample(self, stream: Stream) -> Sample | None:
        """The request as this tool sees it; None when it would never have known of it."""

    def seconds(self, samples: Sequence[Sample]) -> float | None:
        """The window that rates are divided by: from the first start to the last end, of failures too."""
        return window(samples)

    def rates(self, samples: Sequence[Sample]) -> Rates:
        """Requests that did not fail, and their tokens, over the window."""
        good = [one for one in samples if not one.failed]
        seconds = self.seconds(samples)
        return Rates(
            requests=over(len(good), seconds),
            tokens=over(sum(one.tokens for one in good), seconds),
        )

    def goodput(self, samples: Sequence[Sample], bounds: Bounds) -> Goodput | None:  # noqa: ARG002 - the tools that have one use them
        """How many requests kept the bounds; None when the tool has no such figure or no bound that it knows is set."""
        return None

    def quantile(self, values: Values, weights: Values, share: float) -> float:  # noqa: ARG002 - most weigh nothing
        """The value that `share` of the values, of which there is at least one, do not exceed, as the tool has it."""
        return linear(values, share)


def window(samples: Iterable[Sample]) -> float | None:
    """Seconds from the first start to the last end; None without samples or without length."""
    ends = [(one.start, one.end) for one in samples]
    seconds = max(end for _, end in ends) - min(start for start, _ in ends) if ends else 0.0
    return seconds if seconds > 0 else None


def over(count: float, seconds: float | None) -> float | None:
    """Per second; None without a window."""
    return None if seconds is None else count / seconds


def kept(value: float | None, bound: float | None, *, missing: bool) -> bool:
    """Whether a value keeps a bound, where there is one; `missing` is the answer for a value that is not there."""
    if bound is None:
        return True
    return missing if value is None else value <= bound


def body_came(stream: Stream) -> bool:
    """Whether an answer with status 200 came to its end as HTTP has it: success to a tool that looks no further."""
    return stream.status == _OK and (stream.outcome == "ok" or stream.error.startswith(_BODY_CAME))


_OK: Final = 200


def plain(stream: Stream) -> bool:
    """Whether the answer was no event stream: one whole body."""
    return stream.outcome == "ok" and [piece.kind for piece in stream.pieces] == ["content"]


def of_kinds(stream: Stream, kinds: frozenset[str]) -> tuple[Piece, ...]:
    """The pieces of these kinds, in their order."""
    return tuple(piece for piece in stream.pieces if piece.kind in kinds)


def reads(pieces: Iterable[Piece]) -> tuple[tuple[float, int], ...]:
    """(second, tokens) of each read: pieces with the same stamp arrived together."""
    found: dict[float, int] = {}
    for piece in pieces:
        found[piece.t] = found.get(piece.t, 0) + piece.tokens
    return tuple(found.items())


def output_tokens(stream: Stream) -> int:
    """The server's count of answer tokens, else what its pieces brought; a plain body without a count brought none."""
    if stream.answer_tokens is not None:
        return stream.answer_tokens
    return 0 if plain(stream) else brought(of_kinds(stream, TOKEN_KINDS))


def brought(pieces: Iterable[Piece]) -> int:
    """Tokens of these pieces together."""
    return sum(piece.tokens for piece in pieces)


def row(name: str, *values: float | None) -> dict[str, tuple[float, ...]]:
    """A row's values without what is missing; nothing when nothing is left."""
    there = tuple(value for value in values if value is not None and not math.isnan(value))
    return {name: there} if there else {}
