"""SLO files as Sloth takes them, read strictly: each document becomes what its rules are made from.

Sloth cuts a file at lines that begin with `---`, drops comments at the start of a line and blanks around a document
before it reads YAML. That decides how a block of text at the end of a document ends, so the same is done here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from holdfast.model.slo import DAY
from holdfast.slo.compat import go
from holdfast.slo.compat.chain import Link
from holdfast.slo.compat.rules import Alert, Request, Windows
from holdfast.slo.files import sloth
from holdfast.spec.shapes import shaped
from holdfast.spec.source import did_you_mean, read_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from holdfast.errors import Problem
    from holdfast.model.slo import Tier
    from holdfast.slo.compat.plugins import Step
    from holdfast.slo.files import kubernetes, openslo_alpha
    from holdfast.spec.source import Path, Source

_COMMENT: Final = re.compile(r"\n#.*")
_CUT: Final = "\n---"
_FAMILY: Final = "slo"
_PLUGINS: Final = "plugins of your own are Go code, which only sloth runs; Sloth's own: "
_BAD_SHARE: Final = "\n  1 - (\n    (\n      {}\n    )\n    /\n    (\n      {}\n    )\n  )\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says of all SLOs: the tiers of each period, the period used, labels added, a version."""

    tiers: Mapping[float, tuple[Tier, ...]]
    period: float
    labels: Mapping[str, str]
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chained:
    """One SLO and the steps that make its rules; `alone` leaves Sloth's own four out."""

    request: Request
    links: tuple[Link, ...] = ()
    alone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document: its SLOs, and for a Kubernetes object what it is called there."""

    slos: tuple[Chained, ...]
    metadata: kubernetes.Metadata | None = None


def read_documents(text: str, file: str, options: Options) -> tuple[list[Document], list[Problem]]:
    """Every document of a file, and every problem. Raises SpecError for what is not YAML."""
    problems: list[Problem] = []
    documents: list[Document] = []
    seen: set[str] = set()
    for source in (source for part in _parts(text) for source in read_all(part, file, problems)):
        reader = _Reader(source=source, options=options, problems=problems)
        found = reader.document()
        reader.doubts()
        for index, one in enumerate(found.slos if found else ()):
            reader.once(one.request.id, index, seen)
        documents += [found] if found else []
    return documents, problems


def _parts(text: str) -> Iterator[str]:
    """The documents as Sloth cuts them, each on the lines where it stood."""
    lines = -1  # the line break added here is not in the file
    for part in _COMMENT.sub("\n", "\n" + text.rstrip()).split(_CUT):
        if body := part.strip():
            yield "\n" * (lines + part.count("\n", 0, part.index(body[0]))) + body
        lines += part.count("\n") + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Reads one document, and notes what is wrong with it."""

    source: Source
    options: Options
    problems: list[Problem]

    def document(self) -> Document | None:
        tree = self.source.tree if isinstance(self.source.tree, dict) else {}
        if "version" in tree:
            return self._sloth()
        kind = (tree.get("apiVersion"), tree.get("kind"))
        if kind == ("sloth.slok.dev/v1", "PrometheusServiceLevel"):
            return self._kubernetes()
        if kind == ("openslo/v1alpha", "SLO"):
            return self._openslo()
        what = "not a format that Sloth reads"
        self._problem((), what, "prometheus/v1, sloth.slok.dev/v1 or openslo/v1alpha", code="format")
        return None

    def doubts(self) -> None:
        """What Sloth's YAML reads as something else: `yes` is true there, and 0x1F is 31."""
        for path, what in self.source.doubts:
            self._problem(path, f"Sloth's YAML reads {what} as something else", "put it in quotes", code="yaml")

    def once(self, name: str, index: int, seen: set[str]) -> None:
        if name in seen:
            path: Path = ("spec",) if "spec" in self.source.tree else ()
            self._problem((*path, "slos", index), f"duplicate SLO {name!r}", "rename one of them", code="duplicate")
        seen.add(name)

    def _problem(self, path: Path, what: str, hint: str, *, code: str, key: bool = False) -> None:
        self.problems.append(self.source.problem(path, what, hint=hint, key=key, code=f"{_FAMILY}/{code}"))

    def _shaped(self, shape: type[Any]) -> Any:
        whole, wrong = shaped(shape, self.source, family=_FAMILY)
        self.problems.extend(wrong)
        return whole

    def _sloth(self) -> Document | None:
        whole: sloth.File | None = self._shaped(sloth.File)
        if whole is None:
            return None
        about = self._about("cli-gen-prom", sloth.VERSION)
        return Document(slos=tuple(self._slos(whole, about, (), "slo_plugins")))

    def _kubernetes(self) -> Document | None:
        from holdfast.slo.files import kubernetes  # noqa: PLC0415 - imported where it is needed

        whole: kubernetes.Resource | None = self._shaped(kubernetes.Resource)
        if whole is None:
            return None
        about = self._about("cli-gen-k8s", kubernetes.VERSION)
        return Document(slos=tuple(self._slos(whole.spec, about, ("spec",), "sloPlugins")), metadata=whole.metadata)

    def _openslo(self) -> Document | None:
        from holdfast.slo.files import openslo_alpha  # noqa: PLC0415 - imported where it is needed

        whole: openslo_alpha.File | None = self._shaped(openslo_alpha.File)
        if whole is None:
            return None
        days = whole.spec.windows[0].count * DAY if whole.spec.windows else self.options.period
        windows = self._windows(days, ("spec", "timeWindows"))
        if windows is None:
            return None
        about = self._about("cli-gen-openslo", "openslo/v1alpha")
        count = range(len(whole.spec.objectives))
        requests = [_objective(whole, index, about, windows, self.options.labels) for index in count]
        return Document(slos=tuple(Chained(request=request) for request in requests))

    def _about(self, mode: str, spec: str) -> dict[str, str]:
        return {"sloth_version": self.options.version, "sloth_mode": mode, "sloth_spec": spec}

    def _slos(
        self, group: sloth.File | kubernetes.Spec, about: Mapping[str, str], path: Path, key: str
    ) -> Iterator[Chained]:
        windows = self._windows(self.options.period)
        common = self._links(group.slo_plugins, (*path, key))
        for index, slo in enumerate(group.slos):
            here = (*path, "slos", index)
            links = [*self._links(slo.plugins, (*here, "plugins"))]
            if not slo.plugins.override_previous:
                links = [*common, *links]
            alone = group.slo_plugins.override_previous or slo.plugins.override_previous
            if slo.sli.plugin:
                self._problem((*here, "sli", "plugin"), "a plugin makes this SLI", f"{_PLUGINS}none", code="plugin")
            elif windows:
                request = _request(group, slo, about, windows, self.options.labels)
                self._check(request, links, here, alone=alone)
                yield Chained(request=request, links=tuple(link for link, _ in links), alone=alone)

    def _windows(self, period: float, path: Path = ()) -> Windows | None:
        if period in self.options.tiers:
            return Windows(period=period, tiers=self.options.tiers[period])
        known = ", ".join(map(go.duration, sorted(self.options.tiers)))
        what = f"no alert windows for a period of {go.duration(period)}"
        self._problem(path, what, f"known: {known}; --windows names a folder of others", code="period")
        return None

    def _links(self, plugins: sloth.Plugins, path: Path) -> list[tuple[Link, Path]]:
        if not plugins.chain:
            return []
        from holdfast.slo.compat.plugins import STEPS  # noqa: PLC0415 - imported where it is needed

        found = [(index, use, STEPS.get(use.id)) for index, use in enumerate(plugins.chain)]
        for index, use, kind in found:
            if kind is None:
                hint = did_you_mean(use.id, STEPS)
                self._problem(
                    (*path, "chain", index, "id"),
                    f"no plugin of Sloth's own: {use.id}",
                    f"{_PLUGINS}{hint}",
                    code="plugin",
                )
        return [
            (Link(step=step, priority=use.priority), (*path, "chain", index))
            for index, use, kind in found
            if kind is not None and (step := self._step(kind, use, (*path, "chain", index)))
        ]

    def _step(self, kind: type[Step], use: sloth.PluginUse, path: Path) -> Step | None:
        if use.config is not None:
            step, wrong = shaped(kind, self.source, (*path, "config"), family=_FAMILY)
            self.problems.extend(wrong)
            return step
        try:
            return kind()
        except ValidationError as error:
            missing = ", ".join(str(detail["loc"][0]) for detail in error.errors())
            self._problem((*path, "id"), f"{use.id} needs settings: {missing}", "config:", code="plugin")
            return None

    def _check(self, request: Request, links: list[tuple[Link, Path]], here: Path, *, alone: bool) -> None:
        """What only shows once the whole SLO and its chain are known."""
        if request.error_query and request.error_query == request.total_query:
            self._problem((*here, "sli"), "all events are errors: the queries are the same", "", code="sli")
        if alone and not links:
            self._problem(here, "overridePrevious leaves no plugin at all", "name them in chain:", code="plugins")
        if request.windows.shortest == request.windows.period:
            self._problem(
                here, "the shortest window is the whole period", "give page.quick a shorter one", code="period"
            )
        for link, path in links:
            if refusal := link.step.refusal(request):
                self._problem(path, refusal, "", code="plugin")


def _request(
    group: sloth.File | kubernetes.Spec,
    slo: sloth.BareSlo,
    about: Mapping[str, str],
    windows: Windows,
    labels: Mapping[str, str],
) -> Request:
    events, raw, alerting = slo.sli.events, slo.sli.raw, slo.alerting
    return Request(
        service=group.service,
        name=slo.name,
        objective=slo.objective,
        error_query=events.error_query if events else "",
        total_query=events.total_query if events else "",
        ratio_query=raw.error_ratio_query if raw else "",
        windows=windows,
        labels={**group.labels, **slo.labels, **labels},
        page=_alert(alerting, alerting.page_alert),
        ticket=_alert(alerting, alerting.ticket_alert),
        about=about,
    )


def _objective(
    whole: openslo_alpha.File, index: int, about: Mapping[str, str], windows: Windows, labels: Mapping[str, str]
) -> Request:
    objective = whole.spec.objectives[index]
    good, total = objective.ratio.good.query, objective.ratio.total.query
    return Request(
        service=whole.spec.service,
        name=f"{whole.metadata.name}-{index}",
        objective=objective.target * 100,
        ratio_query=_BAD_SHARE.format(good, total),
        windows=windows,
        labels=labels,
        about=about,
    )


def _alert(both: sloth.AlertingShape, alert: sloth.AlertShape) -> Alert | None:
    if alert.disable:
        return None
    labels, annotations = {**both.labels, **alert.labels}, {**both.annotations, **alert.annotations}
    return Alert(name=both.name, labels=labels, annotations=annotations)
