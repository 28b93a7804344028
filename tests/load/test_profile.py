"""Profiles are Locust's own config files; a wrong one is told whole, with line, caret and hint."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from holdfast.arrivals import processes, shapes
from holdfast.errors import SpecError
from holdfast.load.command import command
from holdfast.load.lengths import read_lengths
from holdfast.load.planned import planned
from holdfast.load.questions import read_questions
from holdfast.model.load import LoadProfile
from holdfast.spec.options import OPTIONS
from holdfast.spec.profile import make_profile, read_profile

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/load-profiles.md").read_text(encoding="utf-8")

WRONG = """\
# A comment
locustfile = loadtests/chat.py
arivals = poisson
rate = fast
prompt_tokens = 250
spread = -1   # no
rate = 3
just words
api-key = secret
request-timeout = 30
"""


def test_the_shipped_profiles_are_valid():
    peak = read_profile((ROOT / "loadtests/chat-peak.conf").read_text(), "loadtests/chat-peak.conf")
    assert peak == LoadProfile(
        name="chat-peak",
        arrivals="poisson",
        rate=12.0,
        prompt_tokens=250,
        answer_tokens=50,
        spread=0.6,
        trace=None,
        speed=1.0,
        max_in_flight=512,
        timeout=30.0,
        model="sim",
    )
    replay = read_profile((ROOT / "loadtests/chat-replay.conf").read_text(), "loadtests/chat-replay.conf")
    assert (replay.trace, replay.speed) == ("loadtests/traces/chat-small.csv", 2.0)
    assert (ROOT / replay.trace).is_file()


@pytest.mark.parametrize("path", sorted((ROOT / "loadtests").glob("*.conf")), ids=lambda path: path.stem)
def test_every_shipped_profile_offers_what_its_page_says(path):
    profile = read_profile(path.read_text(), str(path))
    assert len(planned(profile, seed=1, length=20.0, root=ROOT).arrivals) > 20
    assert f"| `{path.stem}` |" in PAGE


@pytest.mark.parametrize("name", [*processes.names(), *shapes.names()])
def test_every_process_and_every_shape_is_in_the_reference(name):
    assert f"| `{name}" in PAGE


def test_the_examples_of_the_reference_are_read():
    examples = re.findall(r"^\| `([a-z]+ \S+=[^`]+)` \|", PAGE, re.MULTILINE)
    assert len(examples) >= 7
    for text in examples:
        (processes if text.split()[0] in processes.names() else shapes).read(text)
    assert len(read_questions(PAGE.partition("```json\n")[2].partition("```")[0], "page")) == 4
    assert len(read_lengths("share" + PAGE.partition("```\nshare")[2].partition("```")[0], "page")) == 4


def test_comments_quotes_and_units_are_read_as_locust_reads_them():
    text = "; old style\n[section]\nmodel = 'a b'  # trailing\nrate = 90/m\nrequest-timeout = 1m30s\nhost = http://x\n"
    profile = read_profile(text, "x.conf")
    assert (profile.name, profile.model, profile.rate, profile.timeout) == ("x", "a b", 1.5, 90.0)


def test_every_problem_is_told_at_once_with_its_place():
    with pytest.raises(SpecError) as caught:
        read_profile(WRONG, "wrong.conf")
    found = {str(problem.where): problem for problem in caught.value.problems}
    assert {place: problem.what for place, problem in found.items()} == {
        "wrong.conf:3:1": "unknown setting arivals",
        "wrong.conf:5:1": "unknown setting prompt_tokens",
        "wrong.conf:6:10": "expected a number of at least 0, got '-1'",
        "wrong.conf:7:1": "rate is set twice",
        "wrong.conf:8:1": "not a setting",
        "wrong.conf:9:1": "api-key does not belong in a file",
        "wrong.conf:10:19": "expected a duration such as 250ms, 40s or 5m, got '30'",
    }
    assert found["wrong.conf:3:1"].hint == "did you mean arrivals?"
    assert found["wrong.conf:5:1"].hint == "did you mean prompt-tokens?"


def test_a_problem_shows_the_line_and_a_caret_under_the_value():
    with pytest.raises(SpecError) as caught:
        read_profile("rate = fast\n", "x.conf")
    assert str(caught.value) == (
        "x.conf:1:8: expected a number, got 'fast'\n"
        "    1 | rate = fast\n"
        "               ^^^^\n"
        "      hint: rate: requests per second, as 12 or 12/s or 90/m\n\n"
        "1 problem"
    )


@pytest.mark.parametrize("value", ["0", "nan", "inf", "-3", "", "1e999"])
def test_no_rate_that_offers_nothing_or_everything_passes(value):
    with pytest.raises(SpecError):
        read_profile(f"rate = {value}\n", "x.conf")


def test_a_trace_profile_must_name_its_trace():
    with pytest.raises(SpecError, match=r"x\.conf:1:1: arrivals = trace needs a trace file"):
        read_profile("arrivals = trace\n", "x.conf")


EVERYTHING = """\
arrivals = mmpp  high=5 share=10% run=30
shape = spike to=5 at=30s for=10s
rate = 90/m
lengths = lengths/chat.csv
prefix-tokens = 500
prefix-groups = 3
turns = 4
think = 1m30s
cache = bust
tenants = gold:3, free:1
models = a:0.8, org/b:7b:0.2
prompts = questions.jsonl
"""


def test_every_setting_reads_back_from_the_command_line_as_it_stood_in_the_file():
    profile = read_profile(EVERYTHING, "all.conf")
    assert (profile.arrivals, profile.shape) == ("mmpp high=5 share=10% run=30", "spike to=5 at=30s for=10s")
    assert (profile.think, profile.turns, profile.cache, profile.prefix_groups) == (90.0, 4, "bust", 3)
    replay = read_profile("arrivals = trace\ntrace = t.csv\ntrace-bin = 3s\n", "all.conf")
    for one in (profile, replay):
        words = command(
            one,
            locustfile=Path("loadtests/chat.py"),
            host="http://127.0.0.1:8080",
            records=Path("r.ndjson"),
            seed=7,
            length=75.5,
            epoch=None,
            python="python3",
        )
        said = {key.removeprefix("--"): value for key, value in pairwise(words) if key.startswith("--")}
        values = {
            option.key: option.read(said[option.key]) for option in OPTIONS if option.field and option.key in said
        }
        assert make_profile("all", values) == one


@pytest.mark.parametrize(
    ("line", "problem", "under", "hint"),
    [
        ("arrivals = poison", "no process 'poison'", "poison", "did you mean poisson?"),
        ("arrivals = burst", "no process 'burst'", "burst", "arrivals are trace, closed, or a process: constant"),
        ("arrivals = gamma cv=zero", "cv: expected a number of at least 0, got 'zero'", "cv=zero", "arrivals: "),
        ("shape = ramp to=2 over=60", "over: expected a duration such as 250ms", "over=60", "shape: "),
        ("shape = hill", "no shape 'hill'", "hill", "shapes are diurnal, flat, piecewise, ramp, spike, step"),
        ("tenants = gold:0", "expected names with weights above zero", "gold:0", "tenants: "),
        ("models = a, a", "a is named twice", "a, a", "models: "),
        ("turns = 0", "expected a whole number of at least 1", "0", "turns: "),
        ("think = 5", "expected a duration such as 250ms", "5", "think: "),
        ("cache = maybe", "expected share or bust, got 'maybe'", "maybe", "cache: "),
        ("prefix-tokens = -5", "expected a whole number of at least 0", "-5", "prefix-tokens: "),
        ("prefix-groups = 2", "groups share nothing without prefix-tokens", "prefix-groups", "add: prefix-tokens"),
        ("trace = x.csv", "a trace is named, but arrivals are poisson", "trace", "write arrivals = trace"),
    ],
)
def test_a_bad_setting_is_told_under_what_is_wrong_with_what_to_write(line, problem, under, hint):
    with pytest.raises(SpecError) as caught:
        read_profile(f"# a comment\n{line}\n", "x.conf")
    (found,) = caught.value.problems
    assert problem in found.what
    assert (found.where.line, found.source[found.where.column - 1 :][: found.width]) == (2, under)
    assert found.hint.startswith(hint)


def test_settings_that_do_not_go_together_are_told_all_at_once():
    text = "arrivals = trace\ntrace = x.csv\nturns = 3\nshape = step to=2 at=9s\n"
    with pytest.raises(SpecError) as caught:
        read_profile(text, "x.conf")
    assert [str(problem.where) for problem in caught.value.problems] == ["x.conf:3:1", "x.conf:4:1"]


def test_the_command_line_says_everything_and_no_secret(monkeypatch):
    monkeypatch.setenv("HOLDFAST_API_KEY", "s3cret")
    profile = read_profile((ROOT / "loadtests/chat-replay.conf").read_text(), "loadtests/chat-replay.conf")
    words = command(
        profile,
        locustfile=Path("loadtests/chat.py"),
        host="http://127.0.0.1:8080",
        records=Path("r.ndjson"),
        seed=7,
        length=75.5,
        epoch=1234.000001,
        python="python3",
    )
    said = dict(pairwise(words))
    assert words[:3] == ["python3", "-m", "locust"]
    assert (said["--length"], said["--epoch"], said["--seed"], said["--profile"]) == (
        "75.5s",
        "1234.000001",
        "7",
        "chat-replay",
    )
    assert (said["--arrivals"], said["--speed"], said["--request-timeout"]) == ("trace", "2.0", "60s")
    assert "s3cret" not in " ".join(words)
