"""`slo lint`: reads SLO files, asks what there is, and says what does not fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from holdfast.errors import Problem, SpecError, UsageError
from holdfast.model.slo import DAY
from holdfast.slo import promql
from holdfast.slo.files.read import read_slos
from holdfast.slo.lint import metricsfile
from holdfast.slo.lint.findings import lint, names_read, whole_queries
from holdfast.slo.lint.rules import read_rules, rules_of
from holdfast.slo.lint.server import server
from holdfast.sources.server import Asking, UnansweredError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from holdfast.model.slo import Slo
    from holdfast.slo.lint.metricsfile import Catalog
    from holdfast.slo.lint.remark import Finding
    from holdfast.slo.lint.rules import Rule
    from holdfast.slo.lint.server import Server

_OURS: Final = {"slo/dead-tier"}
"""What is refused elsewhere, and explained here."""
_AT_ONCE: Final = 40
_LOOK_BACK: Final = DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Linted:
    """What was found, in how many SLOs, and what could not be asked of the server."""

    findings: tuple[Finding, ...]
    slos: int
    unasked: tuple[str, ...] = ()

    def count(self, severity: str) -> int:
        """How many findings are of a severity."""
        return sum(one.severity == severity for one in self.findings)


def lint_files(
    files: Sequence[Path],
    *,
    prometheus: str = "",
    token: str = "",
    metrics: Sequence[Path] = (),
    rules: Sequence[Path] = (),
    now: float,
) -> Linted:
    """Lint the SLOs of files against a server or against saved pages of metrics; `now` in Unix seconds.

    `token` is the server's bearer token, where it wants one.

    Raises SpecError for a file that cannot be read, UsageError when there is nothing to hold the SLOs against, and
    UnansweredError when the server does not answer or has nothing.
    """
    if bool(prometheus) == bool(metrics):
        hint = "--prometheus http://127.0.0.1:9090, or --metrics FILE with what a service answers on /metrics"
        raise UsageError("say what to lint against: a server or pages of metrics", hint=hint)
    texts, slos = slos_of(files)
    pages = {str(path): _text(path) for path in metrics}
    others = {str(path): _text(path) for path in rules}
    own = [rule for file, text in others.items() for rule in read_rules(text, file)]
    if prometheus:
        return _against_server(Asking(prometheus, token), slos, {**texts, **others}, own, now)
    catalog = metricsfile.merged([metricsfile.read_metrics(text, file) for file, text in pages.items()])
    return Linted(findings=lint(slos, {**texts, **others}, catalog, now=now, rules=own), slos=len(slos))


def slos_of(files: Sequence[Path]) -> tuple[dict[str, str], list[Slo]]:
    """The texts of SLO files by name, and every SLO in them. Raises SpecError with all problems, or UsageError."""
    if not files:
        raise UsageError("there is no SLO file", hint="name one, or put it into slos/")
    texts = {str(path): _text(path) for path in files}
    slos: list[Slo] = []
    problems: list[Problem] = []
    for file, text in texts.items():
        try:
            found, wrong = read_slos(text, file)
        except SpecError as error:
            problems += error.problems
            continue
        slos += found
        problems += [one for one in wrong if one.code not in _OURS]
    if problems:
        raise SpecError(tuple(problems))
    return texts, slos


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error


def _against_server(
    asking: Asking, slos: Sequence[Slo], texts: Mapping[str, str], own: list[Rule], now: float
) -> Linted:
    catalog = _catalog(asking, names_read(slos), now)
    runtime, config, targets, groups = (
        asking.get(path) for path in ("status/runtimeinfo", "status/config", "targets?state=active", "rules")
    )
    unanswered, answers = _unanswered(asking, slos)
    missing = {
        "retention": runtime,
        "evaluation interval": config,
        "scrape intervals": targets,
        "loaded rules": groups,
        "answers": answers,
    }
    settings = yaml.safe_load((config or {}).get("yaml", "")) or {}
    facts: Server = server(asking.address, runtime or {}, settings, (targets or {}).get("activeTargets", ()))
    loaded = rules_of((groups or {}).get("groups", ()), asking.address)
    written = {(rule.record, rule.alert) for rule in own}
    rules = [*own, *(rule for rule in loaded if (rule.record, rule.alert) not in written)]
    findings = lint(slos, texts, catalog, now=now, server=facts, rules=rules, unanswered=unanswered)
    unasked = tuple(what for what, answer in missing.items() if answer is None)
    return Linted(findings=findings, slos=len(slos), unasked=unasked)


def _unanswered(asking: Asking, slos: Sequence[Slo]) -> tuple[frozenset[str], bool | None]:
    """The queries that gave nothing for an hour; and whether they could be asked, None where they could not."""
    found = set()
    for query in dict.fromkeys(query for slo in slos for query in whole_queries(slo)):
        now = f"(\n{promql.WINDOW.sub('5m', query)}\n)"
        lately = f"count(present_over_time({now}[1h:1m])) or count({now})"
        try:
            answer = asking.get("query", ("query", lately))
        except UnansweredError:
            answer = None
        if answer is None:
            return frozenset(), None
        found |= set() if answer.get("result") else {query}
    return frozenset(found), True


def _catalog(asking: Asking, wanted: Sequence[str], now: float) -> Catalog:
    names = asking.get("label/__name__/values") or []
    if not names:
        raise UnansweredError(f"{asking.address} has no series at all", hint="has it scraped anything yet?")
    there = sorted(set(wanted) & set(names))
    span = ("start", f"{now - _LOOK_BACK:.0f}"), ("end", f"{now + 1:.0f}")
    found: list[Any] = []
    for some in _chunks(there):
        matches = [("match[]", f'{{__name__="{name}"}}') for name in some]
        found += asking.get("series", *matches, *span) or []
    return metricsfile.from_server(asking.address, names, found, asking.get("metadata") or {})


def _chunks(names: Sequence[str]) -> Iterable[Sequence[str]]:
    return (names[at : at + _AT_ONCE] for at in range(0, len(names), _AT_ONCE))
