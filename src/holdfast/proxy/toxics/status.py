"""`status`: a request is refused as a provider refuses: with a status, its error and perhaps Retry-After."""

from __future__ import annotations

import json
from typing import Final, Literal

from pydantic import Field

from holdfast.proxy.answers.toxic import AnswerToxic, whole_answer

_ERRORS: Final[dict[int, tuple[str, str, str | None]]] = {
    400: ("The request cannot be served", "invalid_request_error", None),
    429: ("Too many requests", "requests", "rate_limit_exceeded"),
    500: ("Internal error", "server_error", None),
    503: ("Overloaded, try again later", "service_unavailable_error", None),
}
"""Message, type and code of OpenAI's error object."""


class Status(AnswerToxic):
    """The upstream is not asked."""

    status: Literal[400, 429, 500, 503] = Field(503, description="of the answer")
    retry_after: int | None = Field(None, ge=0, le=3600, description="the header Retry-After, seconds; none: none")
    reason: Literal["context_length_exceeded", "content_filter"] = Field(
        "context_length_exceeded", description="the error's code, of status 400 alone"
    )

    def instead(self) -> bytes:
        """The error, as OpenAI's API shapes it."""
        message, kind, code = _ERRORS[self.status]
        code = self.reason if self.status == 400 else code  # noqa: PLR2004 - the status that has reasons
        body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
        wait = {} if self.retry_after is None else {"retry-after": str(self.retry_after)}
        return whole_answer(self.status, json.dumps(body).encode(), wait)


TOXIC = Status
