"""The promtool of a Prometheus 3: its windows leave out their first moment, and it knows native histograms."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

import pytest

VARIABLE = "HOLDFAST_PROMTOOL3"
# Samples at 4m and 5m: a window of a minute that ends at 5m has one of them since Prometheus 3, and had two before.
_PROBE = """
tests:
  - interval: 1m
    input_series: [{series: x, values: 0x9}]
    promql_expr_test: [{expr: "count_over_time(x[1m])", eval_time: 5m, exp_samples: [{labels: "{}", value: 1}]}]
"""


def promtool_three() -> Path:
    """Named by the environment or on PATH, whatever it says its version is; skips the test where there is none."""
    found = _found(os.environ.get(VARIABLE) or "promtool")
    if found is None:
        pytest.skip(f"needs the promtool of a Prometheus 3 on PATH, or named by {VARIABLE}")
    return found


@lru_cache
def _found(name: str) -> Path | None:
    program = shutil.which(name)
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "probe.yaml"
        probe.write_text(_PROBE, encoding="utf-8")
        done = subprocess.run([program, "test", "rules", probe], capture_output=True, check=False)
    return Path(program) if done.returncode == 0 else None
