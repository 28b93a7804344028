"""The documents say what the code is: every command, option, kind, check, fault and exit code, and no dead link."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click
import pytest
import yaml

from holdfast import expect, faults, stats
from holdfast.cli import cli
from holdfast.errors import ExitCode
from holdfast.expect.invariant import INVARIANTS
from holdfast.experiments.shapes import SHAPES
from holdfast.load.record import Outcome
from holdfast.model.slo import ClientSli
from holdfast.model.verdict import State
from holdfast.platforms import profile
from holdfast.spec.options import LOCUST_KEYS, OPTIONS
from holdfast.store.load import BEAT_COLUMNS, REQUEST_COLUMNS
from holdfast.testing import a_timeline
from holdfast.trust import checks
from holdfast.units import show_ratio

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
README = ROOT / "README.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "platform").rglob("*.md")])
WIDTH = 100

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_PICTURE = re.compile(r"!\[(?P<words>[^\]]*)\]")


def reference(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def commands(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with its words, groups before what they hold."""
    yield words, command
    context = click.Context(command)
    for name in command.list_commands(context) if isinstance(command, click.Group) else ():
        yield from commands(command.get_command(context, name), (*words, name))


COMMANDS = tuple(commands(cli))


def help_of(words: tuple[str, ...], command: click.Command) -> str:
    context = click.Context(command, info_name=" ".join(("holdfast", *words)), terminal_width=WIDTH)
    context.help_option_names = ["-h", "--help"]
    return command.get_help(context)


def test_the_help_of_every_command_stands_in_the_reference(part):
    blocks = [f"### {' '.join(('holdfast', *words))}\n\n```text\n{help_of(words, one)}\n```" for words, one in COMMANDS]
    part(REFERENCE / "cli.md", "<!-- help -->\n", "<!-- /help -->", "\n" + "\n\n".join(blocks) + "\n\n")


@pytest.mark.parametrize(
    ("words", "command"), COMMANDS, ids=lambda one: " ".join(one) if one and isinstance(one, tuple) else None
)
def test_every_command_and_option_is_in_the_reference(words: tuple[str, ...], command: click.Command):
    page = reference("cli.md")
    assert f"### {' '.join(('holdfast', *words))}\n" in page
    named = [text for one in command.params if isinstance(one, click.Option) for text in one.opts]
    assert [text for text in named if text not in page] == []


def test_every_command_shows_an_example():
    without = [
        " ".join(words)
        for words, one in COMMANDS
        if not isinstance(one, click.Group) and "Example:" not in (one.help or "")
    ]
    assert without == []


@pytest.mark.parametrize("code", ExitCode, ids=lambda code: code.name)
def test_every_exit_code_is_explained(code: ExitCode):
    assert f"| {code.value} | {code.name} |" in reference("cli.md")
    # The README has them without names, and the two signals in one row.
    assert re.search(rf"^\| (\d+, )?{code.value}(, \d+)? \|", README.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("state", State)
def test_every_state_is_explained_with_its_exit_code(state: State):
    assert re.search(rf"^\| {state} \|.*\| {state.exit_code.value} \|$", reference("verdict.md"), re.MULTILINE)


@pytest.mark.parametrize("kind", expect.kinds())
def test_every_kind_of_expectation_says_when_it_is_what(kind: str):
    _, _, section = reference("scenario.md").partition(f"\n### {kind}\n")
    section, _, _ = section.partition("\n#")
    assert f"{{{kind}: " in section, "no example"
    # An invariant says when it is FAIL and UNKNOWN, and is PASS otherwise.
    assert [state for state in ("PASS", "FAIL", "UNKNOWN") if state not in section and kind != "invariant"] == []


@pytest.mark.parametrize("name", INVARIANTS)
def test_every_invariant_has_its_row(name: str):
    assert f"\n| `{name}` |" in reference("scenario.md")


@pytest.mark.parametrize("name", faults.names())
def test_every_fault_has_its_row_and_its_section(name: str):
    assert f"\n| `{name}` |" in reference("faults.md")
    assert f"\n## {name}\n" in reference("faults.md")


@pytest.mark.parametrize("argument", sorted({key for shape in SHAPES.values() for key in shape.model_fields}))
def test_every_argument_of_our_activities_has_its_row(argument: str):
    assert f"\n| `{argument}` |" in reference("scenario.md")


@pytest.mark.parametrize("name", [check.name for check in checks(a_timeline())])
def test_every_check_of_trust_has_its_row(name: str):
    assert f"\n| {name} |" in reference("scenario.md")


def test_what_a_check_spoils_is_what_the_page_says():
    page = reference("scenario.md")
    for check in checks(a_timeline()):
        row = next(line for line in page.splitlines() if line.startswith(f"| {check.name} |"))
        last = row.rsplit("|", 2)[1]
        kinds = set(re.findall(r"`(\w+)`", last))
        assert kinds == set(check.spoils), check.name


@pytest.mark.parametrize("key", [option.key for option in OPTIONS if option.in_file] + list(LOCUST_KEYS))
def test_every_key_of_a_profile_is_in_the_reference(key: str):
    assert f"`{key}`" in reference("load.md")


@pytest.mark.parametrize("word", [*get_args(Outcome), *REQUEST_COLUMNS, *BEAT_COLUMNS])
def test_every_outcome_and_every_column_is_in_the_reference(word: str):
    assert f"`{word}`" in reference("load.md")


@pytest.mark.parametrize("sli", get_args(ClientSli))
def test_every_sli_that_clients_witness_is_in_the_reference(sli: str):
    assert f"\n| `{sli}` |" in reference("slos.md")


def test_every_option_and_role_of_the_platform_is_in_the_reference():
    file = ROOT / "platform" / "local" / "sim.yaml"
    read, page = profile.read(file.read_text(encoding="utf-8"), file.name), reference("platform.md")
    options, roles = page.partition("## Options")[2], page.partition("## Options")[0]
    for name, value in read.options.items():
        assert value.replace("{home}", "platform/local") in _rows(options)[f"`{name}`"], name
    for one in read.processes:
        row = _rows(roles)[f"`{one.name}`"]
        assert row.endswith(f"| {'yes' if one.faults else 'no'} |"), one.name


def _rows(page):
    """The first row of each name."""
    lines = [line for line in page.splitlines() if line.startswith("| `")]
    return {line.split("|")[1].strip(): line for line in reversed(lines)}


def test_every_alert_of_the_platform_is_in_the_reference():
    rules = yaml.safe_load((ROOT / "platform" / "local" / "rules" / "platform.yaml").read_text(encoding="utf-8"))
    names = [rule["alert"] for group in rules["groups"] for rule in group["rules"]]
    assert [name for name in names if f"`{name}`" not in reference("platform.md")] == []


def test_the_plugins_options_are_in_the_reference():
    if not [one for one in entry_points(group="pytest11") if one.name == "holdfast"]:
        pytest.skip("the plugin is not installed")
    source = (ROOT / "src" / "holdfast" / "plugin" / "__init__.py").read_text(encoding="utf-8")
    named = set(re.findall(r'"(--holdfast[a-z-]*)"', source))
    assert named
    assert [one for one in sorted(named) if f"`{one}" not in reference("cli.md")] == []


def test_every_part_of_the_package_stands_on_a_floor_of_the_architecture():
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    floors = page.partition("## The floors")[2].partition("## ")[0]
    there = {path.stem for path in (ROOT / "src" / "holdfast").iterdir() if path.is_dir() or path.suffix == ".py"}
    parts = {name for name in there if not name.startswith("__") and name != "py"}
    assert sorted(name for name in parts if not re.search(rf"\b{name}\b", floors)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path):
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    local = [link for link in _LINK.findall(text) if not re.match(r"[a-z]+:", link)]
    dead = [link for link in local if not _leads(page, link)]
    assert dead == []


def _leads(page: Path, link: str) -> bool:
    file, _, heading = link.partition("#")
    target = (page.parent / file) if file else page
    return target.exists() and (not heading or heading in _headings(target))


def _headings(page: Path) -> set[str]:
    """Anchors as forges make them of headings."""
    titles = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_picture_has_words_for_those_who_do_not_see_it(page: Path):
    assert all(found["words"].strip() for found in _PICTURE.finditer(page.read_text(encoding="utf-8")))


def test_the_readme_quotes_the_quickstart_as_it_is(part):
    file = ROOT / "scenarios" / "quickstart.yaml"
    _, mark, rest = file.read_text(encoding="utf-8").partition("metadata:")
    part(README, "<!-- quote: scenarios/quickstart.yaml from metadata: -->\n```yaml\n", "```\n", mark + rest)


def test_the_readmes_table_has_every_expectation_of_the_quickstart_and_no_other():
    text = README.read_text(encoding="utf-8")
    _, _, table = text.partition("<!-- verdict -->\n```text\n")
    table, _, _ = table.partition("```\n")
    items = yaml.load((ROOT / "scenarios" / "quickstart.yaml").read_text(encoding="utf-8"), yaml.BaseLoader)["expect"]
    named = [f"{kind}:{item[kind]}" for item in items for kind in expect.kinds() if kind in item]
    shown = re.findall(rf"^  ((?:{'|'.join(expect.kinds())}):\S+)", table, re.MULTILINE)
    assert [one.partition("[")[0] for one in shown] == named


def test_the_numbers_needed_are_those_of_clopper_and_pearson():
    rows = re.findall(r"^\| ([\d.]+%) \|((?: \d+ \|){5})$", reference("verdict.md"), re.MULTILINE)
    assert [objective for objective, _ in rows] == ["90%", "95%", "99%", "99.9%"]
    for objective, cells in rows:
        limit = round(1 - float(objective.rstrip("%")) / 100, 12)
        for bad, n in zip((0, 1, 2, 5, 10), map(int, re.findall(r"\d+", cells)), strict=True):
            # The least n: with one request less the same number of bad ones proves nothing.
            assert stats.upper_bound(bad, n) <= limit < stats.upper_bound(bad, n - 1), (objective, bad)


def test_the_chances_are_those_of_the_binomial_distribution():
    rows = re.findall(r"^\| ([\d.]+%) \|((?: \d+% \|){4})$", reference("verdict.md"), re.MULTILINE)
    assert len(rows) == 3
    for truth, cells in rows:
        ratio = float(truth.rstrip("%")) / 100
        chances = [f"{stats.chance_to_pass(n, 0.01, ratio):.0%}" for n in (299, 600, 1000, 3000)]
        assert re.findall(r"\d+%", cells) == chances, truth


def test_the_example_with_a_thousand_requests_is_right():
    # "up to 4 bad is PASS, 5 to 15 is UNKNOWN, 16 and more is FAIL"; 3 bad: 0.08 % to 0.77 %
    assert stats.upper_bound(4, 1000) <= 0.01 < stats.upper_bound(5, 1000)
    assert stats.lower_bound(15, 1000) <= 0.01 < stats.lower_bound(16, 1000)
    assert (show_ratio(stats.lower_bound(3, 1000), 1), show_ratio(stats.upper_bound(3, 1000), 2)) == ("0.08%", "0.77%")
    assert f"{1 - 0.95**5:.0%}" == "23%"
