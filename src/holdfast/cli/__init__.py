"""The command line: one verb a function; each maps words to a call below and an outcome to an exit code."""

from __future__ import annotations

import signal
import sys
import traceback
from typing import NoReturn

import click

from holdfast.cli.groups import Verbs
from holdfast.cli.options import say
from holdfast.errors import ExitCode, HoldfastError, SpecError

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_FILES = {
    "embedded": ("doctor", "up", "status", "logs", "down"),
    "runs": ("check", "schema", "plan", "run", "judge", "explain", "report", "gate"),
    "objectives": ("slo",),
    "budget": ("budget",),
    "load": ("load",),
    "chaos": ("chaos",),
    "gameday": ("gameday",),
    "capacity": ("capacity",),
    "engine": ("engine",),
}
_WHERE = {verb: f"{__name__}.{file}:{verb}" for file, verbs in _FILES.items() for verb in verbs}


def main() -> NoReturn:
    """Run a command and exit with its code; the only place that ends the process."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        code = cli.main(standalone_mode=False)
    except SpecError as error:
        say(str(error))
        code = error.exit_code
    except HoldfastError as error:
        say(f"holdfast: {error}" + (f"\n  hint: {error.hint}" if error.hint else ""))
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        say("interrupted")
        code = ExitCode.INTERRUPTED
    except Exception:  # noqa: BLE001 - Python would end with 1, which a pipeline reads as FAIL
        say(f"{traceback.format_exc()}\nholdfast: this is a bug of ours; please report it with the lines above")
        code = ExitCode.BUG
    sys.exit(int(code or 0))


def _terminated(_: int, __: object) -> NoReturn:
    """SIGTERM unwinds like Ctrl-C, so that whatever was half up is taken down."""
    raise SystemExit(int(ExitCode.TERMINATED))


@click.group(cls=Verbs, where=_WHERE, context_settings=_SETTINGS, no_args_is_help=True)
@click.version_option(package_name="holdfast")
def cli() -> None:
    """Prove under real load and real faults that an AI platform keeps its SLOs.

    \b
    holdfast up                                  start the embedded platform
    holdfast run scenarios/quickstart.yaml       load it, break it, judge it
    holdfast gate quickstart --up                all of that in one command
    """  # noqa: D301 - \b is click's mark for a paragraph that is not rewrapped
