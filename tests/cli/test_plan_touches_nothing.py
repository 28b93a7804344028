"""`holdfast plan` has no side effect: an audit hook in a real process sees every file, socket and process it opens."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys

import pytest

from bench import make_bench

pytestmark = pytest.mark.slow

SPY = r"""
import json, os, sys

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
EFFECTS = (
    "socket.bind", "socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.sendmsg", "socket.__new__",
    "subprocess.", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile",
    "os.kill", "os.killpg", "signal.pthread_kill", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link",
    "os.symlink", "os.truncate", "os.chmod", "os.chown", "os.chflags", "os.lockf", "os.utime", "os.setxattr",
    "os.removexattr", "fcntl.", "shutil.", "tempfile.", "sqlite3.", "urllib.",
)
seen = []

def spy(event, arguments):
    if event == "open":
        path, _, flags = arguments
        if flags & WRITES:
            seen.append(["open for writing", str(path)])
    elif event.startswith(EFFECTS):
        seen.append([event, repr(arguments)])

sys.addaudithook(spy)
from holdfast.cli import main
try:
    main()
except SystemExit as end:
    code = end.code
sys.stdout.flush()
print(json.dumps({"code": code, "seen": seen}))
"""


@pytest.fixture
def bench(tmp_path):
    return make_bench(tmp_path)


def watched(bench, *words):
    """Exit code, what was printed, and the effects that the hook saw."""
    environment = {**bench.environment(), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SPY, *words],
        cwd=bench.root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    told = json.loads(last)
    return told["code"], "\n".join(lines), [tuple(one) for one in told["seen"]]


def digest(folder):
    """Names, contents, modes and times of everything below a folder."""
    found = hashlib.sha256()
    for path in sorted([folder, *folder.rglob("*")]):
        status = path.lstat()
        found.update(f"{path.relative_to(folder)} {status.st_mode} {status.st_mtime_ns} {status.st_size}\n".encode())
        found.update(path.read_bytes() if path.is_file() else b"")
    return found.hexdigest()


@pytest.mark.parametrize("more", [[], ["--json"]], ids=["text", "json"])
def test_plan_opens_nothing_for_writing_and_speaks_to_nobody(bench, more):
    hopeless = bench.root / "scenarios/hopeless.yaml"
    text = (bench.root / "scenarios/quickstart.yaml").read_text()
    hopeless.write_text(re.sub(r"objective: [\d.]+%", "objective: 99.99%", text))
    before = digest(bench.root.parent)
    code, shown, effects = watched(bench, "plan", "scenarios/quickstart.yaml", "scenarios/hopeless.yaml", *more)
    assert (code, "cannot pass" in shown) == (10, True)
    assert effects == []
    assert digest(bench.root.parent) == before


def test_the_hook_sees_what_another_command_writes(bench):
    (bench.root / "slos/rules/gateway.yaml").unlink()
    before = digest(bench.root.parent)
    code, _, effects = watched(bench, "slo", "generate")
    assert code == 0
    assert [path for what, path in effects if what == "open for writing" and "gateway.yaml" in path]
    assert digest(bench.root.parent) != before


@pytest.mark.skipif(shutil.which("git") is None, reason="the gate asks git, which is not installed")
def test_the_hook_sees_what_another_command_asks_of_other_processes(bench):
    _, _, effects = watched(bench, "gate", "quickstart")
    assert [what for what, _ in effects if what == "subprocess.Popen"]
