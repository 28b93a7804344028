"""A run of ours as another project's report: its facts from the run folder, its latencies by one tool's definitions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from holdfast.definitions.llmd import Facts, benchmark_report
from holdfast.definitions.summary import summarize
from holdfast.definitions.tools import find
from holdfast.errors import UsageError
from holdfast.loadtest.exchange import Seen, judged_in
from holdfast.store.reading import read_manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from holdfast.definitions.base import Tool
    from holdfast.model.stream import Stream

DEFINITIONS: Final = "inference-perf"
"""llm-d's own harness: who reads the report compares with that."""


def llm_d_report(folder: Path, definitions: str = DEFINITIONS) -> dict[str, Any]:
    """The benchmark report of one run folder.

    Raises UsageError for a folder that is no run, a tool that is not known, and a record that says nothing.
    """
    tool, manifest = find(definitions), read_manifest(folder)
    seen, lengths = Seen(), _Lengths(tool)
    summary = summarize(definitions, tool, lengths.of(judged_in(folder, seen)))
    if seen.trouble():
        raise UsageError(f"{folder}: {seen.trouble()}", hint="there is nothing to report")
    return benchmark_report(_facts(folder.resolve().name, manifest, lengths), summary)


@dataclass(slots=True)
class _Lengths:
    """What a report wants to know of requests besides their latencies, noted as they pass."""

    tool: Tool
    prompts: list[int] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    total: int = 0
    first: float = 0.0
    last: float = 0.0
    end: float = 0.0

    def of(self, streams: Iterable[Stream]) -> Iterator[Stream]:
        for stream in streams:
            self._note(stream)
            yield stream

    def _note(self, stream: Stream) -> None:
        self.first = stream.due if not self.total else min(self.first, stream.due)
        self.last = max(self.last, stream.due)
        self.end = max(self.end, stream.due if stream.ended is None else stream.ended)
        self.total += 1
        sample = self.tool.sample(stream)
        if sample is None or sample.failed:
            return
        self.answers.append(sample.tokens)
        if stream.prompt_tokens is not None:
            self.prompts.append(stream.prompt_tokens)

    @property
    def rate(self) -> float | None:
        """Requests offered per second, between the first and the last one due."""
        return (self.total - 1) / (self.last - self.first) if self.last > self.first else None


def _facts(run: str, manifest: Mapping[str, Any], lengths: _Lengths) -> Facts:
    return Facts(
        uid=run,
        description=f"scenario {manifest.get('scenario', 'unknown')}",
        start=_stamp(manifest, lengths.first),
        end=_stamp(manifest, lengths.end),
        seconds=lengths.end - lengths.first,
        tool_version=str(manifest.get("versions", {}).get("holdfast", "unknown")),
        config={key: manifest[key] for key in ("scenario", "seed", "platform", "machine") if key in manifest},
        rate=lengths.rate,
        total=lengths.total,
        prompts=lengths.prompts,
        answers=lengths.answers,
    )


def _stamp(manifest: Mapping[str, Any], second: float) -> str:
    """A second of the run as UTC. Raises UsageError when the manifest does not say when the run was."""
    try:
        wall = float(manifest["zero"]["wall"])
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError("the run's manifest does not say when it was") from error
    return datetime.fromtimestamp(wall + second, UTC).isoformat().replace("+00:00", "Z")
