"""A scenario as it is written: the shape of the file, and what can be read of one with problems."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from holdfast.spec.shapes import Duration, FieldError, Ratio, Strict

if TYPE_CHECKING:
    from holdfast.spec.source import Source

_SHORTEST: Final = 1.0
_LEAST_CONFIDENCE: Final = 0.8
MOST_TRIALS: Final = 1000
_NAME: Final = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]*")


def _long_enough(seconds: float) -> float:
    if seconds < _SHORTEST:
        raise FieldError("a phase lasts at least 1s", "Prometheus is scraped once a second")
    return seconds


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise FieldError(f"not a name: {value!r}", "letters, digits, and - _ . after the first; run folders bear it")
    return value


def _confident(share: float) -> float:
    if not _LEAST_CONFIDENCE <= share < 1:
        raise FieldError("a confidence lies between 80% and 100%", "95% is wrong once in twenty, 99% once in a hundred")
    return share


class _Metadata(Strict):
    name: Annotated[str, AfterValidator(_name)]
    title: str
    labels: dict[str, str] = Field(default_factory=dict)


class _Phase(Strict):
    name: str
    length: Annotated[Duration, AfterValidator(_long_enough)] = Field(alias="for")
    judged: bool = True
    chaos: str | None = None


def _times(number: int) -> int:
    if not 1 <= number <= MOST_TRIALS:
        raise FieldError(f"a scenario is repeated 1 to {MOST_TRIALS} times", "each time is a whole run")
    return number


def _claimed(share: float) -> float:
    if share <= 0:
        raise FieldError("no number of trials proves that a failure is impossible", "10% takes 29 clean trials")
    if share >= 1:
        raise FieldError("fails-at-most: 100% always holds", "it would prove nothing")
    return share


class _Repeat(Strict):
    times: Annotated[int, AfterValidator(_times)]
    fails_at_most: Annotated[Ratio, AfterValidator(_claimed)] | None = Field(default=None, alias="fails-at-most")


def _repeated(value: object) -> object:
    """A bare number says how many times."""
    return {"times": value} if isinstance(value, int) and not isinstance(value, bool) else value


_LONGEST_BACK: Final = 60.0


def _recent(seconds: float) -> float:
    if not _SHORTEST <= seconds <= _LONGEST_BACK:
        raise FieldError("a halt looks back 1s to 60s", "it is there to be quick")
    return seconds


class _Halt(Strict):
    slo: str
    burn: float = Field(gt=0, allow_inf_nan=False)
    over: Annotated[Duration, AfterValidator(_recent)] = 10.0


class ScenarioShape(Strict):
    """A scenario file as it is written."""

    api_version: Literal["holdfast/v1"] = Field(alias="apiVersion")
    kind: Literal["Scenario"]
    metadata: _Metadata
    seed: int = 0
    confidence: Annotated[Ratio, AfterValidator(_confident)] = 0.95
    stop: Literal["end", "early"] = "end"
    repeat: Annotated[_Repeat, BeforeValidator(_repeated, json_schema_input_type=int | _Repeat)] = _Repeat(times=1)
    halt_when: list[_Halt] = Field(default_factory=list, alias="halt-when")
    crew: dict[str, str] = Field(default_factory=dict)
    load: str
    phases: list[_Phase] = Field(min_length=1)
    expect: list[dict[str, Any]] = Field(min_length=1)


def _nothing(asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if asked:
        raise FieldError("load by itself has nothing to expect", "write kind: Scenario")
    return asked


class LoadShape(ScenarioShape):
    """What `load run` keeps in its run folder: load and phases, and nothing asked, so that nothing can pass."""

    kind: Literal["Load"]  # type: ignore[assignment]  # another kind of file, told apart by this very word
    expect: Annotated[list[dict[str, Any]], AfterValidator(_nothing)] = Field(default_factory=list)


def salvaged(source: Source) -> ScenarioShape:
    """What can be read of a scenario with problems, so that whatever else is wrong is found in the same pass."""
    tree = source.tree if isinstance(source.tree, dict) else {}
    phases, expect, load = tree.get("phases"), tree.get("expect"), tree.get("load")
    return ScenarioShape.model_construct(
        load=load if isinstance(load, str) else None,
        phases=[_salvaged_phase(one) for one in phases] if isinstance(phases, list) else [],
        expect=expect if isinstance(expect, list) else [],
    )


def _salvaged_phase(item: object) -> _Phase:
    found = item if isinstance(item, dict) else {}
    name, chaos = found.get("name"), found.get("chaos")
    return _Phase.model_construct(
        name=name if isinstance(name, str) else "",
        length=_SHORTEST,
        judged=found.get("judged") is not False,
        chaos=chaos if isinstance(chaos, str) else None,
    )
