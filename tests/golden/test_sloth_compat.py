"""`--compat sloth` writes what Sloth writes: our files against committed ones, and those against the real sloth.

Each file of specs/ is about one thing, which its first line says; a second line `# with:` gives command line options.
Where sloth is on PATH, or HOLDFAST_SLOTH names it, both run on every file and must agree to the byte.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import click.testing
import pytest

from holdfast.cli.objectives.generate import command
from holdfast.errors import SpecError, UsageError

HERE = Path(__file__).parent / "sloth"
SPECS = sorted((HERE / "specs").glob("*.yaml"))
VERSION = "v0.16.0"
NAMES = {"--period": "--default-slo-period", "--windows": "--slo-period-windows-path"}
NAMES |= {"--no-alerts": "--disable-alerts", "--no-recordings": "--disable-recordings"}


def options_of(spec):
    """The options of the line `# with:`, with folders found beside it."""
    lines = [line for line in spec.read_text(encoding="utf-8").splitlines()[:2] if line.startswith("# with:")]
    words = shlex.split(lines[0].removeprefix("# with:")) if lines else []
    return [str(HERE / word) if word.startswith("catalogues/") else word for word in words]


def ours(*words):
    """The command in this process: exit code and output."""
    done = click.testing.CliRunner().invoke(command, [*words, "--compat", "sloth"], standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.return_value, done.stdout


@pytest.fixture(scope="module")
def sloth():
    """The real one, and the version that it writes into its output."""
    path = os.environ.get("HOLDFAST_SLOTH") or shutil.which("sloth")
    if not path:
        pytest.skip("no sloth: put it on PATH, or name it in HOLDFAST_SLOTH")
    return path, subprocess.run([path, "version"], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.stem)
def test_our_rules_are_the_committed_ones(spec, golden):
    golden(HERE / "rules" / spec.name, ours(str(spec), *options_of(spec))[1])


def test_there_is_a_spec_for_every_committed_rule_file_and_enough_of_them():
    assert {path.name for path in (HERE / "rules").glob("*.yaml")} == {spec.name for spec in SPECS}
    assert len(SPECS) >= 50


SMALLEST = (HERE / "specs" / "smallest.yaml").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    """A folder of SLO files, one of them deeper, and room for their rules."""
    for name in ("slos/a.yaml", "slos/deep/b.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(SMALLEST.replace("shop", f"shop-{Path(name).stem}"), encoding="utf-8")
    (tmp_path / "slos/notes.txt").write_text("not YAML: {", encoding="utf-8")
    return tmp_path


def test_a_folder_of_files_becomes_the_same_folder_of_rules(folder):
    assert ours(str(folder / "slos"), "-o", str(folder / "rules"))[0] == 0
    assert {str(path.relative_to(folder / "rules")) for path in (folder / "rules").rglob("*.y*ml")} == {
        *("a.yaml", "deep/b.yml")
    }


def test_rules_may_lie_inside_the_folder_that_they_are_made_from(folder):
    words = str(folder / "slos"), "-o", str(folder / "slos" / "rules")
    assert ours(*words)[0] == ours(*words)[0] == 0
    assert len(list((folder / "slos" / "rules").rglob("*.y*ml"))) == 2


def test_check_says_what_is_stale_and_writes_nothing(folder):
    words = str(folder / "slos"), "-o", str(folder / "rules")
    assert ours(*words, "--check")[0] == 1
    assert not (folder / "rules").exists()
    ours(*words)
    assert ours(*words, "--check") == (0, "")
    (folder / "rules/a.yaml").write_text("old", encoding="utf-8")
    assert ours(*words, "--check") == (1, f"stale {folder / 'rules/a.yaml'}\n")
    assert (folder / "rules/a.yaml").read_text(encoding="utf-8") == "old"


def test_nothing_is_written_when_one_file_is_wrong_and_all_problems_are_told(folder):
    (folder / "slos/a.yaml").write_text(SMALLEST.replace("99.9", "100"), encoding="utf-8")
    (folder / "slos/c.yaml").write_text(SMALLEST.replace("alerting", "alertin"), encoding="utf-8")
    with pytest.raises(SpecError) as error:
        ours(str(folder / "slos"), "-o", str(folder / "rules"))
    assert {Path(one.where.file).name for one in error.value.problems} == {"a.yaml", "c.yaml"}
    assert not (folder / "rules").exists()


REFUSED = {
    "a plugin of the user's": ("  sli:", "  plugins: {chain: [{id: mine/v1}]}\n    sli:", "Go code"),
    "a setting that a plugin does not know": (
        *("  sli:", "  plugins: {chain: [{id: sloth.dev/contrib/info_labels/v1, config: {label: {a: b}}}]}\n    sli:"),
        "unknown key 'label'",
    ),
    "a plugin without the settings it needs": (
        *("  sli:", "  plugins: {chain: [{id: sloth.dev/contrib/rule_intervals/v1}]}\n    sli:"),
        "needs settings: interval",
    ),
    "an indicator made by a plugin": (
        "  sli:\n      events:",
        "  sli:\n      plugin: {id: mine}\n      was:",
        "plugin",
    ),
    "a word that Sloth reads as something else": ("  sli:", "  labels: {owner: yes}\n    sli:", "put it in quotes"),
    "a label that is a number": ("  sli:", "  labels: {tier_1: 2}\n    sli:", "expected text, got 2"),
    "an objective of 100": ("99.9", "100", "objective must lie between 0 and 100"),
    "a misspelt key": ("alerting:", "alerts:", "unknown key 'alerts'"),
    "no plugin at all": ("  sli:", "  plugins: {overridePrevious: true}\n    sli:", "no plugin at all"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_is_refused_has_a_place_and_a_reason(case, tmp_path):
    old, new, said = case
    path = tmp_path / "slo.yaml"
    path.write_text(SMALLEST.replace(old, new), encoding="utf-8")
    with pytest.raises(SpecError) as error:
        ours(str(path))
    assert said in str(error.value)
    assert all(problem.where.line > 1 for problem in error.value.problems)


def test_an_slo_stands_once_in_a_file(tmp_path):
    path = tmp_path / "slo.yaml"
    path.write_text(SMALLEST + "---\n" + SMALLEST, encoding="utf-8")
    with pytest.raises(SpecError, match="duplicate SLO 'shop-requests'"):
        ours(str(path))


def test_no_rules_at_all_are_refused(tmp_path):
    with pytest.raises(UsageError, match="gives no rules"):
        ours(str(HERE / "specs" / "smallest.yaml"), "-o", str(tmp_path / "r.yaml"), "--no-alerts", "--no-recordings")
    assert not (tmp_path / "r.yaml").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--period", "7d"), "no alert windows for a period of 7d"),
        (("--period", "a month"), "expected a duration"),
        (("-l", "sloth_id=x"), "belongs to the generated rules"),
        (("--windows", "nowhere"), "no such folder"),
    ],
)
def test_options_that_cannot_be(words, said):
    with pytest.raises(UsageError, match=said):
        ours(str(HERE / "specs" / "smallest.yaml"), *words)


def test_rules_never_replace_the_slos_they_come_from(folder):
    with pytest.raises(UsageError, match="written over SLOs"):
        ours(str(folder / "slos/a.yaml"), "-o", str(folder / "slos/a.yaml"))


def test_lines_of_problems_are_those_of_the_file_also_in_a_later_document(tmp_path):
    path = tmp_path / "slo.yaml"
    path.write_text(f"# One.\n\n---\n{SMALLEST}\n---\n\n# Two.\n{SMALLEST.replace('99.9', '101')}", encoding="utf-8")
    line = next(n for n, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if "101" in text)
    with pytest.raises(SpecError) as error:
        ours(str(path))
    assert error.value.problems[0].where.line == line


@pytest.mark.slow
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.stem)
def test_the_real_sloth_writes_the_same(spec, sloth):
    path, version = sloth
    options = options_of(spec)
    words = [path, "generate", "--no-log", "-i", str(spec), *(NAMES.get(word, word) for word in options)]
    theirs = subprocess.run(words, capture_output=True, text=True, check=False)
    assert theirs.returncode == 0, theirs.stderr
    assert ours(str(spec), "--sloth-version", version, *options)[1] == theirs.stdout


@pytest.mark.slow
def test_the_real_sloth_makes_the_same_folder(folder, sloth):
    path, version = sloth
    (folder / "theirs").mkdir()
    words = [path, "generate", "--no-log", "-i", str(folder / "slos"), "-o", str(folder / "theirs")]
    subprocess.run(words, check=True, capture_output=True)
    ours(str(folder / "slos"), "-o", str(folder / "ours"), "--sloth-version", version)
    for name in ("a.yaml", "deep/b.yml"):
        assert (folder / "ours" / name).read_bytes() == (folder / "theirs" / name).read_bytes()
