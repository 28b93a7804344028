"""The load engine's options, named once for all: how each is read, shown, and explained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from holdfast import units
from holdfast.arrivals import processes, shapes
from holdfast.arrivals.words import WordError
from holdfast.model.load.mix import read_mix
from holdfast.model.load.profile import OTHERS

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of the load engine: a line `key = value` in a profile, `--key value` on Locust's command line.

    `read` turns its text into a value or raises ValueError, `show` turns the value into text again; `field` is its name
    in LoadProfile, None for what belongs to one run and not to the profile.
    """

    key: str
    read: Callable[[str], Any]
    default: str | None
    help: str
    field: str | None = None
    in_file: bool = True
    locusts: bool = False
    """Whether the option is Locust's own."""
    show: Callable[[Any], str] = str


def show_seconds(value: float) -> str:
    """Text that reads back as exactly this many seconds, never rounded for the eye."""
    shown = f"{value:.9f}".rstrip("0").rstrip(".")
    return f"{shown}s" if float(shown) == value else units.show_duration(value)


def show_yes(value: bool) -> str:
    """`yes` or `no`."""
    return "yes" if value else "no"


def _yes(text: str) -> bool:
    if text not in {"yes", "no"}:
        raise ValueError(f"expected yes or no, got {text!r}")
    return text == "yes"


_ENDPOINTS: Final = ("chat", "completions", "embeddings", "documents")


def _endpoint(text: str) -> str:
    if not (text in _ENDPOINTS or text.startswith("/")):
        raise ValueError(f"expected {', '.join(_ENDPOINTS)} or a path that begins with /, got {text!r}")
    return text


def _number(text: str, *, least: float, kind: Callable[[str], float] = float) -> float:
    what = "a whole number" if kind is int else "a number"
    try:
        value = kind(text)
    except ValueError:
        raise ValueError(f"expected {what}, got {text!r}") from None
    if not math.isfinite(value) or value < least:
        raise ValueError(f"expected {what} of at least {least:g}, got {text!r}")
    return value


def _positive(text: str) -> float:
    value = _number(text, least=0)
    if value == 0:
        raise ValueError(f"expected more than zero, got {text!r}")
    return value


def _count(text: str) -> int:
    return int(_number(text, least=1, kind=int))


def _whole(text: str) -> int:
    return int(_number(text, least=-math.inf, kind=int))


def _not_negative(text: str) -> float:
    return _number(text, least=0)


def _rate(text: str) -> float:
    return _positive(str(units.rate(text)) if "/" in text else text)


def _duration(text: str) -> float:
    return _positive(str(units.duration(text)))


def _arrivals(text: str) -> str:
    if text not in OTHERS:
        try:
            processes.read(text)
        except WordError as error:
            hint = error.hint.replace("processes are", f"arrivals are {', '.join(OTHERS)}, or a process:")
            raise WordError(str(error), fragment=error.fragment, hint=hint) from error
    return " ".join(text.split())


def _shape(text: str) -> str:
    shapes.read(text)
    return " ".join(text.split())


def _mix(text: str) -> str:
    read_mix(text)
    return text


def _cache(text: str) -> str:
    if text not in {"share", "bust"}:
        raise ValueError(f"expected share or bust, got {text!r}")
    return text


def _whole_not_negative(text: str) -> int:
    return int(_number(text, least=0, kind=int))


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("expected a value, got nothing")
    return text


OPTIONS: Final = (
    Option(
        key="arrivals",
        read=_arrivals,
        default="poisson",
        help=f"{', '.join(processes.names())}, or {', '.join(OTHERS)}",
        field="arrivals",
    ),
    Option(key="rate", read=_rate, default="1", help="requests per second, as 12 or 12/s or 90/m", field="rate"),
    Option(
        key="shape",
        read=_shape,
        default="flat",
        help=f"what the rate is multiplied with over time: {', '.join(shapes.names())}",
        field="shape",
    ),
    Option(key="prompt-tokens", read=_count, default="250", help="median prompt, tokens", field="prompt_tokens"),
    Option(key="answer-tokens", read=_count, default="50", help="median answer, tokens", field="answer_tokens"),
    Option(key="spread", read=_not_negative, default="0", help="sigma of the lognormal lengths", field="spread"),
    Option(key="lengths", read=_text, default=None, help="CSV of quantiles to draw lengths from", field="lengths"),
    Option(
        key="prefix-tokens",
        read=_whole_not_negative,
        default="0",
        help="length of the system prompt that a group shares, tokens",
        field="prefix_tokens",
    ),
    Option(
        key="prefix-groups", read=_count, default="1", help="how many different system prompts", field="prefix_groups"
    ),
    Option(key="turns", read=_count, default="1", help="requests in a session, each with all before it", field="turns"),
    Option(
        key="think",
        read=units.duration,
        default="0s",
        help="least time between the turns of a session",
        field="think",
        show=show_seconds,
    ),
    Option(key="cache", read=_cache, default="share", help="bust lets no two prompts begin alike", field="cache"),
    Option(key="prompts", read=_text, default=None, help="NDJSON file of questions to ask", field="prompts"),
    Option(key="tenants", read=_mix, default=None, help="who asks, as gold:3, free:1", field="tenants"),
    Option(key="trace", read=_text, default=None, help="trace to replay: Azure, BurstGPT or Mooncake", field="trace"),
    Option(
        key="trace-start",
        read=units.duration,
        default="0s",
        help="skip this much of the trace",
        field="trace_start",
        show=show_seconds,
    ),
    Option(
        key="trace-bin",
        read=units.duration,
        default=None,
        help="spread requests of one stamp over this, 0s for none",
        field="trace_bin",
        show=show_seconds,
    ),
    Option(key="speed", read=_positive, default="1", help="2 replays a trace in half its time", field="speed"),
    Option(key="max-in-flight", read=_count, default="1024", help="drop arrivals above this", field="max_in_flight"),
    Option(
        key="request-timeout",
        read=_duration,
        default="30s",
        help="give up a request after this",
        field="timeout",
        show=show_seconds,
    ),
    Option(key="model", read=_text, default="sim", help="the model asked for", field="model"),
    Option(key="models", read=_mix, default=None, help="several models, as a:0.8, b:0.2", field="models"),
    Option(
        key="connect-timeout",
        read=_duration,
        default="5s",
        help="give up connecting after this",
        field="connect_timeout",
        show=show_seconds,
    ),
    Option(
        key="first-byte-timeout",
        read=_duration,
        default=None,
        help="give up a request whose answer has not begun after this",
        field="first_byte_timeout",
        show=show_seconds,
    ),
    Option(
        key="gap-timeout",
        read=_duration,
        default=None,
        help="give up an answer that pauses for this long",
        field="gap_timeout",
        show=show_seconds,
    ),
    Option(
        key="reuse", read=_yes, default="yes", help="keep connections for later requests", field="reuse", show=show_yes
    ),
    Option(key="ca-file", read=_text, default=None, help="certificates to believe, in PEM", field="ca_file"),
    Option(key="insecure", read=_yes, default="no", help="believe every certificate", field="insecure", show=show_yes),
    Option(
        key="endpoint",
        read=_endpoint,
        default="chat",
        help="chat, completions, embeddings, documents, or a path such as /health",
        field="endpoint",
    ),
    Option(key="stream", read=_yes, default="yes", help="ask for text as it is made", field="stream", show=show_yes),
    Option(key="body", read=_text, default=None, help="file to POST to a path; without one it is a GET", field="body"),
    Option(key="users", read=_count, default="1", help="how many ask in a closed loop", field="users", locusts=True),
    Option(key="workers", read=_count, default="1", help="how many processes share the load", field="workers"),
    Option(key="seed", read=_whole, default="1", help="same seed, same schedule and prompts"),
    Option(key="length", read=_duration, default="60s", help="length of the schedule, such as 75s"),
    Option(key="records", read=_text, default=None, help="new NDJSON file to write, one line per request"),
    Option(
        key="epoch",
        read=_not_negative,
        default=None,
        help="time zero of the schedule, seconds of CLOCK_MONOTONIC; default at once",
        in_file=False,
    ),
    Option(key="api-key", read=_text, default=None, help="bearer token; prefer HOLDFAST_API_KEY", in_file=False),
)
LOCUST_KEYS: Final = (
    *("spawn-rate", "headless", "locustfile", "host", "run-time"),
    *("only-summary", "loglevel", "autostart", "autoquit"),
)
