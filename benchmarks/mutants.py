"""Mutants as the tool left them: what was changed, whether a test noticed, and the page that shows it."""

from __future__ import annotations

import io
import json
import re
import tokenize
import tomllib
from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LEAST: Final = 0.95
"""Share of mutants that tests must notice."""

Key = tuple[str, str, str, str]
"""File, function, code before and after: stays the same while other lines move."""

HEAD: Final = """\
# Which changes of the code the tests notice

A test that runs a line does not yet check it. Here a tool changes the code that decides, one small thing at a time:
`<` for `<=`, `+` for `-`, another number, an argument left out. Each changed program is a mutant; it is noticed when a
test fails, or when the tests no longer end. Those that survive are listed, each with the reason why no test fails.
Written by `benchmarks/mutation.py`; do not edit.

Every mutant is run against the tests that reach its function, with {examples} examples of each property. Not made:
mutants of constants outside functions, of properties and of type annotations, which the tool leaves alone. Not counted:
{words} mutants that only change the words of a message.

"""
EXAMPLES: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One changed function and what the tests said of it."""

    file: str
    function: str
    status: str
    diff: str

    @property
    def survived(self) -> bool:
        """Whether no test failed; what could not be run was not noticed either."""
        return self.status not in {"killed", "timeout"} and not self.words_only

    @property
    def words_only(self) -> bool:
        """Whether just a message for people differs: a string with a space in it, or what is raised with an error."""
        if re.match(r"raise \w+\(", self.before):
            return True
        return self.before != self.after and _without_words(self.before) == _without_words(self.after)

    @property
    def before(self) -> str:
        """The lines of the change as they are, in one."""
        return self._lines("-")

    @property
    def after(self) -> str:
        """The lines of the change as the mutant has them, in one."""
        return self._lines("+")

    def _lines(self, sign: str) -> str:
        changed = (text[1:].strip() for text in self.diff.splitlines()[2:] if text.startswith(sign))
        return " ".join(filter(None, changed))

    @property
    def key(self) -> Key:
        """What a reason is filed under."""
        return self.file, self.function, self.before, self.after

    @property
    def where(self) -> str:
        """src/holdfast/judge.py: worst."""
        return f"{self.file}: {self.function}"

    @property
    def change(self) -> str:
        """Both lines of the change."""
        return f"- {self.before}\n+ {self.after}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """The mutants of a file."""

    name: str
    made: int
    killed: int
    timeouts: int
    survived: int

    @property
    def share(self) -> float:
        """Noticed of all; of none it is none."""
        return (self.killed + self.timeouts) / self.made if self.made else 0.0


def _without_words(code: str) -> list[str]:
    found = []
    # A part of a statement need not be whole.
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            said = token.type == tokenize.STRING and " " in token.string
            found.append("words" if said else token.string)
    except tokenize.TokenError:
        pass
    return found


def read_mutants() -> list[Mutant]:
    """Every mutant that the tool made in the current folder."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant  # noqa: PLC0415 - it looks at the folder it starts in
    from mutmut.stats import status_by_exit_code  # noqa: PLC0415

    found = []
    for record in sorted(Path("mutants/src").rglob("*.meta")):
        file = record.relative_to("mutants").with_suffix("").as_posix()
        for name, code in json.loads(record.read_text(encoding="utf-8"))["exit_code_by_key"].items():
            mangled = name.rpartition(".")[2].partition("__mutmut_")[0]
            function = mangled.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
            diff = get_diff_for_mutant(name, path=file)
            found.append(Mutant(file=file, function=function, status=status_by_exit_code[code], diff=diff))
    return found


def read_reasons(path: Path) -> dict[Key, str]:
    """Why some mutants survive, by what they change."""
    listed = tomllib.loads(path.read_text(encoding="utf-8"))["survivor"]
    return {
        (one["file"], one["function"], one["before"], after): one["reason"] for one in listed for after in one["after"]
    }


def totals(mutants: Sequence[Mutant]) -> list[Total]:
    """One for each file, and one for all."""
    counted = [one for one in mutants if not one.words_only]
    files = [_total(file, list(some)) for file, some in groupby(counted, key=lambda one: one.file)]
    return [*files, _total("all", counted)]


def _total(name: str, mutants: Sequence[Mutant]) -> Total:
    states = Counter(one.status for one in mutants)
    return Total(
        name=name,
        made=len(mutants),
        killed=states["killed"],
        timeouts=states["timeout"],
        survived=sum(one.survived for one in mutants),
    )


def line(total: Total) -> str:
    """One row of the table on a terminal."""
    counts = f"{total.made:5} {total.killed:5} {total.timeouts:4} {total.survived:4}"
    return f"{total.name:40} {counts} {total.share:7.1%}"


def page(mutants: Sequence[Mutant], reasons: Mapping[Key, str]) -> str:
    """The whole document, without a date: the same code and tests write the same page."""
    words = sum(one.words_only for one in mutants)
    rows = "".join(
        f"| {one.name} | {one.made} | {one.killed} | {one.timeouts} | {one.survived} | {one.share:.1%} |\n"
        for one in totals(mutants)
    )
    table = f"| file | mutants | killed | never ended | survived | noticed |\n|---|---|---|---|---|---|\n{rows}"
    return HEAD.format(words=words, examples=EXAMPLES) + table + "".join(_survivors(mutants, reasons))


def _survivors(mutants: Sequence[Mutant], reasons: Mapping[Key, str]) -> Iterator[str]:
    for where, some in groupby((one for one in mutants if one.survived), key=lambda one: one.where):
        yield f"\n## {where}\n\n"
        for one in some:
            reason = reasons.get(one.key, "**no reason is known**")
            yield f"- `{one.before}` {f'as `{one.after}`' if one.after else 'left out'}: {reason}\n"
