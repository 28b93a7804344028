"""What an engine says about itself before it is measured: whether it is a vLLM, its version, model and size."""

from __future__ import annotations

import http.client
import json
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from holdfast.errors import InfrastructureError, UsageError

TIMEOUT: Final = 15.0
WORDS: Final = (
    "the service answers each request with a token and the next one, so that every client sees the stream of words as "
    "it is made, while others wait in the queue for their turn and the engine computes all of them together in one step"
)
"""Ordinary words: their token ids are the alphabet of prompts, for no id may be one that the model does not know."""
LEAST_ALPHABET: Final = 16
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An engine that can be measured; `kv_cache_tokens` is None where it does not say."""

    url: str
    model: str
    version: str
    max_model_len: int
    kv_cache_tokens: int | None
    alphabet: tuple[int, ...]


def look(url: str, model: str | None, key: str) -> Engine:
    """Ask the engine at an address. Raises InfrastructureError when nobody answers, UsageError when it is no vLLM.

    And UsageError when it does not serve `model`; None is whichever it serves.
    """
    asked = _Asked(url.rstrip("/"), key)
    version = asked.json("/version").get("version")
    metrics = asked.text("/metrics")
    if not isinstance(version, str) or "vllm:" not in metrics:
        raise _no_vllm(url, "no version, or no metric called vllm:")
    served = [one for one in asked.json("/v1/models").get("data", []) if isinstance(one, dict) and "id" in one]
    chosen = next((one for one in served if model in {None, one["id"]}), None)
    if chosen is None:
        names = ", ".join(str(one["id"]) for one in served) or "none"
        raise UsageError(f"{url} does not serve the model {model!r}", hint=f"it serves: {names}")
    return Engine(
        url=url.rstrip("/"),
        model=str(chosen["id"]),
        version=version,
        max_model_len=int(chosen.get("max_model_len") or 0),
        kv_cache_tokens=kv_cache_tokens(metrics),
        alphabet=_alphabet(asked, str(chosen["id"])),
    )


def kv_cache_tokens(metrics: str) -> int | None:
    """Tokens that the KV cache holds, by `vllm:cache_config_info`."""
    line = next((one for one in metrics.splitlines() if one.startswith("vllm:cache_config_info{")), "")
    labels = dict(_LABEL.findall(line))
    blocks, size = labels.get("num_gpu_blocks", ""), labels.get("block_size", "")
    return int(blocks) * int(size) if blocks.isdigit() and size.isdigit() else None


def _alphabet(asked: _Asked, model: str) -> tuple[int, ...]:
    found = asked.json("/tokenize", {"model": model, "prompt": WORDS}).get("tokens")
    ids = tuple(sorted({one for one in found if isinstance(one, int)})) if isinstance(found, list) else ()
    if len(ids) < LEAST_ALPHABET:
        raise _no_vllm(asked.url, "/tokenize gave no token ids")
    return ids


def _no_vllm(url: str, why: str) -> UsageError:
    return UsageError(
        f"{url} is no vLLM: {why}", hint="name the engine itself, http://127.0.0.1:8000, and not a gateway before it"
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    url: str
    key: str

    def json(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        text = self.text(path, body)
        try:
            found = json.loads(text)
        except ValueError as error:
            raise _no_vllm(self.url, f"{path} answered {text[:60]!r}") from error
        if not isinstance(found, dict):
            raise _no_vllm(self.url, f"{path} answered {text[:60]!r}")
        return found

    def text(self, path: str, body: dict[str, Any] | None = None) -> str:
        headers = {"content-type": "application/json"}
        headers |= {"authorization": f"Bearer {self.key}"} if self.key else {}
        data = json.dumps(body).encode() if body is not None else None
        asked = Request(f"{self.url}{path}", data=data, headers=headers)  # noqa: S310 - http or https, looked at before
        try:
            with urlopen(asked, timeout=TIMEOUT) as answer:  # noqa: S310 - as above
                return bytes(answer.read()).decode("utf-8", "replace")
        except HTTPError as error:
            if error.code in {401, 403}:
                raise UsageError(f"{self.url} refused {path}: {error.code}", hint="set HOLDFAST_API_KEY") from error
            raise _no_vllm(self.url, f"{path} answered {error.code}") from error
        except (URLError, OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise InfrastructureError(f"{self.url} does not answer: {reason}", hint="is the engine ready?") from error
