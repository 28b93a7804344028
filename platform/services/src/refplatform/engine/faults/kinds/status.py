"""Some requests are refused as a provider refuses: by rate, by overload, by mistake, or for what they ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal

from refplatform import asgi
from refplatform.engine.faults.fault import AnswerFault, parameter
from refplatform.engine.wire.events import RefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from refplatform.engine.faults.fault import Strike
    from refplatform.engine.wire.events import Event

INVALID: Final = "invalid_request_error"
ERRORS: Final[dict[int, tuple[str, str, str | None]]] = {
    429: ("Rate limit reached for requests", "requests", "rate_limit_exceeded"),
    500: ("The server had an error while processing your request", "server_error", None),
    503: ("The engine is currently overloaded, please try again later", "service_unavailable_error", None),
}
"""Message, type and code of OpenAI's error, by status."""
REASONS: Final = {
    "context_length_exceeded": "This model's maximum context length is exceeded by your messages",
    "content_filter": "The request was refused by the content policy",
}


class Status(AnswerFault):
    """Instead of an answer there is this status, with the error that belongs to it; no token is made."""

    client: ClassVar[str] = "the status at once, streamed or not, with OpenAI's error object and perhaps Retry-After"
    metrics: ClassVar[str] = 'vllm:request_success_total{finished_reason="abort"} rises, as for a client that left'
    end: ClassVar[str] = "new requests are answered"

    status: Literal[400, 429, 500, 503] = parameter(503, "of the answer", unit="HTTP status")
    retry_after: int | None = parameter(
        None, "said in the header Retry-After; none: no such header", unit="s", least=0, most=3600
    )
    reason: Literal["context_length_exceeded", "content_filter"] = parameter(
        "context_length_exceeded", "the error's code, of status 400 alone", unit="code"
    )

    async def shape(self, events: AsyncIterator[Event], strike: Strike) -> AsyncIterator[Event]:
        """Refuse; a fault that is over by then refuses nobody."""
        if strike.going:
            strike.hit(f"answered {self.status}", token=0)
            raise RefusedError(self.status, self._error(), self._headers())
        async for event in events:
            yield event

    def _error(self) -> dict[str, dict[str, object]]:
        if self.status not in ERRORS:
            return asgi.error_body(REASONS[self.reason], kind=INVALID, code=self.reason, param="messages")
        message, kind, code = ERRORS[self.status]
        return asgi.error_body(message, kind=kind, code=code)

    def _headers(self) -> tuple[tuple[bytes, bytes], ...]:
        return () if self.retry_after is None else ((b"retry-after", str(self.retry_after).encode()),)
