"""The face: one Locust user whose only task offers the whole schedule. Importing it imports Locust and its patches."""

from __future__ import annotations

import argparse
import gc
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import gevent
from locust import User, events
from locust.exception import StopUser

from holdfast.errors import ExitCode, SpecError
from holdfast.load import cut
from holdfast.load.dispatch import PATH, Dispatcher, Work
from holdfast.load.record import RecordWriter
from holdfast.load.trace import read_trace
from holdfast.load.transport import Client, Deadlines
from holdfast.model.load import schedule
from holdfast.spec.profile import OPTIONS, Option, make_profile

if TYPE_CHECKING:
    from locust.env import Environment

    from holdfast.load.record import RequestRecord
    from holdfast.model.load import Arrival, LoadProfile, TraceRow

NO_HOST = "name the server: --host http://127.0.0.1:8080"
CONNECT_SECONDS = 5.0
SOON = 0.5
"""Seconds from now to time zero when nobody gave an epoch."""


class LoadRefusedError(Exception):
    """The options do not make a load; said to the user, exit code 2."""


def add_options(parser: Any, **_: object) -> None:
    """Give Locust's command line the engine's options."""
    for option in OPTIONS:
        secret = {"env_var": "HOLDFAST_API_KEY", "is_secret": True} if option.key == "api-key" else {}
        parser.add_argument(
            f"--{option.key}",
            type=_reader(option),
            default=option.default,
            help=option.help.replace("%", "%%"),
            include_in_web_ui=False,
            **secret,
        )


def _reader(option: Option) -> Any:
    def read(text: str) -> Any:
        try:
            return option.read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return read


def refuse_early(environment: Environment, **_: object) -> None:
    """Exit with code 2 and a message before anything starts, when the options do not make a load."""
    if not any(issubclass(user, ChatUser) for user in environment.user_classes):
        return
    options = environment.parsed_options
    try:
        _refuse(options)
        plan(options)
    except (LoadRefusedError, SpecError) as error:
        _exit(str(error))


def _exit(message: str) -> NoReturn:
    sys.stderr.write(f"holdfast load: {message}\n")
    sys.exit(ExitCode.USAGE)


def _refuse(options: Any) -> None:
    if options.master or options.worker or options.processes:
        raise LoadRefusedError("one process offers the whole schedule: start without --master, --worker, --processes")
    records = Path(options.records) if options.records else None
    if records and records.exists():
        raise LoadRefusedError(f"{records} exists: a record is never written over")
    if records and cut.place(records).exists():
        raise LoadRefusedError(f"{cut.place(records)} exists: it would cut this load short")
    if records and not records.parent.is_dir():
        raise LoadRefusedError(f"{records}: there is no folder {records.parent}")
    if options.headless and not options.host:
        raise LoadRefusedError(NO_HOST)
    now = time.monotonic()
    if options.epoch is not None and not now - options.length < options.epoch < now + 3600:
        raise LoadRefusedError(
            f"--epoch {options.epoch:.3f} is {options.epoch - now:+.0f}s from now; it counts seconds of CLOCK_MONOTONIC"
        )


def plan(options: Any) -> tuple[LoadProfile, tuple[Arrival, ...]]:
    """The profile and schedule that Locust's parsed options make. Raises LoadRefusedError or SpecError."""
    values = {option.key: getattr(options, option.key.replace("-", "_")) for option in OPTIONS if option.field}
    name = options.profile or (Path(options.config).stem if options.config else "chat")
    try:
        profile = make_profile(name, values)
        trace: tuple[TraceRow, ...] = ()
        if profile.arrivals == "trace" and profile.trace:
            text = Path(profile.trace).read_text(encoding="utf-8")
            trace = read_trace(text, profile.trace, start=profile.trace_start)
        return profile, schedule(profile, seed=options.seed, length=options.length, trace=trace)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise LoadRefusedError(str(error)) from error


class ChatUser(User):  # type: ignore[misc]  # Locust's User is untyped
    """Offers the schedule that the options describe, then ends the test.

    The exit code is 0 when the whole schedule was offered, whatever the answers were: the record, not Locust, judges
    them. It is 75 when the run was ended before, or the records could not be written.
    """

    fixed_count = 1

    def offer(self) -> None:
        """The single task: it returns when the schedule is done and drained."""
        environment = self.environment
        environment.process_exit_code = int(ExitCode.INFRASTRUCTURE)
        try:
            self._offer(environment.parsed_options)
            environment.process_exit_code = int(ExitCode.PASS)
        except (LoadRefusedError, SpecError) as error:
            environment.process_exit_code = int(ExitCode.USAGE)
            sys.stderr.write(f"holdfast load: {error}\n")
        except OSError as error:
            sys.stderr.write(f"holdfast load: the load could not be offered: {error}\n")
        except Exception:
            environment.process_exit_code = int(ExitCode.BUG)
            finish(environment)
            raise
        finish(environment)
        raise StopUser

    tasks = (offer,)

    def _offer(self, options: Any) -> None:
        profile, arrivals = plan(options)
        client = _client(self.host or options.host, profile.timeout)
        record = _open_record(options.records)
        # What lives now lives to the end: the collector need not look at it, and its pauses would be in every stamp.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 50, 50)
        try:
            work = Work(
                profile=profile,
                arrivals=arrivals,
                seed=options.seed,
                length=options.length,
                epoch=options.epoch if options.epoch is not None else time.monotonic() + SOON,
                api_key=options.api_key,
                record=record,
                tell=self._tell,
                until=cut.Ears(cut.place(Path(options.records)) if options.records else None).until,
            )
            Dispatcher(work, client).run()
        finally:
            client.close()
            if record:
                record.close()

    def _tell(self, record: RequestRecord) -> None:
        """Locust's own statistics, once a request, timed from due; failures have no time to lower the median."""
        took = (record.done - record.due) * 1000 if record.outcome == "ok" and record.done is not None else None
        self.environment.events.request.fire(
            request_type="POST",
            name=PATH,
            response_time=took,
            response_length=record.tokens,
            exception=None if record.outcome == "ok" else RequestFailedError(record.outcome),
            context={},
        )


class RequestFailedError(Exception):
    """How a failed request shows in Locust's table: by its outcome, so that a table of a thousand texts stays short."""


def _client(host: str | None, timeout: float) -> Client:
    if not host:
        raise LoadRefusedError(NO_HOST)
    deadlines = Deadlines(connect=min(CONNECT_SECONDS, timeout), first_byte=timeout, gap=timeout, total=timeout)
    try:
        return Client(host, deadlines=deadlines)
    except ValueError as error:
        raise LoadRefusedError(str(error)) from error


def _open_record(path: str | None) -> RecordWriter | None:
    try:
        return RecordWriter(Path(path)) if path else None
    except FileExistsError as error:
        raise LoadRefusedError(f"{path} exists: a record is never written over") from error


def finish(environment: Environment) -> None:
    """End the test: leave the process when headless, leave the web page up otherwise."""
    runner = environment.runner
    # From a greenlet of its own, because stopping the runner kills this user's greenlet.
    gevent.spawn(runner.quit if environment.parsed_options.headless else runner.stop)


events.init_command_line_parser.add_listener(add_options)
events.init.add_listener(refuse_early)
