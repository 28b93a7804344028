"""GuideLLM: first and last token line alone, weighted by tokens; its TPOT has the first token's wait in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from holdfast.definitions.base import (
    E2E,
    GOODPUT,
    ITL,
    REQUESTS,
    TOKENS,
    TPOT,
    TTFT,
    VISIBLE,
    Bounds,
    Goodput,
    Sample,
    Tool,
    body_came,
    of_kinds,
    over,
    plain,
    row,
)
from holdfast.definitions.spread import stepped
from holdfast.model.stream import TOKEN_KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.definitions.spread import Values
    from holdfast.model.stream import Stream

_OUTPUT: Final[frozenset[str]] = frozenset({"content", "tool"})


class GuideLlm(Tool):
    """`schemas/base/request_stats.py`, `benchmark/schemas/metrics.py`, `schemas/base/statistics.py` for its steps."""

    title = "GuideLLM 0.8.1"
    says: ClassVar[Mapping[str, str]] = {
        TTFT: "request written -> first line with text of any kind",
        VISIBLE: "request written -> first line with content or a tool call",
        TPOT: "(last token - request written) / tokens, the first token's wait included, weighted by tokens",
        ITL: "(last token - first token) / (tokens - 1), a request each, weighted by tokens - 1",
        E2E: "request written -> [DONE], or the end",
        REQUESTS: "successful requests / (first due -> last end)",
        TOKENS: "their output tokens / (first due -> last end)",
        GOODPUT: "share within ttft, itl and e2e; failures count as bad, an answer without one of them is left out",
    }

    def sample(self, stream: Stream) -> Sample | None:
        """Failed without an answer in it, or with an error event; the end without `[DONE]` is a success."""
        if stream.sent is None:
            return None
        start = stream.sent if stream.written is None else stream.written
        end = next((piece.t for piece in stream.pieces if piece.kind == "done"), stream.ended)
        end = start if end is None else end
        if not body_came(stream) or _refused(stream):
            return Sample(failed=True, start=stream.due, end=end)
        tokens = _tokens(stream)
        return Sample(
            start=stream.due,
            end=end,
            times={**_token_times(stream, start, end, tokens), **row(E2E, end - start)},
            weights={TPOT: tokens or 0, ITL: (tokens or 1) - 1},
            tokens=tokens or 0,
            prompt=stream.prompt_tokens or 0,
        )

    def goodput(self, samples: Sequence[Sample], bounds: Bounds) -> Goodput | None:
        """An answer whose bound cannot be looked at is in neither the good ones nor what they are a share of."""
        limits = ((TTFT, bounds.ttft), (ITL, bounds.tpot), (E2E, bounds.e2e))
        asked = [(name, limit) for name, limit in limits if limit is not None]
        if not asked:
            return None
        told = [
            [value is not None and value <= limit for value, limit in seen]
            for one in samples
            if not one.failed
            for seen in [[(_told(one, name), limit) for name, limit in asked]]
            if all(value is not None for value, _ in seen)
        ]
        good, failed = sum(all(one) for one in told), sum(one.failed for one in samples)
        of = len(told) + failed
        return Goodput(good=good, of=of, per_second=over(good, self.seconds(samples)) if of else None)

    def quantile(self, values: Values, weights: Values, share: float) -> float:
        """The first value at which the weights reach the share."""
        return stepped(values, weights, share)


def _refused(stream: Stream) -> bool:
    """An error event, or an answer with neither visible text nor a count of tokens."""
    error = any(piece.kind == "error" for piece in stream.pieces)
    return error or (not of_kinds(stream, _OUTPUT) and not (stream.answer_tokens or 0))


def _tokens(stream: Stream) -> int | None:
    """The server's count, else the number of lines with text; None for a plain body without a count."""
    if stream.answer_tokens is not None:
        return stream.answer_tokens
    return None if plain(stream) else len(of_kinds(stream, TOKEN_KINDS)) or None


def _token_times(stream: Stream, start: float, end: float, tokens: int | None) -> dict[str, tuple[float, ...]]:
    lines = () if plain(stream) else of_kinds(stream, TOKEN_KINDS)
    shown = () if plain(stream) else of_kinds(stream, _OUTPUT)
    last = lines[-1].t if lines else end
    apart = (last - lines[0].t) / (tokens - 1) if lines and tokens and tokens > 1 else None
    return {
        **row(TTFT, lines[0].t - start if lines else None),
        **row(VISIBLE, shown[0].t - start if shown else None),
        **row(TPOT, (last - start) / tokens if tokens else None),
        # It puts 0 where it knows nothing: a body that was not streamed pulls its mean down.
        **row(ITL, 0.0 if apart is None else apart),
    }


def _told(one: Sample, name: str) -> float | None:
    """A value as goodput asks for it: there without the zeros that stand for nothing."""
    if name == ITL and (TTFT not in one.times or not one.weights.get(ITL)):
        return None
    return one.one(name)


TOOL = GuideLlm()
