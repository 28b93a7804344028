"""One file of SLOs, in any format and in several documents: each document goes to the reader of its format."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

from holdfast.slo.files import checks, kubernetes, openslo, openslo_alpha, sloth, windows
from holdfast.spec.source import read_all

if TYPE_CHECKING:
    from holdfast.errors import Problem
    from holdfast.model.slo import Slo
    from holdfast.slo.files.openslo_place import Kinds
    from holdfast.spec.source import Source

Format = Literal["sloth", "kubernetes", "openslo", "openslo/v1alpha", "windows", ""]

_SEEN_BY_SLOTH: Final[dict[str, dict[str, re.Pattern[str]]]] = {
    "sloth": {"version": re.compile(r"""version: +['"]?prometheus/v1['"]?\r? *""")},
    "kubernetes": {
        "kind": re.compile(r"""kind: +['"]?PrometheusServiceLevel['"]? *"""),
        "apiVersion": re.compile(r"""apiVersion: +['"]?sloth\.slok\.dev/v1['"]? *"""),
    },
    "openslo/v1alpha": {
        "kind": re.compile(r"""kind: +['"]?SLO['"]? *"""),
        "apiVersion": re.compile(r"""apiVersion: +['"]?openslo/v1alpha['"]? *"""),
    },
}
"""How Sloth tells formats apart: by whole lines of the text, not by the tree."""
_BREAK: Final = re.compile("\r(?!\n)|[\x85\u2028\u2029\ufeff]")


def read_slos(text: str, file: str) -> tuple[list[Slo], list[Problem]]:
    """Every SLO of one file, and every problem with it. Raises SpecError when it is not YAML."""
    problems: list[Problem] = []
    sources = read_all(text, file, problems)
    problems += _odd_text(sources)
    kinds = openslo.kinds_of(source for source in sources if format_of(source.tree) == "openslo")
    found: list[tuple[Slo, Source]] = []
    for source in sources:
        slos, wrong = _read(source, kinds)
        problems += [*wrong, *_told_apart(source), *_doubts(source)]
        found += [(slo, source) for slo in slos]
    problems += checks.duplicates(found)
    return [slo for slo, _ in found], [one if one.code else replace(one, code="slo/yaml") for one in problems]


def named_in(text: str, file: str) -> set[str]:
    """The ids of all SLOs that a file names, readable or not. Raises SpecError when it is not YAML."""
    trees = [source.tree for source in read_all(text, file, []) if isinstance(source.tree, dict)]
    readers = {
        "sloth": sloth.named,
        "kubernetes": kubernetes.named_in,
        "openslo": openslo.named,
        "openslo/v1alpha": openslo_alpha.named,
    }
    known = [(tree, format_of(tree)) for tree in trees]
    return {name for tree, kind in known if kind in readers for name in readers[kind](tree)}


def format_of(tree: Any) -> Format:
    """Which format a document is of; empty for one that no reader here knows."""
    if not isinstance(tree, dict):
        return ""
    version = tree.get("apiVersion")
    if version == kubernetes.VERSION:
        return "windows" if tree.get("kind") == windows.KIND else "kubernetes"
    if version in ("openslo/v1", "openslo/v1alpha"):
        return "openslo" if version == "openslo/v1" else "openslo/v1alpha"
    return "sloth" if "version" in tree else ""


def _read(source: Source, kinds: Kinds) -> tuple[list[Slo], list[Problem]]:
    kind = format_of(source.tree)
    if kind == "openslo":
        return openslo.read(source, kinds)
    if kind == "windows":
        what, hint = "a catalogue of alert windows holds no SLO", "keep it in a folder of its own"
        return [], [source.problem(("kind",), what, hint=hint, code="slo/format")]
    readers = {"sloth": sloth.read, "kubernetes": kubernetes.read, "openslo/v1alpha": openslo_alpha.read}
    if kind in readers:
        return readers[kind](source)
    key = "apiVersion" if isinstance(source.tree, dict) and "apiVersion" in source.tree else ""
    hint = "version: prometheus/v1, or apiVersion: sloth.slok.dev/v1, openslo/v1 or openslo/v1alpha"
    return [], [
        source.problem((key,) if key else (), "not an SLO file of any known format", hint=hint, code="slo/format")
    ]


def _told_apart(source: Source) -> list[Problem]:
    """What is written so that Sloth would not know it for its own format."""
    problems = []
    for key, line in _SEEN_BY_SLOTH.get(format_of(source.tree), {}).items():
        span = source.span((key,), key=True)
        shown = source.text.lines[span.line - 1] + ("\r" if "\r\n" in source.text.whole else "")
        if key in source.tree and not line.fullmatch(shown):
            what, hint = (
                f"Sloth looks for {key} in a line of its own",
                f"write {key}: {source.tree[key]} and nothing else",
            )
            problems.append(source.problem((key,), what, hint=hint, key=True, code="slo/told-apart"))
    return problems


def _doubts(source: Source) -> list[Problem]:
    return [
        source.problem(
            path,
            f"YAML readers differ on {what}",
            hint="text in quotes, numbers without leading zeros, and no tags",
            code="slo/yaml",
        )
        for path, what in source.doubts
    ]


def _odd_text(sources: list[Source]) -> list[Problem]:
    """What Sloth splits otherwise than YAML does: it knows one kind of line, and no directives before a document."""
    if not sources:
        return []
    source, text = sources[0], sources[0].text.whole
    found = [
        ("\ufffd" in text, "the file is not UTF-8", "save it as UTF-8"),
        (text.startswith("%") or "\n%" in text, "a line starts with %", "Sloth knows no directives"),
        (
            _BREAK.search(text),
            "a line break that not all readers know",
            "save it with LF, and without a byte order mark",
        ),
    ]
    return [source.problem((), what, hint=hint, code="slo/yaml") for wrong, what, hint in found if wrong]
