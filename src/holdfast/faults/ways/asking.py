"""One request to one engine as a client makes it, and what came back: enough to tell in which way it is broken."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass, replace
from typing import Any, Final, Literal
from urllib.parse import urlsplit

End = Literal["done", "ended", "cut", "silent", "refused"]
"""[DONE] came; the body ended without it; the connection broke; nothing more came in time; nobody listens."""

_BLOCK: Final = 65536
_OK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A stream as it came. `tokens` are the seconds after the request was sent at which each came."""

    end: End
    status: int | None = None
    tokens: tuple[float, ...] = ()
    events: int = 0
    broken: str = ""
    error: str = ""
    finished: str = ""
    """Why it ended, as it says: length, stop."""
    usage: int | None = None
    """Tokens that the answer says it has."""
    asked: int = 0
    """Tokens that it was to have at most."""

    @property
    def counted(self) -> bool:
        """Whether its usage can be right: an engine may put several tokens in one event, or some without a text."""
        if self.usage is None or not 0 < len(self.tokens) <= self.usage <= self.asked:
            return False
        return self.finished != "length" or self.usage == self.asked

    @property
    def whole(self) -> bool:
        """An answer as it should be."""
        good = self.end == "done" and bool(self.finished) and not self.broken and not self.error
        return good and self.status == _OK and self.counted

    def __str__(self) -> str:
        """In a few words, for people."""
        said = self.broken or self.error
        status = "no status" if self.status is None else f"status {self.status}"
        return f"{status}, {len(self.tokens)} tokens, {self.end}" + (f", {said[:80]}" if said else "")


def chat(url: str, *, tokens: int, wait: float, prompt: str = "hold fast") -> Heard:
    """Ask for a stream of so many tokens; `wait` is how many seconds of silence are borne."""
    try:
        body = _body(get_json(url, "/v1/models", wait), tokens, prompt)
    except OSError as error:
        return Heard(end=_end_of(error), error=str(error))
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=wait)
    try:
        sent = time.monotonic()
        connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
        return replace(_hear(connection.getresponse(), sent), asked=tokens)
    except OSError as error:
        return Heard(end=_end_of(error), error=str(error))
    except http.client.HTTPException as error:
        return Heard(end="cut", error=type(error).__name__)
    finally:
        connection.close()


def get(url: str, path: str, wait: float) -> tuple[int, str]:
    """Status and text of a path. Raises OSError."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=wait)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode("utf-8", "replace")
    except http.client.HTTPException as error:
        raise ConnectionResetError(f"{path}: {type(error).__name__}") from error
    finally:
        connection.close()


def get_json(url: str, path: str, wait: float) -> Any:
    """What a path says. Raises OSError, also for what is no JSON."""
    status, text = get(url, path, wait)
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConnectionResetError(f"{path} answered {status} without JSON") from error


def _body(models: Any, tokens: int, prompt: str) -> str:
    try:
        model = models["data"][0]["id"]
    except (LookupError, TypeError) as error:
        raise ConnectionResetError("the engine serves no model") from error
    asked = {"model": model, "messages": [{"role": "user", "content": prompt}], "max_tokens": tokens}
    return json.dumps(asked | {"stream": True, "stream_options": {"include_usage": True}})


def _end_of(error: OSError) -> End:
    return "silent" if isinstance(error, TimeoutError) else "refused"


def _hear(response: http.client.HTTPResponse, sent: float) -> Heard:
    blocks: list[tuple[float, bytes]] = []
    end: End = "ended"
    try:
        while block := response.read1(_BLOCK):
            blocks.append((time.monotonic() - sent, block))
    except TimeoutError:
        end = "silent"
    except (http.client.HTTPException, OSError):
        end = "cut"
    return _read(response.status, blocks, end)


def _read(status: int, blocks: list[tuple[float, bytes]], end: End) -> Heard:
    if status != _OK:
        return Heard(
            end=end, status=status, error=b"".join(data for _, data in blocks)[:400].decode("utf-8", "replace")
        )
    tokens: list[float] = []
    found: dict[str, Any] = {"broken": "", "error": "", "finished": "", "usage": None}
    rest, events, done = b"", 0, False
    for at, data in blocks:
        *whole, rest = (rest + data).split(b"\n\n")
        for event in whole:
            events += 1
            payload = event.removeprefix(b"data: ")
            done = done or payload == b"[DONE]"
            tokens += [at] * (payload != b"[DONE]" and _take(payload, found))
    return Heard(end="done" if done else end, status=status, tokens=tuple(tokens), events=events, **found)


def _take(payload: bytes, found: dict[str, Any]) -> bool:
    """Note what an event says; whether it is a token."""
    try:
        value = json.loads(payload)
        choices = value.get("choices", ())
        found["error"] = found["error"] or str(value.get("error") or "")
        found["usage"] = (value.get("usage") or {}).get("completion_tokens", found["usage"])
        found["finished"] = next(
            (one["finish_reason"] for one in choices if one.get("finish_reason")), found["finished"]
        )
        return any(one["delta"].get("content") for one in choices)
    except (ValueError, AttributeError, LookupError, TypeError):
        found["broken"] = found["broken"] or f"an event that is no JSON: {payload[:40].decode('utf-8', 'replace')}"
        return False
