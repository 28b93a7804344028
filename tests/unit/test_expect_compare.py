"""`compare`: not worse than a phase, or than an earlier run, by more than a margin; what was not seen is not equal."""

from __future__ import annotations

import json
from functools import cache

import pytest

from examples import PROJECT, write_project, write_run
from holdfast import stats
from holdfast.errors import SpecError
from holdfast.expect.compare import NotWorse, Stored
from holdfast.expect.proportion import Counts
from holdfast.judge import judge
from holdfast.model.verdict import State
from holdfast.plan import make_plan
from holdfast.project import load_scenario
from holdfast.report.data import to_dict
from holdfast.store.folder import digest
from holdfast.store.reading import broken_seals, read_timeline
from holdfast.testing import a_place, a_scenario, a_timeline, an_slo

PASS, FAIL, UNKNOWN = State.PASS, State.FAIL, State.UNKNOWN


def expectation(**changes):
    kept = {"slo": an_slo(), "now": ("recovery",), "base": ("baseline",), "margin": 0.05, "where": a_place()}
    return NotWorse(**{**kept, **changes})


def spread(bad):
    """Requests that are equally slow, of which every so many in a phase fail: nothing hints at company."""

    def edit(rows):
        rows = rows.assign(first=rows["due"] + 0.1, outcome="ok")
        for (start, end), count in bad.items():
            inside = rows.index[(rows["due"] >= start) & (rows["due"] < end)]
            rows.loc[inside[:: max(1, len(inside) // count)][:count], "outcome"] = "status"
        return rows

    return {"edit": edit, "bad": {}}


BASELINE, RECOVERY = (10, 30), (50, 75)


def judged(bad=None, **changes):
    return expectation(**changes).judge(a_timeline(**spread(bad or {})))


def test_two_clean_phases_are_equal_within_the_margin():
    # baseline 20 s x 12/s = 240, recovery 25 s x 12/s = 300: U = 1 - 0.05^(1/300) = 0.99 points
    verdict = judged()
    assert (verdict.id, verdict.state) == ("compare:gateway/availability[recovery]~[baseline]", PASS)
    seen = verdict.evidence
    assert (seen.n, seen.bad, seen.n_eff, seen.limit, seen.estimate) == (300, 0, 300, 0.05, 0)
    assert seen.high == pytest.approx(1 - 0.05 ** (1 / 300), abs=2e-4)
    assert seen.other == {"baseline": "baseline", "baseline n": 240, "baseline bad": 0, "baseline n_eff": 240}
    assert verdict.sentence == (
        "0 of 300 requests (0%) were bad in recovery, 0 of 240 requests (0%) in baseline; "
        "it may be worse by 5 percentage points, and truly is by at most 0.994."
    )


def test_a_phase_that_is_worse_by_far_fails():
    verdict = judged({RECOVERY: 60})
    assert (verdict.state, verdict.evidence.bad) == (FAIL, 60)
    assert verdict.evidence.low > 0.05
    assert verdict.evidence.p < 0.05
    assert "and truly is by at least" in verdict.sentence


def test_an_equally_bad_baseline_excuses_it():
    # 10 % beside 10 % is no worse by 10 points, and beside none it may be
    assert judged({RECOVERY: 30, BASELINE: 24}, margin=0.1).state is PASS
    assert judged({RECOVERY: 30}, margin=0.1).state is UNKNOWN


def test_too_few_requests_are_unknown_and_say_how_many_would_do():
    verdict = judged({RECOVERY: 9, BASELINE: 4}, margin=0.02)
    assert verdict.state is UNKNOWN
    # 3 % and 1.67 %: 1.33 points seen, 2 allowed; that takes thousands
    assert verdict.evidence.more > 1000
    assert f"{verdict.evidence.more} more like these on each side would." in verdict.sentence
    longer = [stats.Sample(0.03 * (300 + verdict.evidence.more), 300 + verdict.evidence.more)]
    longer.append(stats.Sample(4 / 240 * (240 + verdict.evidence.more), 240 + verdict.evidence.more))
    assert stats.not_worse(*longer, 0.02)


def test_a_difference_of_just_the_margin_is_never_decided():
    verdict = judged({RECOVERY: 30, BASELINE: 12}, margin=0.05)
    assert (verdict.state, verdict.evidence.more) == (UNKNOWN, None)
    assert "no number of such requests in reach would" in verdict.sentence


@pytest.mark.parametrize(("start", "end", "where"), [(50, 75, "recovery"), (10, 30, "baseline")])
def test_a_side_without_a_request_cannot_be_compared(start, end, where):
    story = a_timeline(edit=lambda rows: rows[(rows["due"] < start) | (rows["due"] >= end)].copy(), bad={})
    verdict = expectation(margin=0.9).judge(story)
    assert verdict.state is UNKNOWN
    assert verdict.sentence == f"No request was seen in {where}, so nothing can be compared."


def test_a_burst_tells_less_than_as_many_alone():
    # 12 requests in a row fail: company, so that fewer independent ones count
    verdict = expectation(margin=0.08).judge(a_timeline(bad={"recovery": 12}))
    assert verdict.evidence.n_eff < 300
    assert verdict.state is UNKNOWN


def test_it_is_never_settled_so_no_side_ends_early():
    found = expectation()
    assert not found.settled(a_timeline())
    assert found.during == ("recovery", "baseline")  # both are looked at


STORED = Stored(file="reports/x.json", run="20260301-quickstart", counts=Counts(bad=2, total=500, effect=2.0))


def test_a_stored_run_stands_in_for_a_phase():
    verdict = judged(base=(), stored=STORED)
    assert (verdict.id, verdict.state) == ("compare:gateway/availability[recovery]~reports/x.json", PASS)
    assert verdict.evidence.other == {
        "baseline": "run 20260301-quickstart",
        "baseline n": 500,
        "baseline bad": 2,
        "baseline n_eff": 250.0,
    }


def test_a_stored_run_does_not_grow():
    few = Stored(file="x", run="r", counts=Counts(bad=0, total=20))
    verdict = judged({RECOVERY: 9}, base=(), stored=few, margin=0.035)
    assert verdict.state is UNKNOWN
    assert "in recovery would." in verdict.sentence or "no number" in verdict.sentence


def test_the_plan_counts_both_sides():
    scenario = a_scenario(expect=(expectation(),))
    arrivals = [step / 12 for step in range(75 * 12)]
    plan = make_plan(scenario, lambda until: [due for due in arrivals if due < until])
    (told,) = plan.forecasts
    # 300 + 240 expected; 59 clean ones and the 240 they are compared with are needed
    assert (told.expects, told.needs, told.can_pass) == (540, 59 + 240, True)
    assert told.note == "300 requests against 240; 59 are needed when none is bad"
    assert told.power[0.0] == 1
    assert told.power[1.0] <= 0.05  # truly worse by the margin itself
    assert plan.hopeless == ()


@pytest.mark.parametrize(
    ("side", "margin"), [("recovery", 0.05), ("baseline", 0.05), (None, 0.005)], ids=["no now", "no base", "too few"]
)
def test_the_plan_says_when_it_cannot_pass(side, margin):
    scenario = a_scenario(expect=(expectation(margin=margin),))
    phase = scenario.phase(side) if side else None
    arrivals = [step / 12 for step in range(75 * 12) if not (phase and phase.start <= step / 12 < phase.end)]
    (told,) = make_plan(scenario, lambda until: [due for due in arrivals if due < until]).forecasts
    assert not told.can_pass


# From here on: as it is read from files.

ITEM = "compare: gateway/ttft, during: [recovery], to: [baseline], margin: 5%"
FILE = "reports/earlier.verdict.json"
STORED_ITEM = f"compare: gateway/availability, during: [baseline, recovery], to: {FILE}, margin: 2%"


def read(root, item):
    path = write_project(root, scenario=("expect:\n", f"expect:\n  - {{{item}}}\n"))
    return load_scenario(path, root)


@cache
def earlier():
    """The verdict.json of a run of this project, as text."""
    story = a_timeline(scenario=load_scenario(PROJECT / "scenarios" / "quickstart.yaml", PROJECT))
    slos = digest(PROJECT / "slos" / "gateway.yaml")
    report = judge(story, {"digest slos/gateway.yaml": slos})
    assert report.state is PASS
    return json.dumps(to_dict(report))


def verdict_file(root, edit=lambda data: None, file=FILE):
    """That text, with one thing changed, as a user would commit it."""
    data = json.loads(earlier())
    edit(data)
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), encoding="utf-8")
    return data


def test_it_is_read_from_a_scenario(tmp_path):
    found = read(tmp_path, ITEM).expect[0]
    assert found.id == "compare:gateway/ttft[recovery]~[baseline]"
    assert (found.margin, found.now, found.base) == (0.05, ("recovery",), ("baseline",))
    assert (found.slo.sli, found.limit) == ("ttft", 0.05)


def test_a_stored_run_is_read_and_kept_with_the_scenario(tmp_path):
    data = verdict_file(tmp_path)
    scenario = read(tmp_path, STORED_ITEM)
    stored = scenario.expect[0].stored
    entry = data["expectations"][0]
    assert (stored.counts.total, stored.counts.bad, stored.run) == (entry["n"], entry["bad"], data["run"])
    assert stored.counts.n_eff == pytest.approx(entry["n_eff"])
    assert json.loads(scenario.files[FILE]) == data


def test_a_run_folder_alone_judges_it_as_the_project_did(tmp_path):
    verdict_file(tmp_path / "project")
    story = a_timeline(scenario=read(tmp_path / "project", STORED_ITEM))
    folder = write_run(tmp_path / "runs" / "later", story)
    (tmp_path / "project" / FILE).unlink()
    again = read_timeline(folder)
    assert again.scenario.expect[0].judge(again) == story.scenario.expect[0].judge(story)
    kept = folder / "files" / FILE
    assert broken_seals(folder) == []
    kept.write_text(kept.read_text(encoding="utf-8") + " ", encoding="utf-8")
    assert broken_seals(folder) == [f"files/{FILE}: changed since the run"]


def test_a_file_from_before_effective_counts_has_as_many_as_it_counted(tmp_path):
    verdict_file(tmp_path, lambda data: data["expectations"][0].pop("n_eff"))
    assert read(tmp_path, STORED_ITEM).expect[0].stored.counts.effect == 1


def put(*path, value):
    def edit(data):
        for step in path[:-1]:
            data = data[step]
        data[path[-1]] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (put("verdict", value="FAIL"), "is no baseline: it is FAIL"),
        (put("verdict", value="UNKNOWN"), "is no baseline: it is UNKNOWN"),
        (put("expectations", 3, "state", value="FAIL"), "or not all of it is PASS"),
        (put("checks", 2, "state", value="UNKNOWN"), "or not all of it is PASS"),
        (put("checks", value=[]), "or not all of it is PASS"),
        (put("checks", value="PASS"), "not a whole verdict file"),
        (put("expectations", value=[]), "did not judge slo:gateway/availability[baseline,recovery]"),
        (put("expectations", 0, "id", value="slo:gateway/availability[baseline]"), "did not judge"),
        (put("expectations", 0, "kind", value="latency"), "did not judge"),
        (put("expectations", 0, "n", value=0), "holds no counts"),
        (put("expectations", 0, "n", value=None), "holds no counts"),
        (put("expectations", 0, "n", value="600"), "holds no counts"),
        (put("expectations", 0, "bad", value=-1), "holds no counts"),
        (put("expectations", 0, "bad", value=True), "holds no counts"),
        (put("expectations", 0, "n_eff", value=1e9), "holds no counts"),
        (put("expectations", 0, "n_eff", value=float("nan")), "holds no counts"),
        (put("schema", value="holdfast/gate/v1"), "expected schema holdfast/verdict/v1"),
        (put("provenance", value={}), "judged by another slos/gateway.yaml"),
        (put("provenance", "digest slos/gateway.yaml", value="0" * 64), "judged by another slos/gateway.yaml"),
        (lambda data: data.pop("verdict"), "not a whole verdict file: KeyError('verdict')"),
    ],
)
def test_a_run_that_shows_nothing_normal_is_no_baseline(tmp_path, edit, told):
    verdict_file(tmp_path, edit)
    with pytest.raises(SpecError) as caught:
        read(tmp_path, STORED_ITEM)
    (problem,) = caught.value.problems
    assert told in problem.what
    assert problem.hint
    assert str(problem.where).startswith("scenarios/quickstart.yaml:16:")


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "null", "{}", '{"schema": "holdfast/verdict/v1"}'])
def test_a_file_that_is_no_verdict_is_told(tmp_path, text):
    (tmp_path / "reports").mkdir()
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match="verdict file"):
        read(tmp_path, STORED_ITEM)


@pytest.mark.parametrize(
    "name",
    [
        "reports/none.json",
        "reports",
        "reports/.hidden.json",
        "../outside.json",
        "reports/../reports/earlier.verdict.json",
        "./reports/earlier.verdict.json",
        "reports/two..dots.json",
        "reports/link.json",
        "/etc/hostname",
    ],
)
def test_a_file_that_a_run_folder_would_not_have_is_no_file(tmp_path, name):
    # absent; a folder; not sealed; outside; not one way to write it; renamed when kept; another file
    root = tmp_path / "project"
    for file in (FILE, "reports/.hidden.json", "reports/two..dots.json", "../outside.json"):
        verdict_file(root, file=file)
    (root / "reports" / "link.json").symlink_to("earlier.verdict.json")
    with pytest.raises(SpecError, match="no such file"):
        read(root, STORED_ITEM.replace(FILE, name))


def test_an_absolute_path_is_refused_even_when_it_leads_into_the_project(tmp_path):
    verdict_file(tmp_path)
    with pytest.raises(SpecError, match="no such file"):
        read(tmp_path, STORED_ITEM.replace(FILE, str(tmp_path / FILE)))


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (ITEM.replace("5%", "0%"), "two equal services can never be proved equal"),
        (ITEM.replace("5%", "100%"), "a margin of 100% always holds"),
        (ITEM.replace("5%", "5"), "without a unit"),
        (ITEM.replace("to: [baseline]", "to: [recovery]"), "phase 'recovery' cannot be compared with itself"),
        (ITEM.replace("to: [baseline]", "to: [lunch]"), "no phase named 'lunch'"),
        (ITEM.replace("to: [baseline]", "to: []"), "expected phases or a file"),
        (ITEM.replace("to: [baseline]", "to: 5"), "expected phases or a file"),
        (ITEM.replace("to: [baseline]", "to: [5]"), "expected phases or a file"),
        (ITEM.replace("to: [baseline], ", ""), "required key 'to' is missing"),
        (ITEM.replace("gateway/ttft", "gateway/tfft"), "no SLO named 'gateway/tfft'"),
        (ITEM.replace("[recovery]", "[warmup]"), "phase 'warmup' is not judged"),
    ],
)
def test_what_cannot_be_asked_is_told_once(tmp_path, item, told):
    with pytest.raises(SpecError) as caught:
        read(tmp_path, item)
    (problem,) = caught.value.problems
    assert told in problem.what
    assert problem.hint or "missing" in told or "unit" in told
