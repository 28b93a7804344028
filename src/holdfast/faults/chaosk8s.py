"""`chaosk8s`: a function of chaostoolkit-kubernetes, believed only when a probe says something else than before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from holdfast.errors import InfrastructureError, TargetError
from holdfast.faults.base import Fault
from holdfast.faults.base import Options as Base
from holdfast.faults.ways.answers import met
from holdfast.model.fault import Sight, Words
from holdfast.model.hands import Cluster
from holdfast.spec.shapes import Strict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.model.fault import Strike
    from holdfast.model.platform import Driver

_Name = Annotated[str, Field(min_length=1)]
_Within = Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)]


class Range(Strict):
    """A tolerance of two ends, both allowed."""

    type: Literal["range"]
    range: Annotated[list[float], Field(min_length=2, max_length=2)]


class Proof(Strict):
    """A probe, what it is to say, and within how many seconds."""

    probe: _Name
    arguments: dict[str, Any] = Field(default_factory=dict)
    tolerance: bool | int | float | str | Range
    within: _Within = 30.0


class Way(Strict):
    """A function and its arguments."""

    action: _Name
    arguments: dict[str, Any] = Field(default_factory=dict)


class Options(Base):
    """What `holdfast.chaos.kubernetes.act` takes."""

    action: _Name = Field(description="Function that breaks something, by its whole name.")
    arguments: dict[str, Any] = Field(default_factory=dict, description="Its arguments.")
    proof: Proof = Field(description="What a probe says once it is broken, and did not say before.")
    back: Way | None = Field(default=None, description="Function that takes it back; none where controllers do.")
    gone: Proof = Field(description="What a probe says once it is mended, and said before.")


class Chaosk8s(Fault):
    """Named by `act` of `holdfast.chaos.kubernetes` alone, which aims it by uid and looks at both probes before."""

    title: ClassVar = "struck through Kubernetes"
    family: ClassVar = "kubernetes"
    words: ClassVar = Words(
        apply="call {action} on {target}",
        bites="{proof} is so, and was not before",
        undo="call {back}, or leave it to its controller where nothing is named",
        gone="{gone} is so again",
    )
    needs: ClassVar = ("chaostoolkit-kubernetes", "driver kubernetes")
    Options: ClassVar = Options
    bites_within: ClassVar = 30.0
    gone_within: ClassVar = 120.0
    shared: ClassVar = True

    def apply(self, driver: Driver, strike: Strike) -> None:
        """Call it once."""
        wanted = self.read(strike.options)
        driver.hand(Cluster).call(wanted.action, wanted.arguments)

    def bites(self, driver: Driver, strike: Strike) -> Sight:
        """The probe says so."""
        return _patiently(driver, self.read(strike.options).proof)

    def undo(self, driver: Driver, strike: Strike) -> None:
        """What is not there any more is taken back already."""
        if back := self.read(strike.options).back:
            driver.hand(Cluster).call(back.action, back.arguments)

    def gone(self, driver: Driver, strike: Strike) -> Sight:
        """The probe says what it said before."""
        return _patiently(driver, self.read(strike.options).gone)

    def before(self, driver: Driver, strike: Strike) -> None:
        """Raises TargetError when a probe could prove nothing, because it says already what it is to say afterwards."""
        wanted, hand = self.read(strike.options), driver.hand(Cluster)
        for name, proof, due in (("proof", wanted.proof, False), ("gone", wanted.gone, True)):
            sight = met(hand, proof)
            if sight.seen is not due:
                said = "not so" if due else "so already"
                what = f"its {name} is {said} before anything is done ({sight.detail})"
                raise TargetError(f"{what}: it could prove nothing", hint="another probe, or another tolerance")

    def patience(self, options: Mapping[str, Any]) -> float:
        """As its `gone` says."""
        return float(options["gone"].get("within", self.gone_within))

    def places(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Its options as words."""
        wanted = self.read(options)
        back = wanted.back.action if wanted.back else "nothing"
        return {"action": wanted.action, "proof": _said(wanted.proof), "back": back, "gone": _said(wanted.gone)}

    def commands(self, driver: Driver, strike: Strike) -> tuple[str, ...]:  # noqa: ARG002 - nothing is looked up
        """The calls, as Python would write them."""
        wanted = self.read(strike.options)
        ways = [one for one in (wanted, wanted.back) if one]
        return tuple(f"{one.action}({_written(one.arguments)})" for one in ways)


def _patiently(driver: Driver, proof: Proof) -> Sight:
    """A server that does not answer now may do so at the next look."""
    try:
        return met(driver.hand(Cluster), proof)
    except InfrastructureError as error:
        return Sight(False, str(error))


def _said(proof: Proof) -> str:
    wanted = proof.tolerance.range if isinstance(proof.tolerance, Range) else proof.tolerance
    return f"{proof.probe} says {wanted}"


def _written(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())


FAULT = Chaosk8s()
