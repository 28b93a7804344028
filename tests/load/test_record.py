"""The record file: readable to its last whole line, never written over, and importable without gevent."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from holdfast.load.prompt import Prompts, chat_body
from holdfast.load.record import Beat, RecordWriter, RequestRecord
from holdfast.model.load import Arrival, LoadProfile
from holdfast.spec.profile import make_profile

PROFILE: LoadProfile = make_profile("chat", {})
REQUEST = RequestRecord(id=3, due=0.25, outcome="dropped", prompt_tokens=10, asked_tokens=5, model="sim")


def test_the_lines_of_a_record(tmp_path):
    path = tmp_path / "r.ndjson"
    writer = RecordWriter(path)
    writer.start(planned=1, seed=7, epoch_monotonic=100.0, epoch_wall=1.7e9, profile=PROFILE)
    writer.request(REQUEST)
    writer.beat(Beat(t=0.25, lag=0.001, cpu=0.1, in_flight=0, offered=1, sent=0))
    writer.end(t=1.0, planned=1, sent=0, dropped=1)
    writer.close()
    start, request, beat, end = map(json.loads, path.read_text().splitlines())
    assert (start["kind"], start["planned"], start["profile"]["name"]) == ("start", 1, "chat")
    assert request == {
        "kind": "request",
        "id": 3,
        "due": 0.25,
        "sent": None,
        "first": None,
        "last": None,
        "done": None,
        "status": None,
        "outcome": "dropped",
        "error": "",
        "prompt_tokens": 10,
        "asked_tokens": 5,
        "tokens": 0,
        "max_gap": None,
        "model": "sim",
        "written": None,
        "headers": None,
        "ended": None,
        "finish": "",
        "cached_tokens": None,
        "counted": "events",
        "tenant": "",
        "session": "",
        "at": [],
        "kinds": "",
        "counts": None,
        "content": "",
    }
    assert beat == {"kind": "beat", "t": 0.25, "lag": 0.001, "cpu": 0.1, "in_flight": 0, "offered": 1, "sent": 0}
    assert end == {"kind": "end", "t": 1.0, "planned": 1, "sent": 0, "dropped": 1}


def test_every_line_is_on_disk_as_soon_as_it_is_written(tmp_path):
    path = tmp_path / "r.ndjson"
    writer = RecordWriter(path)
    writer.request(REQUEST)
    assert path.read_bytes().endswith(b"}\n")
    writer.close()


def test_a_record_is_never_written_over(tmp_path):
    RecordWriter(tmp_path / "r.ndjson").close()
    with pytest.raises(FileExistsError):
        RecordWriter(tmp_path / "r.ndjson")


def test_a_number_that_is_none_is_refused(tmp_path):
    writer = RecordWriter(tmp_path / "r.ndjson")
    with pytest.raises(ValueError, match="not JSON compliant"):
        writer.beat(Beat(t=float("nan"), lag=0.0, cpu=0.0, in_flight=0, offered=0, sent=0))
    writer.close()


@pytest.mark.parametrize(
    "module", ["load.record", "load.sse", "load.trace", "load.command", "load.prompt", "model.load"]
)
def test_what_others_import_brings_neither_gevent_nor_locust(module):
    code = f"import sys, holdfast.{module}; sys.exit(any(name in sys.modules for name in ('gevent', 'locust')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("module", ["load.transport", "load.dispatch", "load.pacer"])
def test_only_the_face_imports_locust(module):
    code = f"import sys, holdfast.{module}; sys.exit('locust' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_prompts_have_the_wanted_length_and_start_like_no_other():
    prompts = Prompts(seed=7)
    texts = [prompts.text(number, 250) for number in range(50)]
    # 250 tokens at 0.75 words a token are 187.5 words.
    assert {len(text.split()) for text in texts} == {188}
    assert len({text.split()[0] for text in texts}) == 50
    assert texts == [Prompts(seed=7).text(number, 250) for number in range(50)]
    assert texts[0] != Prompts(seed=8).text(0, 250)


@pytest.mark.parametrize(("tokens", "words"), [(1, 1), (2, 2), (4, 3), (5461, 4096), (5463, 4097), (20_000, 15_000)])
def test_prompts_longer_than_the_text_they_are_cut_from(tokens, words):
    assert len(Prompts(seed=1).text(3, tokens).split()) == words


def test_the_body_asks_for_a_stream_with_usage():
    body = json.loads(chat_body("hi", Arrival(due=0.0, prompt_tokens=1, answer_tokens=9), "sim"))
    assert (body["stream"], body["stream_options"], body["max_tokens"]) == (True, {"include_usage": True}, 9)
    assert body["messages"] == [{"role": "user", "content": "hi"}]
