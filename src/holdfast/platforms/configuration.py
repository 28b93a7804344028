"""Files that the platform's programs read: supervisord.conf and Prometheus's targets. Pure text from processes."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from holdfast.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from holdfast.platforms.layout import Layout
    from holdfast.platforms.processes import Process

STOP_SECONDS = 3
"""How long a process may take to end after SIGTERM before it gets SIGKILL."""


def supervisord(processes: Sequence[Process], *, where: Layout, socket: Path, setpriv: str) -> str:
    """supervisord.conf; with `setpriv` (its path, or "") every process dies with supervisord, by the kernel's hand."""
    head = _section(
        "supervisord",
        logfile=str(where.log("supervisord")),
        logfile_maxbytes="5MB",
        logfile_backups="1",
        pidfile=str(where.config / "supervisord.pid"),
        childlogdir=str(where.logs),
        directory=str(where.state),
        umask="077",
    )
    parts = [
        _section("unix_http_server", file=str(socket), chmod="0700"),
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n",
        _section("supervisorctl", serverurl=f"unix://{socket}"),
        head,
        *(_program(one, number, where, setpriv) for number, one in enumerate(processes)),
    ]
    return "\n".join(parts)


def _program(process: Process, order: int, where: Layout, setpriv: str) -> str:
    return _section(
        f"program:{process.name}",
        command=command_line(process, setpriv),
        directory=str(where.data / process.name),
        priority=str(order + 1),
        autostart="true",
        autorestart="true",
        startsecs="1",
        startretries="1000000",
        stopsignal="TERM",
        stopwaitsecs=str(STOP_SECONDS),
        stopasgroup="true",
        killasgroup="true",
        redirect_stderr="true",
        stdout_logfile=str(where.log(process.name)),
        stdout_logfile_maxbytes="10MB",
        stdout_logfile_backups="2",
    )


def command_line(process: Process, setpriv: str) -> str:
    """The shell-quoted words: the death signal first, then the environment, then the program; all exec, one pid."""
    words = [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
    words += ["env", *(f"{name}={value}" for name, value in process.environment)] if process.environment else []
    return shlex.join([*words, *process.command])


def _section(name: str, **values: str) -> str:
    return f"[{name}]\n" + "".join(f"{key} = {_value(value)}\n" for key, value in values.items())


def _value(text: str) -> str:
    # supervisord expands %(name)s and takes " ;" and " #" for the start of a comment, even between quotes.
    if re.search(r"[\r\n\0]|\s[;#]", text):
        raise UsageError(f"supervisord cannot read a line break, ' ;' or ' #' in {text!r}", hint="use another folder")
    return text.replace("%", "%%")


def targets(processes: Sequence[Process]) -> dict[str, str]:
    """For every role with metrics, the text of ROLE.json in Prometheus's file_sd format: job is the role."""
    groups: dict[str, list[dict[str, object]]] = {}
    for one in processes:
        if one.metrics:
            url = urlsplit(one.metrics)
            labels = {"job": one.role, "instance": one.name, "__metrics_path__": url.path}
            groups.setdefault(one.role, []).append({"targets": [url.netloc], "labels": labels})
    return {f"{role}.json": json.dumps(found, indent=2) + "\n" for role, found in groups.items()}
