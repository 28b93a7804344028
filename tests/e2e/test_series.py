"""A scenario really played again and again: one answer for all trials, kept after each; and a gate that counts."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from bench import SHORT, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

CALM = (
    SHORT.replace("seed: 3", "seed: 3\nrepeat: {times}")
    .replace("  - {name: fault, for: 8s, chaos: engine-kill}\n", "")
    .replace("  - {recovery: gateway/availability, within: 10s}\n", "")
    .replace("objective: 90%", "objective: 70%")
)


def series(bench) -> dict:
    (file,) = bench.runs.glob("series-*.json")
    return json.loads(file.read_text())


@pytest.fixture
def fresh(up):
    """The shared platform with runs of this test alone."""
    for path in (*up.runs.glob("series-*"), *up.runs.glob("attempts*")):
        path.unlink()
    return up


def test_a_series_is_played_told_kept_and_judged_again(fresh):
    code, text = fresh.do("run", fresh.scenario(CALM.replace("{times}", "2")))
    told = series(fresh)
    assert code == {"PASS": 0, "UNKNOWN": 10}[told["verdict"]], text
    assert "A short look: trial 1 of 2" in text
    assert "A short look: trial 2 of 2" in text
    assert "trial 2/2" in text
    assert told["sentence"] in text
    assert [one["seed"] for one in told["trials"]] == [4, 5]
    manifests = [json.loads((fresh.runs / one["run"] / "manifest.json").read_text()) for one in told["trials"]]
    assert [(one["seed"], one["trial"], one["series"]) for one in manifests] == [
        (4, "1/2", told["series"]),
        (5, "2/2", told["series"]),
    ]
    # The load that was planned with a trial's own seed is the load that was offered.
    checks = json.loads((fresh.runs / told["trials"][1]["run"] / "verdict.json").read_text())["checks"]
    assert next(one["state"] for one in checks if one["name"] == "load offered") == "PASS"
    again, words = fresh.do("judge", told["series"], "--json")
    assert (again, json.loads(words)) == (code, told)


def test_a_series_that_is_stopped_keeps_what_was_played_and_the_rest_is_missing(fresh):
    run = fresh.start("run", fresh.scenario(CALM.replace("{times}", "3")))
    until(lambda: list(fresh.runs.glob("series-*")) and series(fresh)["trials"], 150, "the first trial")
    run.send_signal(signal.SIGINT)
    text, _ = run.communicate(timeout=60)
    told = series(fresh)
    assert run.returncode == 130, text
    assert told["ended"] == "SIGINT ended the series"
    assert told["verdict"] == "UNKNOWN"
    assert told["counts"]["missing"] >= 1


def test_a_gate_counts_its_attempts_at_the_same_commit(fresh):
    fresh.scenario(CALM.replace("repeat: {times}\n", ""))
    git(fresh.root, "init", "-q")
    git(fresh.root, "add", "-A")
    git(fresh.root, "commit", "-q", "-m", "all")
    decisions = []
    for number in (1, 2):
        code, text = fresh.do("gate", "short")
        decisions.append(json.loads((fresh.runs / "gate-short.json").read_text()))
        assert code == {"PASS": 0, "UNKNOWN": 10}[decisions[-1]["verdict"]], text
        assert f"short: attempt {number}" in text
    first, second = (one["runs"]["short"] for one in decisions)
    assert {one["attempts"] for one in decisions} == {"counted"}
    # What a run leaves in the project, such as compiled locustfiles, is no change of the subject.
    assert len({one["subject"] for one in decisions}) == 1
    assert (first["attempt"], first["earlier"], second["attempt"]) == (1, [], 2)
    assert second["earlier"] == [first["own_verdict"]]
    fresh.write("scenarios/note.txt", "a change")
    code, text = fresh.do("gate", "short")
    assert "short: attempt 1" in text


def git(root, *words):
    who = {f"GIT_{role}_{what}": "a@b" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["git", "-C", str(root), *words], check=True, env={**os.environ, **who}, capture_output=True)
