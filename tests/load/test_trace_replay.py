"""The benchmark of replays keeps running, and what it makes up is replayed within its limits."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_made_up_traces_are_replayed_within_the_limits():
    words = [sys.executable, ROOT / "benchmarks/trace_replay.py", "--length", "600"]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.findall(r"^(\w+)-shaped", ended.stdout, re.MULTILINE) == ["azure", "burstgpt", "mooncake"]
    assert "off" not in ended.stdout
