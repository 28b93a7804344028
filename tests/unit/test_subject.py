"""What is judged has a name: a commit, and a digest of what differs from it, the same for the same change alone."""

from __future__ import annotations

import os
import subprocess

import pytest

from holdfast import app
from holdfast.subject import subject_of


class Checkout:
    """A repository with one commit: `scenarios/a.yaml`, `.gitignore` for runs/."""

    def __init__(self, root):
        self.root = root
        (root / "scenarios").mkdir(parents=True)
        self.write("scenarios/a.yaml", "a: 1\n")
        self.write(".gitignore", "/runs/\n")
        self.git("init", "-q")
        self.commit()

    def git(self, *words):
        who = {f"GIT_{role}_{what}": "a@b" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        environment = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull}
        done = subprocess.run(
            ["git", "-C", str(self.root), *words], capture_output=True, text=True, check=True, env=environment
        )
        return done.stdout.strip()

    def commit(self):
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "a change")

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def subject(self):
        return subject_of(self.root)


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path / "checkout")


def test_a_clean_checkout_is_its_commit(checkout):
    assert checkout.subject() == f"git:{checkout.git('rev-parse', 'HEAD')}"


def test_a_change_has_a_digest_that_is_its_own(checkout):
    clean = checkout.subject()
    checkout.write("scenarios/a.yaml", "a: 2\n")
    one = checkout.subject()
    assert one.startswith(f"{clean}+")
    assert len(one) == len(clean) + 1 + 12
    checkout.write("scenarios/a.yaml", "a: 3\n")
    other = checkout.subject()
    checkout.write("scenarios/a.yaml", "a: 2\n")
    assert checkout.subject() == one != other
    checkout.write("scenarios/a.yaml", "a: 1\n")
    assert checkout.subject() == clean


def test_the_same_change_staged_or_not_is_the_same(checkout):
    checkout.write("scenarios/a.yaml", "a: 2\n")
    before = checkout.subject()
    checkout.git("add", "-A")
    assert checkout.subject() == before


def test_a_new_commit_is_a_new_subject(checkout):
    before = checkout.subject()
    checkout.write("scenarios/a.yaml", "a: 2\n")
    checkout.commit()
    assert checkout.subject() not in {before, ""}


def test_files_that_git_does_not_know_count_with_name_and_content(checkout):
    seen = {checkout.subject()}
    path = checkout.write("slos/new.yaml", "x")
    seen.add(checkout.subject())
    path.write_text("y")
    seen.add(checkout.subject())
    path.chmod(0o755)
    seen.add(checkout.subject())
    path.rename(path.with_name("other.yaml"))
    seen.add(checkout.subject())
    path.symlink_to("other.yaml")
    seen.add(checkout.subject())
    assert len(seen) == 6


def test_contents_that_are_no_text_and_names_that_are_no_ascii_count(checkout):
    (checkout.root / "größe \n.bin").write_bytes(bytes(range(256)))
    one = checkout.subject()
    (checkout.root / "größe \n.bin").write_bytes(bytes(range(255)))
    assert checkout.subject() != one
    checkout.commit()
    (checkout.root / "größe \n.bin").write_bytes(b"\0\1")
    two = checkout.subject()
    (checkout.root / "größe \n.bin").write_bytes(b"\0\2")
    assert checkout.subject() != two


def test_ignored_files_and_what_a_run_writes_change_nothing(checkout):
    before = checkout.subject()
    checkout.write("runs/20260301-x/manifest.json", "{}")
    checkout.write("loadtests/__pycache__/chat.cpython-311.pyc", "compiled")
    assert checkout.subject() == before


def test_runs_and_state_change_nothing_where_git_does_not_ignore_them(checkout):
    place = app.Workplace(root=checkout.root, state=checkout.root / "mine", runs=checkout.root / "out" / "runs")
    before = app.subject_of(place)
    checkout.write("out/runs/attempts.ndjson", "{}\n")
    checkout.write("mine/platform.json", "{}")
    assert app.subject_of(place) == before
    checkout.write("out/other", "{}")
    assert app.subject_of(place) != before


def test_a_folder_of_runs_hides_no_change_of_a_known_file(checkout):
    place = app.Workplace(root=checkout.root, state=checkout.root / ".holdfast", runs=checkout.root / "scenarios")
    before = app.subject_of(place)
    checkout.write("scenarios/a.yaml", "a: 2\n")
    assert app.subject_of(place) != before


def test_a_project_below_the_top_of_its_checkout_counts_all_of_it(checkout):
    below = checkout.root / "scenarios"
    assert subject_of(below) == checkout.subject()
    checkout.write("platform/local/sim.yaml", "x")
    assert subject_of(below) == checkout.subject()


def test_a_users_configuration_of_git_changes_nothing(checkout):
    checkout.write("scenarios/a.yaml", "a: 2\n")
    before = checkout.subject()
    for name, value in {
        "diff.noprefix": "true",
        "diff.mnemonicPrefix": "true",
        "color.ui": "always",
        "diff.external": "/bin/false",
        "diff.context": "9",
        "diff.algorithm": "patience",
        "core.quotePath": "false",
    }.items():
        checkout.git("config", name, value)
    assert checkout.subject() == before


def test_a_checkout_inside_counts_with_what_is_in_it(checkout):
    inner = Checkout(checkout.root / "inner")
    seen = {checkout.subject()}
    inner.write("scenarios/a.yaml", "a: 2\n")
    seen.add(checkout.subject())
    inner.commit()
    seen.add(checkout.subject())
    assert len(seen) == 3


def test_a_file_that_is_gone_is_a_change(checkout):
    seen = {checkout.subject()}
    checkout.write("scenarios/a.yaml", "")
    seen.add(checkout.subject())
    (checkout.root / "scenarios/a.yaml").unlink()
    seen.add(checkout.subject())
    assert len(seen) == 3


def test_outside_a_checkout_and_before_the_first_commit_there_is_no_subject(tmp_path):
    assert subject_of(tmp_path) == ""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert subject_of(tmp_path) == ""


def test_without_git_there_is_no_subject(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert checkout.subject() == ""
