"""promtool, Prometheus' own judge of rule files and of their tests."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.errors import InfrastructureError
from holdfast.platforms.tools import cache_folder, locate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from holdfast.platforms.tools import Program

WITHIN: Final = 120.0
"""Seconds that one file may take: a month of evaluations takes two, on a busy machine ten."""
_FAILED: Final = re.compile(
    r'expr: (?P<expr>"(?:\\.|[^"\\])*"), time: (?P<at>\S+),\s*\n\s*exp:(?P<wanted>.*?)\n\s*got:(?P<got>.*?)'
    r"(?=\n\s*expr: |\n\s*\n|\Z)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """One expectation that did not hold; `case` is the comment that its expression begins with."""

    case: str
    at: str
    expr: str
    wanted: str
    got: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What promtool said of a file; it may fail in ways of its own, and then only `text` says how."""

    good: bool
    text: str
    failed: tuple[Failed, ...] = ()


@dataclass(frozen=True, slots=True)
class Promtool:
    """One promtool, and how it is started."""

    program: Program
    within: float = WITHIN

    def check(self, rule_file: Path) -> Answer:
        """Whether Prometheus would load a rule file. Raises InfrastructureError when promtool does not end."""
        return self._run("check", rule_file)

    def test(self, test_file: Path) -> Answer:
        """Run a file of tests; its rule files lie beside it. Raises InfrastructureError when promtool does not end."""
        return self._run("test", test_file)

    def _run(self, verb: str, file: Path) -> Answer:
        try:
            done = subprocess.run(
                [self.program.path, verb, "rules", file],
                capture_output=True,
                stdin=subprocess.DEVNULL,
                text=True,
                errors="replace",
                timeout=self.within,
                check=False,
                env={**os.environ, **self.program.environment},
            )
        except subprocess.TimeoutExpired as error:
            raise InfrastructureError(f"promtool {verb} rules {file} did not end within {self.within:g} s") from error
        text = done.stdout + done.stderr
        # A tool that was killed, or that ends well without a word, has proved nothing.
        good = done.returncode == 0 and "SUCCESS" in text
        return Answer(good=good, text=text.strip(), failed=() if good else failures_in(text))


def find(environ: Mapping[str, str]) -> Promtool:
    """The promtool of this machine. Raises InfrastructureError, with how to get it, when there is none."""
    found = locate(["promtool"], path=environ.get("PATH", ""), cache=cache_folder(environ))
    return Promtool(found["promtool"])


def failures_in(text: str) -> tuple[Failed, ...]:
    """Every expectation that promtool says did not hold."""
    return tuple(_failed(one) for one in _FAILED.finditer(text))


def _failed(found: re.Match[str]) -> Failed:
    try:
        expr = str(json.loads(found["expr"]))
    except ValueError:
        expr = found["expr"]
    comment, newline, rest = expr.partition("\n")
    case, expr = (comment[1:].strip(), rest) if newline and comment.startswith("#") else ("", expr)
    wanted, got = (" ".join(found[name].split()) for name in ("wanted", "got"))
    return Failed(case=case, at=found["at"], expr=expr, wanted=wanted, got=got)
