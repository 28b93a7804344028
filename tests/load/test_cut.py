"""A generator that is told to stop: exactly what was due before that second is offered, and all of it is drained."""

from __future__ import annotations

import math
import time

import pytest

from holdfast.load import cut
from holdfast.load.command import command
from holdfast.model.load import schedule
from holdfast.spec.profile import make_profile


@pytest.fixture
def offer(locust, tmp_path):
    """Starts Locust with a profile for 30 s; its record is at `path`."""

    def start(url, profile):
        path = tmp_path / "records.ndjson"
        words = command(
            profile,
            locustfile="loadtests/chat.py",
            host=url,
            records=path,
            seed=7,
            length=30.0,
            epoch=None,
            python="python",
        )
        return locust(*words[3:]), path

    return start


def test_nobody_who_says_nothing_is_heard(tmp_path):
    assert cut.Ears().until() == math.inf
    assert cut.Ears(cut.place(tmp_path / "load.ndjson")).until() == math.inf


@pytest.mark.parametrize("second", [0.0, 12.3, 1e-7, 123456.7])
def test_what_is_told_is_heard_to_the_last_digit(tmp_path, second):
    cut.tell(tmp_path / "load.ndjson", second)
    assert cut.Ears(cut.place(tmp_path / "load.ndjson")).until() == second


@pytest.mark.parametrize("text", ["", "soon", "nan", "12s"])
def test_a_word_that_is_no_second_is_an_error_and_no_load(tmp_path, text):
    place = cut.place(tmp_path / "load.ndjson")
    place.write_text(text)
    with pytest.raises(OSError, match="does not say when to stop"):
        cut.Ears(place).until()


@pytest.mark.e2e
def test_a_load_of_30_s_that_is_cut_offers_what_was_due_before_and_drains_it(server, offer, lines, until):
    # Answers of 40 tokens at 20 ms: those under way at the cut last 0.8 s longer.
    profile = make_profile("cut", {"arrivals": "poisson", "rate": 40.0, "answer-tokens": 40, "spread": 0.0})
    began = time.monotonic()
    process, path = offer(server.url("slow"), profile)
    until(lambda: path.exists() and len(lines(path, "request")) > 10)
    second = math.ceil((lines(path, "beat")[-1]["t"] + 0.5) * 10) / 10
    cut.tell(path, second)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0, output
    assert time.monotonic() - began < 20
    requests = sorted(lines(path, "request"), key=lambda line: line["id"])
    planned = [one.due for one in schedule(profile, seed=7, length=30.0)]
    assert [line["due"] for line in requests] == [due for due in planned if due < second]
    assert {line["outcome"] for line in requests} == {"ok"}
    assert max(line["done"] for line in requests) > second
    (end,) = lines(path, "end")
    assert (end["planned"], end["sent"]) == (len(planned), len(requests))


@pytest.mark.e2e
def test_a_load_that_waits_long_for_its_next_request_hears_too(server, offer, lines, until):
    # One request in a hundred seconds: the generator is waiting for the end when it is told.
    profile = make_profile("rare", {"arrivals": "constant", "rate": 0.01})
    process, path = offer(server.url("ok"), profile)
    until(lambda: path.exists() and lines(path, "request"))
    cut.tell(path, lines(path, "beat")[-1]["t"] + 0.5)
    output, _ = process.communicate(timeout=10)
    assert process.returncode == 0, output
    assert len(lines(path, "end")) == 1


@pytest.mark.e2e
def test_an_old_word_beside_a_new_record_is_refused(server, offer, tmp_path):
    cut.tell(tmp_path / "records.ndjson", 1.0)
    process, path = offer(server.url("ok"), make_profile("refused", {"arrivals": "constant", "rate": 5.0}))
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 2, output
    assert "it would cut this load short" in output
    assert not path.exists()
