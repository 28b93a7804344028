"""Starts one real vLLM: `python -m refplatform.vllm --program vllm -- --port 8000`; after -- stands what vLLM reads."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from refplatform.process import EXIT_USAGE
from refplatform.vllm import leash, tiny
from refplatform.vllm.interpreter import interpreter

if TYPE_CHECKING:
    from collections.abc import Mapping

PROG: Final = "refplatform.vllm"
TINY: Final = "tiny"
"""The name of the model that is made here rather than found."""
MAKING_SECONDS: Final = 120.0


def main() -> None:
    """Make the tiny model where it is wanted, then run vLLM until it ends."""
    args = _arguments()
    environ = {**os.environ, "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    if args.weights == TINY:
        _make(args.program, args.folder)
        # Everything is in the folder; a question to a hub could only fail or wait.
        environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    model = str(args.folder) if args.weights == TINY else args.weights
    os.nice(args.nice)
    command = [str(args.program), "serve", model, *args.words, *shlex.split(args.arguments)]
    sys.stdout.write(f"{PROG}: {' '.join(command)}\n")
    sys.stdout.flush()
    try:
        sys.exit(leash.run(command, environ))
    except OSError as error:
        _refuse(f"cannot start {args.program}: {error.strerror}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=PROG,
        description="One real vLLM that leaves nothing behind.",
        epilog=f"Example: python -m {PROG} --program ~/vllm/bin/vllm -- --port 8000",
    )
    parser.add_argument("--program", type=Path, required=True, help="the command vllm")
    parser.add_argument(
        "--weights", default=TINY, help="what vLLM serves; tiny: a model with random weights, made here"
    )
    parser.add_argument("--folder", type=Path, default=Path("tiny"), help="where the tiny model is made")
    parser.add_argument("--nice", type=int, default=0, help="how far to stand back on shared cores, 0 to 19")
    parser.add_argument("--arguments", default="", help="more of them in one text, quoted as in a shell")
    parser.add_argument("words", nargs="*", metavar="WORD", help="after --: arguments of vllm serve")
    return parser.parse_args()


def _make(program: Path, folder: Path) -> None:
    python = interpreter(program)
    if python is None:
        _refuse(f"{program} is no Python script, so the tiny model cannot be made: name another with --weights")
    made = subprocess.run(
        [python, tiny.__file__, folder],
        env=_bare(os.environ),
        capture_output=True,
        text=True,
        timeout=MAKING_SECONDS,
        check=False,
    )
    if made.returncode:
        _refuse(f"the tiny model could not be made by {python}: {made.stderr.strip()[-2000:]}")


def _bare(environ: Mapping[str, str]) -> dict[str, str]:
    """Without what would lead that Python to our packages."""
    return {name: value for name, value in environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}


def _refuse(message: str) -> NoReturn:
    sys.stderr.write(f"{PROG}: {message}\n")
    sys.exit(EXIT_USAGE)


if __name__ == "__main__":
    main()
