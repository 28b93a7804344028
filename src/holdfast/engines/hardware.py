"""The machine this runs on, in the words of its own files: no name, no address."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

_SECONDS: Final = 10
_GPU: Final = ("name", "driver_version", "memory.total")


def describe(proc: Path = Path("/proc")) -> dict[str, Any]:
    """CPU model, usable CPUs, memory in GiB, kernel, and GPUs where nvidia-smi tells of them."""
    return {
        "cpu": _field(proc / "cpuinfo", "model name"),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gib": _gib(_field(proc / "meminfo", "MemTotal")),
        "kernel": platform.release(),
        "gpus": gpus(shutil.which("nvidia-smi")),
    }


def gpus(program: str | None) -> list[str]:
    """Name, driver and memory of each GPU; none where there is no program to ask, or no answer."""
    if program is None:
        return []
    words = [program, f"--query-gpu={','.join(_GPU)}", "--format=csv,noheader"]
    try:
        told = subprocess.run(words, capture_output=True, text=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in told.stdout.splitlines() if line.strip()]


def _field(path: Path, name: str) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "unknown"
    found = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in found if key.strip() == name), "unknown")


def _gib(text: str) -> float | None:
    number = text.partition(" ")[0]
    return round(int(number) / 2**20, 1) if number.isdigit() else None
