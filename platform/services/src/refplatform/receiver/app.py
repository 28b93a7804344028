"""Alertmanager's webhook (version 4) turned into NDJSON lines with the time of receipt; nothing is kept in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal

import orjson
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Labels = dict[str, str]


class Alert(BaseModel):
    """One alert of a webhook message; times stay the RFC 3339 texts that Alertmanager wrote."""

    model_config = ConfigDict(frozen=True)

    status: Literal["firing", "resolved"]
    labels: Labels
    annotations: Labels = Field(default_factory=dict)
    startsAt: str  # noqa: N815
    endsAt: str  # noqa: N815


class Notification(BaseModel):
    """A webhook message; fields that Alertmanager may add are ignored."""

    model_config = ConfigDict(frozen=True)

    version: Literal["4"]
    alerts: tuple[Alert, ...]


def line(alert: Alert, wall: float) -> dict[str, Any]:
    """The record of one alert received at `wall` (unix seconds)."""
    return {
        "wall": wall,
        "status": alert.status,
        "name": alert.labels.get("alertname", ""),
        "severity": alert.labels.get("severity", ""),
        "labels": alert.labels,
        "annotations": alert.annotations,
        "startsAt": alert.startsAt,
        "endsAt": alert.endsAt,
    }


def write(out: BinaryIO, records: Iterable[dict[str, Any]]) -> None:
    """Append whole lines and flush, so that a reader never waits for the next alert."""
    out.write(b"".join(orjson.dumps(record) + b"\n" for record in records))
    out.flush()


def receiver(out: BinaryIO, *, wall: Callable[[], float]) -> FastAPI:
    """The application; anything but a version 4 message is refused with 422, which Alertmanager logs."""
    app = FastAPI(title="refplatform receiver", docs_url=None, redoc_url=None)

    @app.post("/alerts")
    async def alerts(notification: Annotated[Notification, "body"]) -> dict[str, int]:
        now = wall()
        write(out, (line(alert, now) for alert in notification.alerts))
        return {"received": len(notification.alerts)}

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "alive"}

    return app
