"""From a capacity to a plan: how many replicas a wanted rate needs when some fail, GPUs, and what tokens cost."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from holdfast.errors import SpecError
from holdfast.spec.shapes import FieldError, Strict, shaped
from holdfast.spec.source import read

if TYPE_CHECKING:
    from holdfast.capacity.curve import Estimate

_HOUR = 3600.0
_MILLION = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What hardware costs: `gpu_hour` in `currency`, and how many GPUs one replica takes."""

    gpu_hour: float
    currency: str
    gpus_per_replica: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Replicas for a rate: `usual` by the estimate, `least` and `most` by the ends of its interval, spares included."""

    wanted: float
    spare: int
    each: Estimate
    least: int
    usual: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the usual number of replicas costs; `per_million` answer tokens at the wanted rate, None without tokens."""

    gpus: float
    per_hour: float
    per_million: float | None
    currency: str


def _positive(value: float) -> float:
    if not (math.isfinite(value) and value > 0):
        raise FieldError(f"expected more than zero, got {value:g}", "a price of nothing plans nothing")
    return value


def _number(value: object) -> object:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


class PricesShape(Strict):
    """A price file as it is written."""

    gpu_hour: Annotated[float | int, AfterValidator(_number), AfterValidator(_positive)] = Field(alias="gpu-hour")
    currency: str = "EUR"
    gpus_per_replica: Annotated[float | int, AfterValidator(_number), AfterValidator(_positive)] = Field(
        default=1.0, alias="gpus-per-replica"
    )


def read_prices(text: str, file: str) -> Prices:
    """The prices in a YAML text. Raises SpecError with every problem and its place."""
    source = read(text, file)
    shape, problems = shaped(PricesShape, source)
    if problems or shape is None:
        raise SpecError(tuple(problems))
    return Prices(
        gpu_hour=float(shape.gpu_hour),
        currency=shape.currency,
        gpus_per_replica=float(shape.gpus_per_replica),
    )


def need(wanted: float, whole: Estimate, replicas: int, *, spare: int = 1, fewer: Estimate | None = None) -> Need:
    """How many replicas bear `wanted` requests per second when `spare` of them are gone.

    One replica bears a share of what `replicas` of them bore. Where a search with `spare` missing was made as well, and
    found less for each of those that were left, that counts: the survivors also carry what the failure itself costs.

    Raises:
        ValueError: no replica, a wanted rate that is not positive, or as many spares as there were replicas.
    """
    if replicas < 1 or not wanted > 0 or spare < 0 or (fewer and spare >= replicas):
        raise ValueError(f"{wanted:g}/s on {replicas} replicas with {spare} to spare cannot be planned")
    each = _share(whole, replicas)
    if fewer is not None:
        left = _share(fewer, replicas - spare)
        each = left if left.rate < each.rate else each
    counts = [math.ceil(wanted / rate - 1e-9) + spare for rate in (each.high, each.rate, each.low)]
    return Need(wanted=wanted, spare=spare, each=each, least=counts[0], usual=counts[1], most=counts[2])


def _share(whole: Estimate, replicas: int) -> Estimate:
    return replace(whole, rate=whole.rate / replicas, low=whole.low / replicas, high=whole.high / replicas)


def cost(found: Need, prices: Prices, tokens: float | None) -> Cost:
    """What `found.usual` replicas cost; `tokens` is the mean answer of a request."""
    gpus = found.usual * prices.gpus_per_replica
    hourly = gpus * prices.gpu_hour
    made = found.wanted * tokens * _HOUR if tokens else 0.0
    return Cost(
        gpus=gpus,
        per_hour=hourly,
        per_million=hourly / made * _MILLION if made > 0 else None,
        currency=prices.currency,
    )
