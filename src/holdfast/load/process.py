"""The load generator as a child process: started with its key in the environment, gone when its parent is gone."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(slots=True)
class LoadProcess:
    """One running generator; `log` holds everything it prints."""

    process: subprocess.Popen[bytes]
    log: Path

    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self.process.poll()

    def stop(self, seconds: float) -> None:
        """End it, politely first; returns when it is gone."""
        if self.alive():
            self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def last_words(self) -> str:
        """The end of its log, for whoever must find out why it stopped."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])


def start(command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], log: Path) -> LoadProcess:
    """Start the generator in a session of its own: Ctrl-C is for the harness, which then ends the load in order.

    Where util-linux is there, the kernel kills the child when the harness dies, even by kill -9.
    """
    setpriv = shutil.which("setpriv", path=environment.get("PATH"))
    guard = [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*guard, *command],
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return LoadProcess(process, log)
