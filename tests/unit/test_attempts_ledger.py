"""The ledger of attempts: each is on disk before it begins to touch anything, and what is not whole still counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from holdfast.errors import ExitCode, InfrastructureError
from holdfast.store.attempts import Ledger


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "runs" / "attempts.ndjson")


def states(ledger, key="k"):
    """How each attempt with that key ended; None where it never did."""
    return [one.end and one.end["state"] for one in ledger.of(key)]


def test_where_nothing_was_tried_there_is_no_attempt(ledger):
    assert ledger.of("k") == ()


def test_an_attempt_counts_from_its_beginning_and_has_the_end_it_wrote(ledger):
    ledger.begin("a", "k", gate="prod")
    assert states(ledger) == [None]
    ledger.end("a", state="PASS")
    ledger.begin("b", "k", gate="prod")
    ledger.begin("c", "another", gate="prod")
    assert states(ledger) == ["PASS", None]
    assert [one.id for one in ledger.of("k")] == ["a", "b"]


def test_attempts_that_overlap_are_kept_apart(ledger):
    ledger.begin("a", "k")
    ledger.begin("b", "k")
    ledger.end("b", state="FAIL")
    ledger.end("a", state="PASS")
    assert states(ledger) == ["PASS", "FAIL"]


def test_nobody_ends_an_attempt_again_with_a_better_word(ledger):
    ledger.begin("a", "k")
    ledger.end("a", state="FAIL")
    ledger.end("a", state="PASS")
    assert states(ledger) == ["FAIL"]


def cut(ledger, characters):
    """What a killed process leaves of the last line."""
    text = ledger.path.read_text()
    ledger.path.write_text(text[:-characters])


def test_an_end_that_was_cut_short_never_happened(ledger):
    ledger.begin("a", "k")
    ledger.end("a", state="PASS")
    cut(ledger, 5)
    assert states(ledger) == [None]
    ledger.begin("b", "k")
    ledger.end("b", state="PASS")
    assert states(ledger) == [None, "PASS"]


def test_a_beginning_that_was_cut_short_counts_for_everybody(ledger):
    # Nobody can say whose it was.
    ledger.begin("a", "k")
    cut(ledger, 3)
    assert states(ledger) == [None]
    assert states(ledger, "another") == [None]
    ledger.begin("b", "k")
    assert states(ledger) == [None, None]
    assert states(ledger, "another") == [None]


def test_a_line_that_lost_nothing_but_its_end_of_line_is_whole(ledger):
    ledger.begin("a", "k")
    ledger.end("a", state="PASS")
    cut(ledger, 1)
    assert states(ledger) == ["PASS"]
    ledger.begin("b", "k")
    assert states(ledger) == ["PASS", None]


def test_every_byte_at_which_a_writer_may_die_leaves_a_ledger_that_can_be_read(ledger):
    ledger.begin("a", "k")
    ledger.end("a", state="PASS")
    whole = ledger.path.read_bytes()
    begun = whole.index(b"\n") + 1
    for length in range(len(whole) + 1):
        ledger.path.write_bytes(whole[:length])
        found = states(ledger)
        # Never fewer attempts than there were. One more, while the first letters of a line could begin another.
        assert (1 if length else 0) <= len(found) <= (1 if length <= begun else 2)
        assert "PASS" not in found or length >= len(whole) - 1


@pytest.mark.parametrize(
    "line",
    ["nonsense", '{"kind": "beg', "[]", "7", '{"kind": "end", "attempt": "unheard of"}', '{"kind": "other"}', "{}"],
)
def test_damage_that_no_killed_writer_does_is_refused(ledger, line):
    ledger.begin("a", "k")
    with ledger.path.open("a") as file:
        file.write(f"{line}\n")
    ledger.path.write_text(ledger.path.read_text() + json.dumps({"kind": "begin", "attempt": "b", "key": "k"}) + "\n")
    with pytest.raises(InfrastructureError, match="cannot be read"):
        ledger.of("k")


def test_a_ledger_that_cannot_be_read_or_written_is_no_empty_one(ledger):
    ledger.path.mkdir(parents=True)
    for act in (lambda: ledger.of("k"), lambda: ledger.begin("a", "k"), lambda: ledger.end("a", state="PASS")):
        with pytest.raises(InfrastructureError, match="attempts cannot be counted") as caught:
            act()
        assert caught.value.exit_code is ExitCode.INFRASTRUCTURE


def test_bytes_that_are_no_text_are_refused(ledger):
    ledger.begin("a", "k")
    ledger.path.write_bytes(b"\xff\xfe\n" + ledger.path.read_bytes())
    with pytest.raises(InfrastructureError):
        ledger.of("k")


WRITES = """
import os, signal, sys
from pathlib import Path
from holdfast.store.attempts import Ledger

Ledger(Path(sys.argv[1])).begin("a", "k")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_is_killed_right_after_it_began_has_begun(ledger):
    subprocess.run([sys.executable, "-c", WRITES, str(ledger.path)], check=False, timeout=60, env=os.environ)
    assert states(ledger) == [None]


MANY = """
import sys
from pathlib import Path
from holdfast.store.attempts import Ledger

ledger, who = Ledger(Path(sys.argv[1])), sys.argv[2]
for number in range(20):
    ledger.begin(f"{who}-{number}", "k")
    ledger.end(f"{who}-{number}", state="PASS")
"""


def test_processes_that_write_at_once_lose_nothing(ledger):
    writers = [subprocess.Popen([sys.executable, "-c", MANY, str(ledger.path), who]) for who in ("a", "b", "c")]
    assert [one.wait(60) for one in writers] == [0, 0, 0]
    assert states(ledger) == ["PASS"] * 60
