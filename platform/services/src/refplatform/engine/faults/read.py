"""What is asked of the admin door, read with all its problems at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from refplatform.engine.faults.fault import AnswerFault, Fault
from refplatform.engine.faults.pick import Pick

if TYPE_CHECKING:
    from collections.abc import Mapping

M = TypeVar("M", bound=BaseModel)

IDENTITY: Final = "^[0-9A-Za-z]{1,64}$"
"""By which whoever begins a fault may want to find it again, from another process."""
LONGEST_LEASE: Final = 30.0
"""Seconds; who wants more must come back and renew."""


class BadFaultError(Exception):
    """What was asked cannot be done; says everything that is wrong with it."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Lease(BaseModel):
    """For how long a fault lasts unless it is renewed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    lease: float = Field(gt=0, le=LONGEST_LEASE)


class Wish(Lease):
    """A fault to be begun."""

    fault: str
    id: str | None = Field(None, pattern=IDENTITY)
    parameters: dict[str, Any] = {}
    pick: dict[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """The same when nothing is wrong with it."""

    name: str
    fault: Fault
    pick: Pick
    lease: float
    identity: str | None = None


def read_begin(raw: bytes, kinds: Mapping[str, type[Fault]], context: Mapping[str, object]) -> Begin:
    """The fault of a body. Raises BadFaultError."""
    asked, problems = _object(raw), list[str]()
    wish = _read(Wish, asked, problems, "")
    parameters, pick, name = (asked.get(key) for key in ("parameters", "pick", "fault"))
    kind = kinds.get(name) if isinstance(name, str) else None
    if kind is None and isinstance(name, str):
        problems.append(f"fault: there is no {name!r}; there are {', '.join(kinds)}")
    fault = _read(kind, parameters or {}, problems, "parameters.", dict(context)) if kind else None
    chosen = _read(Pick, pick or {}, problems, "pick.")
    if pick and kind and not issubclass(kind, AnswerFault):
        problems.append(f"pick: {name} touches the whole engine, not single answers")
    if problems or wish is None or fault is None or chosen is None:
        raise BadFaultError(*dict.fromkeys(problems))
    return Begin(name=wish.fault, fault=fault, pick=chosen, lease=wish.lease, identity=wish.id)


def read_lease(raw: bytes) -> float:
    """The seconds of a body that renews. Raises BadFaultError."""
    problems: list[str] = []
    lease = _read(Lease, _object(raw), problems, "")
    if lease is None:
        raise BadFaultError(*problems)
    return lease.lease


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadFaultError(f"this is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadFaultError("expected a JSON object")
    return value


def _read(
    shape: type[M], value: object, problems: list[str], place: str, context: dict[str, Any] | None = None
) -> M | None:
    try:
        return shape.model_validate(value, context=context)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_context=False, include_input=False):
            where = (place + ".".join(map(str, one["loc"]))).strip(".") or "body"
            problems.append(f"{where}: {one['msg'].removeprefix('Value error, ')}")
        return None
