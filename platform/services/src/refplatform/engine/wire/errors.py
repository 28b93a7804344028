"""What the API says when it cannot do what was asked: an HTTP status and the fields of OpenAI's error body."""

from __future__ import annotations


class BadAskError(Exception):
    """The request cannot be served as asked; carries the HTTP status and OpenAI's error fields."""

    def __init__(
        self, message: str, *, status: int = 400, kind: str = "BadRequestError", param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.kind, self.param = status, kind, param

    @property
    def body(self) -> dict[str, dict[str, object]]:
        """The error as OpenAI's API shapes it; the code is vLLM's, the HTTP status."""
        return {"error": {"message": str(self), "type": self.kind, "param": self.param, "code": self.status}}
