"""What promtool finds for PromQL over written-out series: the answers that our evaluator must equal."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import yaml

from holdfast.errors import InfrastructureError
from holdfast.platforms.tools import cache_folder, locate
from promtool_three import promtool_three

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    Samples = dict[frozenset[tuple[str, str]], float]

REFUSED = "refused"
_ASKED = re.compile(r'^ +expr: (?P<expr>".*"), time: (?P<time>\w+),(?P<error> err: .*)?$')
_GOT = re.compile(r"^ +got: (.*)$")
_SAMPLE = re.compile(r"\{([^{}]*)\} (\S+?)(?:, (?=\{)|$)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, kw_only=True)
class Play:
    """Series by name with promtool's notation of their values, one a minute; and questions as (PromQL, seconds)."""

    series: Mapping[str, str]
    questions: tuple[tuple[str, int], ...]


def promtool_says(
    plays: Iterable[Play], folder: Path, rules: str = "", interval: str = "1m", prometheus: int = 2
) -> list[Samples | str]:
    """One answer for each question of each play, in order; REFUSED where it is an error. Skips without promtool."""
    program, environment = tool(prometheus)
    groups = [group["name"] for group in yaml.safe_load(rules or "groups: []")["groups"]]
    files = [f"play-{number}.yaml" for number, _ in enumerate(plays)]
    (folder / "rules.yaml").write_text(rules or "groups: []\n", encoding="utf-8")
    for file, play in zip(files, plays, strict=True):
        (folder / file).write_text(_document(play, interval, groups), encoding="utf-8")
    done = subprocess.run(
        [program, "test", "rules", *files],
        cwd=folder,
        stdout=subprocess.PIPE,  # failures go to one stream, the files' names to the other: joined, they are in order
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    # Every file fails, in order: since 3 nothing else parts them.
    said = dict(zip(files, re.split(r"^ +FAILED:$", done.stdout, flags=re.MULTILINE)[1:], strict=True))
    answers = []
    for file, play in zip(files, plays, strict=True):
        found = _answers(said[file])
        answers += [found[question] for question in play.questions]
    return answers


def tool(prometheus: int) -> tuple[Path, Mapping[str, str]]:
    """The promtool of a major version and what its environment needs; skips the test where there is none."""
    if prometheus == 3:
        return promtool_three(), {}
    try:
        found = locate(["promtool"], path=os.environ["PATH"], cache=cache_folder(os.environ))["promtool"]
    except InfrastructureError as error:
        pytest.skip(str(error))
    return found.path, found.environment


def _document(play: Play, interval: str, groups: list[str]) -> str:
    # Nothing has this label, so that every answer differs from the expected one and is printed.
    never = [{"labels": '{nobody="expects this"}', "value": 0}]
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in play.series.items()],
        "promql_expr_test": [
            {"expr": query, "eval_time": f"{seconds}s", "exp_samples": never} for query, seconds in play.questions
        ],
    }
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": interval, "tests": [test]}
    # Without it, groups are evaluated in an order that differs from run to run.
    document["group_eval_order"] = groups
    return yaml.safe_dump(document, sort_keys=False, width=10_000)


def _answers(text: str) -> dict[tuple[str, int], Samples | str]:
    found: dict[tuple[str, int], Samples | str] = {}
    asked = None
    for line in text.splitlines():
        if match := _ASKED.match(line):
            asked = (yaml.safe_load(match["expr"]), _seconds(match["time"]))
            if match["error"]:
                found[asked] = REFUSED
        elif asked and (match := _GOT.match(line)):
            found[asked] = {
                frozenset(_LABEL.findall(labels)): float(value) for labels, value in _SAMPLE.findall(match[1])
            }
    return found


def _seconds(text: str) -> int:
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1, "w": 604800}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([wdhms])", text))
