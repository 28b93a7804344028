"""A scenario is played as often as it says, each time on its own record; a gate counts how often it was tried."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest

from examples import write_project, write_run
from holdfast import app
from holdfast.chaos.strike import FaultStuckError
from holdfast.errors import InfrastructureError, UsageError
from holdfast.model.verdict import State
from holdfast.play import Stage, find_series, judge_run, judge_series, play
from holdfast.run import Stop
from holdfast.store.reading import read_timeline
from holdfast.testing import a_timeline

PASS, FAIL, UNKNOWN, LEFT = State.PASS, State.FAIL, State.UNKNOWN, State.NOT_RESTORED
# 65 bad of 540 where 1 % may be: FAIL. 3 bad of 540, 0.15 % to 1.4 %: UNKNOWN. One replica was not ready: NOT_RESTORED.
STORIES = {PASS: {}, FAIL: {"bad": {"baseline": 65}}, UNKNOWN: {"bad": {"baseline": 3}}, LEFT: {"faults": "stuck"}}


class Platform:
    """All that counting asks of a driver: what it is."""

    def __init__(self, **options):
        self.options = options

    def describe(self):
        return {"platform": "embedded", **self.options}


class Bench:
    """A project, and runs that end as they are told to: each is a whole, sealed folder."""

    def __init__(self, root, repeat=""):
        self.path = write_project(root, scenario=("seed: 7", f"seed: 7\n{repeat}"))
        self.place = app.Workplace(root=root, state=root / "state", runs=root / "runs")
        self.stop = Stop()
        self.heard = []
        self.titles = []
        self.platform = Platform(failover="on")

    def stage(self):
        @contextmanager
        def watching(title, length):
            self.titles.append((title, length))
            yield lambda _: None

        return Stage(watching=watching, stop=self.stop, heard=lambda *words: self.heard.append(words))

    def play(self, *ends, **words):
        """Play; the runs end so, one after the other. An exception is raised, a callable called before its run."""
        coming = list(ends)

        def once(path, place, *, trial, begun, subject, **_):
            begun(self.platform)
            end = coming.pop(0)
            if isinstance(end, Exception):
                raise end
            return self.run(end, trial, subject)

        return play(self.path, self.place, self.stage(), once=once, **words)

    def run(self, state, trial, subject):
        scenario = app.project.load_scenario(self.path, self.place.root)
        scenario = scenario.in_trial(trial.number) if trial else scenario
        about = {"series": trial.series, "trial": str(trial)} if trial else {}
        number = sum(1 for _ in self.place.runs.glob("2*"))
        folder = self.place.runs / f"20260301-{number:04}"
        timeline = a_timeline(scenario=scenario, **story(state))
        platform = {**self.platform.describe(), "fingerprint": f"random-{number}"}
        write_run(folder, timeline, seed=scenario.seed, subject=subject, platform=platform, **about)
        return app.judge_folder(folder)

    def lines(self):
        return [json.loads(line) for line in (self.place.runs / "attempts.ndjson").read_text().splitlines()]


def story(state):
    if state is LEFT:
        from holdfast.testing import KILL, fault_steps

        return {"faults": fault_steps({step: t for step, t in KILL.items() if step != "gone"})}
    return STORIES[state]


@pytest.fixture
def once(tmp_path):
    return Bench(tmp_path)


@pytest.fixture
def thrice(tmp_path):
    return Bench(tmp_path, "repeat: 3")


@pytest.mark.parametrize("state", list(State))
def test_the_stories_end_as_they_are_named(once, state):
    assert once.play(state).standing.state is state


# a series


def test_a_scenario_that_does_not_repeat_is_one_run(once):
    played = once.play(PASS)
    assert (played.series, played.standing.state, played.folder) == (None, PASS, played.outcome.folder)
    assert once.titles == [("One of three engines dies under chat load", 75.0)]
    assert [trial for _, trial in once.heard] == [None]
    assert not list(once.place.runs.glob("series-*"))


def test_a_scenario_that_repeats_is_played_so_often_and_each_trial_is_a_run_of_its_own(thrice):
    played = thrice.play(PASS, PASS, PASS, subject="git:abc")
    assert (played.standing.state, played.series.state, len(played.series.reports)) == (PASS, PASS, 3)
    assert [title for title, _ in thrice.titles] == [
        f"One of three engines dies under chat load: trial {number} of 3" for number in (1, 2, 3)
    ]
    assert [str(trial) for _, trial in thrice.heard] == ["1/3", "2/3", "3/3"]
    folders = sorted(thrice.place.runs.glob("2*"))
    manifests = [json.loads((folder / "manifest.json").read_text()) for folder in folders]
    assert [one["seed"] for one in manifests] == [8, 9, 10]
    assert [one["trial"] for one in manifests] == ["1/3", "2/3", "3/3"]
    assert {one["series"] for one in manifests} == {played.series.name}
    assert all((folder / "seal.json").exists() for folder in folders)


def test_trials_differ_in_their_arrivals(thrice):
    thrice.play(PASS, PASS, PASS)
    timelines = [read_timeline(folder) for folder in sorted(thrice.place.runs.glob("2*"))]
    assert [one.scenario.seed for one in timelines] == [8, 9, 10]
    dues = [tuple(app.arrivals(one.scenario, thrice.place.root)[:20]) for one in timelines]
    assert len(set(dues)) == 3


def test_a_trial_is_judged_from_its_folder_alone_with_the_seed_it_had(thrice):
    thrice.play(PASS, FAIL, PASS)
    folder = sorted(thrice.place.runs.glob("2*"))[1]
    thrice.path.unlink()
    outcome = judge_run(folder).outcome
    assert (outcome.report.state, outcome.timeline.scenario.seed) == (FAIL, 9)
    assert outcome.report.provenance["seed"] == "9"
    assert outcome.report.provenance["trial"] == "2/3"


@pytest.mark.parametrize("end", [PASS, UNKNOWN, FAIL])
def test_without_a_claim_the_worst_trial_is_the_answer(thrice, end):
    assert thrice.play(PASS, end, PASS).standing.state is end


def test_a_fault_that_may_be_left_ends_the_series_at_once(thrice):
    played = thrice.play(PASS, LEFT, PASS)
    assert (played.standing.state, played.series.missing) == (LEFT, (3,))


def test_a_fault_of_an_earlier_run_that_cannot_be_undone_ends_the_series_at_once(thrice):
    played = thrice.play(PASS, FaultStuckError("kill of engine-2 is stuck"), PASS)
    assert (played.standing.state, played.series.missing) == (LEFT, (2, 3))
    assert kept(thrice)["verdict"] == "NOT_RESTORED"


def kept(bench):
    (file,) = bench.place.runs.glob("series-*.json")
    return json.loads(file.read_text())


def test_the_series_is_on_disk_after_each_trial(thrice):
    seen = []
    stage_heard = thrice.heard

    class Looks(list):
        def append(self, words):
            seen.append((len(kept(thrice)["trials"]), kept(thrice)["verdict"]))
            stage_heard.append(words)

    thrice.heard = Looks()
    thrice.play(PASS, PASS, PASS)
    # What is seen during a trial holds those before it, and is no PASS before all are there.
    assert seen == [(0, "UNKNOWN"), (1, "UNKNOWN"), (2, "UNKNOWN")]
    assert (len(kept(thrice)["trials"]), kept(thrice)["verdict"]) == (3, "PASS")


def test_what_was_played_before_the_world_broke_is_kept(thrice):
    with pytest.raises(InfrastructureError):
        thrice.play(PASS, InfrastructureError("no platform is up"))
    told = kept(thrice)
    assert (told["verdict"], len(told["trials"]), told["ended"]) == ("UNKNOWN", 1, "no platform is up")


def test_a_signal_ends_the_series_and_the_rest_is_missing(thrice):
    def hear(*_):
        thrice.stop.signal = "SIGINT"

    thrice.heard = type("Stops", (list,), {"append": hear})()
    played = thrice.play(PASS, PASS, PASS)
    assert (played.standing.state, played.series.missing) == (UNKNOWN, (2, 3))
    assert kept(thrice)["ended"] == "SIGINT ended the series"


def test_a_claim_allows_some_trials_to_fail(tmp_path):
    # 1 bad of 4: P(Binomial(4, p) <= 1) = 5 % at p = 0.751.
    claimed = Bench(tmp_path, "repeat: {times: 4, fails-at-most: 80%}")
    played = claimed.play(PASS, FAIL, PASS, PASS)
    assert (played.standing.state, played.series.failed) == (PASS, 1)


def test_files_that_change_during_a_series_end_it(thrice):
    real = thrice.run

    def run(state, trial, subject):
        if trial.number == 2:
            thrice.path.write_text(thrice.path.read_text().replace("objective: 90%", "objective: 80%"))
        return real(state, trial, subject)

    thrice.run = run
    with pytest.raises(InfrastructureError, match="changed while it was played"):
        thrice.play(PASS, PASS, PASS)
    assert kept(thrice)["verdict"] == "UNKNOWN"


def test_another_platform_under_a_series_ends_it(thrice):
    def hear(*_):
        thrice.platform = Platform(failover="off")

    thrice.heard = type("Swaps", (list,), {"append": hear})()
    with pytest.raises(InfrastructureError, match="another one than the series began with"):
        thrice.play(PASS, PASS, PASS)
    assert (kept(thrice)["verdict"], len(kept(thrice)["trials"])) == ("UNKNOWN", 1)


def test_a_trial_on_another_platform_is_missing(thrice):
    played = thrice.play(PASS, PASS, PASS)
    folder = played.folder.parent / played.series.reports[2].run
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["platform"]["failover"] = "off"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert judge_series(played.folder).series.missing == (2,)


def test_a_scenario_that_cannot_be_decided_is_refused_before_anything_is_written(tmp_path):
    bench = Bench(tmp_path, "repeat: 3")
    bench.path.write_text(bench.path.read_text().replace("objective: 90%", "objective: 99.99%"))
    with pytest.raises(UsageError):
        bench.play(PASS, PASS, PASS, gate="g", subject="git:abc")
    assert not bench.place.runs.exists()


# a series judged again


def test_a_series_is_judged_again_from_the_folders_of_its_trials(thrice):
    played = thrice.play(PASS, UNKNOWN, PASS, subject="git:abc")
    again = judge_series(played.folder)
    assert again.series.to_dict() == played.series.to_dict()
    assert again.standing.state is UNKNOWN
    assert again.scenario.seed == 7
    assert again.look().report.run == played.series.reports[2].run


def test_what_the_file_of_a_series_says_of_its_trials_is_not_believed(thrice):
    played = thrice.play(PASS, FAIL, PASS)
    told = kept(thrice)
    told["verdict"], told["times"] = "PASS", 2
    told["trials"][1]["verdict"] = "PASS"
    played.folder.write_text(json.dumps(told))
    assert judge_series(played.folder).standing.state is FAIL


def test_a_trial_that_is_left_out_or_gone_is_missing(thrice):
    played = thrice.play(PASS, FAIL, PASS)
    told = kept(thrice)
    del told["trials"][1]
    played.folder.write_text(json.dumps(told))
    again = judge_series(played.folder)
    assert (again.standing.state, again.series.missing) == (UNKNOWN, (2,))


@pytest.mark.parametrize("how", ["the same run again", "the run of another series", "another trial's number"])
def test_a_run_stands_for_no_trial_but_its_own(thrice, how):
    first = thrice.play(PASS, PASS, PASS)
    played = thrice.play(PASS, FAIL, PASS)
    told = json.loads(played.folder.read_text())
    good = {
        "the same run again": told["trials"][0]["run"],
        "the run of another series": first.series.reports[2].run,
        "another trial's number": told["trials"][2]["run"],
    }
    told["trials"][1]["run"] = good[how]
    played.folder.write_text(json.dumps(told))
    again = judge_series(played.folder)
    assert (again.standing.state, again.series.missing) == (UNKNOWN, (2,))


def test_a_series_of_which_nothing_is_left_is_none(thrice, tmp_path):
    played = thrice.play(PASS, PASS, PASS)
    elsewhere = tmp_path / "elsewhere" / played.folder.name
    elsewhere.parent.mkdir()
    elsewhere.write_text(played.folder.read_text())
    with pytest.raises(UsageError, match="no trial"):
        judge_series(elsewhere)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "holdfast/series/v1", "series": "series-x"}'])
def test_a_file_that_is_no_series_is_a_mistake(tmp_path, text):
    file = tmp_path / "series-x.json"
    file.write_text(text)
    with pytest.raises(UsageError, match="is not a series"):
        judge_series(file)


def test_a_series_is_found_by_path_and_by_name(thrice):
    played = thrice.play(PASS, PASS, PASS)
    for text in (str(played.folder), played.folder.name, played.series.name):
        assert find_series(text, thrice.place) == played.folder.resolve()
    assert find_series("latest", thrice.place) is None


# attempts


GATE = {"gate": "quickstart", "subject": "git:abc"}


def test_an_attempt_is_noted_when_it_begins_and_when_it_ends(once):
    standing = once.play(PASS, **GATE).standing
    assert (standing.attempt, standing.earlier, standing.state) == (1, (), PASS)
    begin, end = once.lines()
    assert {"gate": "quickstart", "subject": "git:abc", "scenario": "quickstart"}.items() <= begin.items()
    assert (end["kind"], end["state"], end["failed"]) == ("end", "PASS", False)
    assert [one["id"] for one in end["counted"]] == [
        "slo:gateway/availability[baseline,recovery]",
        "slo:gateway/availability[fault]",
        "slo:gateway/ttft[baseline,recovery]",
    ]
    assert end["counted"][0].keys() == {"id", "n", "bad", "n_eff", "limit", "trusted"}


def test_a_fail_stands_for_its_subject_and_a_new_subject_is_free(once):
    once.play(FAIL, **GATE)
    again = once.play(PASS, **GATE).standing
    assert (again.attempt, again.earlier, again.own, again.state) == (2, (FAIL,), PASS, FAIL)
    assert once.play(PASS, gate="quickstart", subject="git:def").standing.state is PASS


def test_another_gate_another_platform_and_another_scenario_are_another_thing(once):
    once.play(FAIL, **GATE)
    assert once.play(PASS, gate="prod", subject="git:abc").standing.attempt == 1
    once.platform = Platform(failover="off")
    assert once.play(PASS, **GATE).standing.attempt == 1
    once.platform = Platform(failover="on")
    assert once.play(PASS, **GATE).standing.state is FAIL
    once.path.write_text(once.path.read_text().replace("seed: 7", "seed: 8"))
    assert once.play(PASS, **GATE).standing.attempt == 1


def test_undecided_attempts_carry_their_evidence(once):
    states = [once.play(end, **GATE).standing.state for end in (UNKNOWN, PASS, PASS)]
    # 3 bad of 540: e = 0.9; none of 540: e = 78.
    assert states == [UNKNOWN, PASS, PASS]


def test_a_killed_attempt_counts(once):
    with pytest.raises(InfrastructureError):
        once.play(InfrastructureError("the disk is full"), **GATE)
    again = once.play(PASS, **GATE).standing
    assert (again.attempt, again.earlier) == (2, (UNKNOWN,))


def test_a_series_is_one_attempt(thrice):
    first = thrice.play(PASS, FAIL, PASS, **GATE).standing
    assert (first.attempt, first.state) == (1, FAIL)
    second = thrice.play(PASS, PASS, PASS, **GATE).standing
    assert (second.attempt, second.earlier, second.state) == (2, (FAIL,), FAIL)
    assert [line["kind"] for line in thrice.lines()] == ["begin", "end"] * 2
    assert second.to_dict()["series"]["verdict"] == "PASS"


@pytest.mark.parametrize("words", [{"gate": "quickstart"}, {"subject": "git:abc"}, {}])
def test_without_a_subject_or_a_gate_nothing_is_counted_and_that_is_said(once, words):
    once.play(FAIL, **words)
    standing = once.play(PASS, **words).standing
    assert (standing.attempt, standing.state) == (None, PASS)
    assert not (once.place.runs / "attempts.ndjson").exists()


def test_a_ledger_that_cannot_be_kept_is_never_a_pass(once):
    (once.place.runs / "attempts.ndjson").mkdir(parents=True)
    with pytest.raises(InfrastructureError, match="attempts cannot be counted"):
        once.play(PASS, **GATE)
    assert not list(once.place.runs.glob("2*"))


def test_a_ledger_that_vanishes_during_the_attempt_is_never_a_pass(once):
    real = once.run

    def run(*words):
        (once.place.runs / "attempts.ndjson").unlink()
        return real(*words)

    once.run = run
    with pytest.raises(InfrastructureError):
        once.play(PASS, **GATE)


def test_an_end_that_cannot_be_read_is_never_a_pass(once):
    once.play(PASS, **GATE)
    path = once.place.runs / "attempts.ndjson"
    path.write_text(path.read_text().replace('"state": "PASS"', '"state": "SUPER"'))
    with pytest.raises(InfrastructureError, match="cannot be read"):
        once.play(PASS, **GATE)
