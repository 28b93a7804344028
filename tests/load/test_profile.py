"""Profiles are Locust's own config files; a wrong one is told whole, with line, caret and hint."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from holdfast.errors import SpecError
from holdfast.load.command import command
from holdfast.model.load import LoadProfile
from holdfast.spec.profile import read_profile

ROOT = Path(__file__).parents[2]

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
    with pytest.raises(SpecError, match="names no trace"):
        read_profile("arrivals = trace\n", "x.conf")


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
