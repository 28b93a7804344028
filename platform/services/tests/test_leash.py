"""What runs on the leash leaves nothing behind: whoever dies first, of the program, its children, or those above it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from refplatform.vllm import leash
from refplatform.vllm.interpreter import interpreter
from refplatform.vllm.leash import Row

CHILD = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"
PROGRAM = f"""#!{sys.executable}
# As vLLM is: a server, a core, and the core's worker, which know nothing of a supervisor and ignore a polite stop.
import json, os, pathlib, signal, subprocess, sys
core = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {CHILD!r}]).pid, flush=True); {CHILD}"
first = subprocess.Popen([sys.executable, "-c", core], env={{}}, stdout=subprocess.PIPE)
worker = int(first.stdout.readline())
note = dict(words=sys.argv[1:], pids=[os.getpid(), first.pid, worker])
pathlib.Path("note.new").write_text(json.dumps(note))
os.rename("note.new", "note.json")
signal.pause()
"""
ABOVE = "import subprocess, sys; subprocess.Popen(sys.argv[1:]).wait()"


def alive(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


class Started:
    """A leash in a process group of its own, as a supervisor starts it, with a program that has two descendants."""

    def __init__(self, folder, eventually, *above):
        self.folder, self._eventually = folder, eventually
        program = folder / "vllm"
        program.write_text(PROGRAM)
        program.chmod(0o755)
        command = [sys.executable, "-m", "refplatform.vllm", "--program", program, "--weights", "some/model"]
        command += ["--arguments=--dtype 'a b'", "--"]
        self.process = subprocess.Popen([*above, *map(str, command), "--port", "1"], cwd=folder, process_group=0)
        note = folder / "note.json"
        eventually(note.exists)
        self.note = json.loads(note.read_text())
        self.pids = self.note["pids"]
        note.unlink()

    def gone(self):
        self._eventually(lambda: not any(map(alive, self.pids)))


@pytest.fixture
def start(tmp_path, web):
    started = []

    def begin(*above):
        started.append(Started(tmp_path, web.eventually, *above))
        return started[-1]

    yield begin
    for one in started:
        one.process.kill()
        one.process.wait(10)
        for pid in one.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_the_program_is_told_what_stands_after_the_dashes(start):
    assert start().note["words"] == ["serve", "some/model", "--port", "1", "--dtype", "a b"]


def test_when_the_program_dies_so_does_what_it_started_and_the_leash_says_how(start):
    one = start()
    os.kill(one.pids[0], signal.SIGKILL)
    assert one.process.wait(10) == 128 + signal.SIGKILL
    one.gone()


def test_a_polite_stop_ends_also_those_who_ignore_it(start):
    one = start()
    one.process.terminate()
    one.process.wait(leash.GRACE_SECONDS + 5)
    one.gone()


def test_the_death_of_the_supervisor_ends_everything(start):
    one = start(sys.executable, "-c", ABOVE)
    one.process.kill()
    one.gone()


def test_after_a_kill_of_the_leash_itself_the_next_one_clears_away_what_was_left(start):
    one = start()
    one.process.kill()
    one.process.wait(10)
    assert any(map(alive, one.pids))  # the core knows of no parent; its server went with the leash
    start()
    one.gone()


def test_descendants_are_children_and_theirs():
    rows = [Row(pid=pid, parent=parent, group=1, session=1) for pid, parent in [(5, 4), (2, 1), (3, 2), (4, 3), (9, 8)]]
    assert set(leash.descendants(rows, of=2)) == {3, 4, 5}
    assert leash.descendants(rows, of=7) == ()


def test_without_a_group_of_its_own_nobody_is_taken_for_a_leftover():
    here = Row(pid=os.getpid(), parent=1, group=1, session=1)
    assert leash.leftovers([here, Row(pid=os.getppid(), parent=1, group=7, session=1)], me=os.getpid()) == ()


@pytest.mark.parametrize(
    ("first", "found"),
    [("#!/opt/x/bin/python3.12\n", "/opt/x/bin/python3.12"), ("#!/bin/sh\n", None), ("\x7fELF", None), ("", None)],
)
def test_a_console_script_names_its_python(tmp_path, first, found):
    script = tmp_path / "vllm"
    script.write_text(first)
    assert interpreter(script) == (Path(found) if found else None)
    assert interpreter(tmp_path / "none") is None
