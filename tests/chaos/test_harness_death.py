"""Wherever in its life a harness ends, and by whichever signal: nothing of its fault is left after the lease."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.mark.parametrize("fault", ["stop", "kill"])
def test_six_deaths_at_seeded_moments_leave_nothing(stand_ins, platform_reaper, fault):
    words = ["--fault", fault, "--instants", "6", "--lease", "2", "--state", str(stand_ins)]
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "harness_death.py", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 of 6 left a fault" in done.stdout
    assert platform_reaper.poll() is None
