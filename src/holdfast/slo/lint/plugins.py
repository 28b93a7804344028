"""Sloth's chains of plugins, which native rules pass over: what each of them would have made is told, at its place.

Chains: Sloth, pkg/prometheus/plugin/slo/v1. `slo generate --compat sloth` plays those that ship with Sloth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from holdfast.errors import SpecError
from holdfast.slo.lint import place as lint_place
from holdfast.slo.lint.place import Place
from holdfast.slo.lint.remark import Remark
from holdfast.spec.source import read_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from holdfast.slo.lint.remark import Severity
    from holdfast.spec.source import Path, Source

_NAMES: Final = ("slo_plugins", "sloPlugins")
_ELSEWHERE: Final = "holdfast slo generate --compat sloth has it"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Passed:
    """What is missed, or not, where a plugin is passed over."""

    severity: Severity
    hint: str


KNOWN: Final[Mapping[str, _Passed | None]] = {
    "sloth.dev/core/validate/v1": None,
    "sloth.dev/core/noop/v1": None,
    "sloth.dev/core/debug/v1": None,
    "sloth.dev/core/metadata_rules/v1": None,
    "sloth.dev/core/alert_rules/v1": None,
    "sloth.dev/core/sli_rules/v1": _Passed(
        severity="info", hint="native rules always weigh the period by events, as disableOptimized does"
    ),
    "sloth.dev/contrib/denominator_corrected_rules/v1": _Passed(
        severity="warning", hint="x-holdfast: least-bad is what keeps few events from paging here"
    ),
    "sloth.dev/contrib/error_budget_exhausted_alert/v1": _Passed(
        severity="warning",
        hint="write the alert yourself: slo:period_error_budget_remaining:ratio <= 0",
    ),
    "sloth.dev/contrib/info_labels/v1": _Passed(
        severity="warning", hint="put them into labels: of the SLO; native rules bear renamed ones"
    ),
    "sloth.dev/contrib/remove_labels/v1": _Passed(
        severity="info", hint="native rules keep user labels off every series that is summed over time"
    ),
    "sloth.dev/contrib/rule_intervals/v1": _Passed(
        severity="warning", hint="set evaluation_interval of the server; a record wants one of a minute or less"
    ),
    "sloth.dev/contrib/validate_victoria_metrics/v1": None,
}
"""By id; None where nothing is missed. What Sloth does not ship is Go code, and nobody can tell what it makes."""
_UNKNOWN: Final = _Passed(severity="warning", hint="it is Go code that only sloth runs: what it makes is not there")


def of_plugins(texts: Mapping[str, str]) -> Iterator[Remark]:
    """Every plugin of files by name that does something which native rules do not have."""
    for file, text in texts.items():
        try:
            sources = read_all(text, file, [])
        except SpecError:
            continue
        for source in sources:
            yield from _of_source(source)


def _of_source(source: Source) -> Iterator[Remark]:
    tree = source.tree if isinstance(source.tree, dict) else {}
    root: Path = ("spec",) if isinstance(tree.get("spec"), dict) else ()
    whole = tree["spec"] if root else tree
    slos = whole.get("slos")
    if not isinstance(slos, list):
        return
    chains = [((*root, name), whole.get(name)) for name in _NAMES]
    chains += [((*root, "slos", index, "plugins"), _get(one, "plugins")) for index, one in enumerate(slos)]
    for path, found in chains:
        yield from _of_chain(source, path, found)


def _of_chain(source: Source, path: Path, found: Any) -> Iterator[Remark]:
    if _get(found, "overridePrevious") is True:
        what = "native rules are made whatever overridePrevious takes out of Sloth's chain"
        yield _remark(source, (*path, "overridePrevious"), "warning", what, _ELSEWHERE)
    chain = _get(found, "chain")
    for index, one in enumerate(chain if isinstance(chain, list) else ()):
        name = _get(one, "id")
        passed = KNOWN.get(name, _UNKNOWN) if isinstance(name, str) else None
        if passed:
            what = f"native rules pass over the plugin {name}"
            yield _remark(source, (*path, "chain", index, "id"), passed.severity, what, passed.hint, str(name))


def _remark(source: Source, path: Path, severity: Severity, what: str, hint: str, *shown: str) -> Remark:
    within = tuple(map(lint_place.text, shown)) or (lint_place.word(str(path[-1])),)
    where = source.location(path, key=not shown)
    return Remark(code="plugin", severity=severity, what=what, hint=hint, place=Place(where=where, within=within))


def _get(tree: Any, key: str) -> Any:
    return tree.get(key) if isinstance(tree, dict) else None
