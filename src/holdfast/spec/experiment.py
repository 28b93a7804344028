"""What of a Chaos Toolkit document is ours: strikes, acts, holds and ways back, their arguments and their places."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from holdfast.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from holdfast.spec.source import Path

MODULE: Final = "holdfast.chaos.activities"
KUBERNETES: Final = "holdfast.chaos.kubernetes"
"""Calls functions of chaostoolkit-kubernetes, and proves what they did."""
_OURS: Final = {MODULE: ("strike", "hold", "restore", "ready"), KUBERNETES: ("act", "hold", "take_back", "look")}
EMBEDDED: Final = "embedded"
SECTIONS: Final = ("method", "rollbacks")
HOW_MANY: Final = ("count", "percent", "names")
"""The three ways to bound what a strike may touch; it says exactly one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One activity of a document; `func` is empty where it is not one of ours."""

    section: str
    index: int
    name: str
    func: str
    arguments: Mapping[str, Any]

    @property
    def path(self) -> Path:
        """Where its arguments stand."""
        return (self.section, self.index, "provider", "arguments")


def calls(document: Mapping[str, Any], *sections: str) -> tuple[Call, ...]:
    """Every action of the method and of the rollbacks (or of those `sections`), in order, `${…}` filled in."""
    known = _configured(document)
    return tuple(call for section in sections or SECTIONS for call in _calls(document, section, known))


def _calls(document: Mapping[str, Any], section: str, known: Mapping[str, Any]) -> Iterator[Call]:
    found = document.get(section)
    for index, one in enumerate(found if isinstance(found, list) else ()):
        if not isinstance(one, dict) or one.get("type") != "action":
            continue
        provider = one.get("provider")
        provider = provider if isinstance(provider, dict) else {}
        func, given = str(provider.get("func", "")), provider.get("arguments")
        yield Call(
            section=section,
            index=index,
            name=str(one.get("name", "")),
            func=func if func in _OURS.get(str(provider.get("module")), ()) else "",
            arguments=_filled(given, known) if isinstance(given, dict) else {},
        )


def driver_of(document: Mapping[str, Any]) -> str:
    """The driver that a document asks for, by its extension `{name: holdfast, driver: NAME}`; else the embedded one."""
    found = document.get("extensions")
    for one in found if isinstance(found, list) else ():
        if isinstance(one, dict) and one.get("name") == "holdfast" and isinstance(one.get("driver"), str):
            return str(one["driver"])
    return EMBEDDED


def providers(document: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """(place, provider) of every activity: probes of the steady state, method, rollbacks; `${…}` filled in."""
    known = _configured(document)
    state = document.get("steady-state-hypothesis")
    probes = state.get("probes") if isinstance(state, dict) else None
    lists: dict[Path, Any] = {
        ("steady-state-hypothesis", "probes"): probes,
        **{(one,): document.get(one) for one in SECTIONS},
    }
    for place, found in lists.items():
        for index, one in enumerate(found if isinstance(found, list) else ()):
            if isinstance(one, dict) and isinstance(provider := one.get("provider"), dict):
                yield (*place, index, "provider"), _filled(provider, known)


def filled(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with each `${name}` that stands alone replaced by what its configuration says of it."""
    known = _configured(document)
    return {key: _filled(value, known) if key in SECTIONS else value for key, value in document.items()}


def _configured(document: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values, and the defaults of those that are looked up when it runs."""
    found = document.get("configuration")
    values = {
        name: value.get("default") if isinstance(value, dict) and "type" in value else value
        for name, value in (found if isinstance(found, dict) else {}).items()
    }
    return {f"${{{name}}}": value for name, value in values.items() if value is not None}


def _filled(value: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(one, known) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, known) for one in value]
    return known.get(value, value) if isinstance(value, str) else value


def lasting(document: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """The same experiment, its faults held for so many seconds. Raises UsageError when it holds more than once."""
    whole = deepcopy(dict(document))
    held = [call for call in calls(whole, "method") if call.func == "hold"]
    if len(held) > 1:
        raise UsageError(f"it holds {len(held)} times: nobody knows which one is meant", hint="edit the file")
    if held:
        whole["method"][held[0].index]["provider"]["arguments"] = {"seconds": seconds}
    else:
        module = MODULE if driver_of(whole) == EMBEDDED else KUBERNETES
        provider = {"type": "python", "module": module, "func": "hold", "arguments": {"seconds": seconds}}
        whole["method"] = [*whole["method"], {"type": "action", "name": "hold", "provider": provider}]
    return whole
